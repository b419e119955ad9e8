"""The Security Token Service: pools and providers, and how each kind of subject token is verified and mapped."""
