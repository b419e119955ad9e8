"""A headless Chromium for tests, driven over its DevTools protocol; nothing that it asks for leaves this machine."""

from browser.chromium import Chromium, chromium
from browser.page import Page

__all__ = ["Chromium", "Page", "chromium"]
