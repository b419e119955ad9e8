"""Signing in with a browser: the pages, what an application may ask for, and the codes it gets."""
