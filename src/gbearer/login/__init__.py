"""Signing in with a browser, and out again: what becomes a login in the store that `sources` reads."""
