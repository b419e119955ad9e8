"""Warnings are said once a process; in tests once a test."""

from collections.abc import Iterator

import pytest

from gbearer import log


@pytest.fixture(autouse=True)
def warnings_anew() -> Iterator[None]:
    """Each test hears every warning."""
    before = set(log._seen)
    log._seen.clear()
    yield
    log._seen.clear()
    log._seen.update(before)
