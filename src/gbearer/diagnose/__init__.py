"""Look at credentials without using them: what would fail, why, and what to do about it."""
