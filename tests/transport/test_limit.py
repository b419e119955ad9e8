"""The limit of one try: it ends in time whatever hangs, and passes on what was returned or raised."""

import threading
import time

import pytest

from gbearer.transport.limit import Late, within


def test_what_ends_in_time_is_passed_on_whether_good_or_bad() -> None:
    assert within(5, lambda: None) is None
    assert within(5, lambda: "answer") == "answer"
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 // 0)
    with pytest.raises(SystemExit):
        within(5, lambda: (_ for _ in ()).throw(SystemExit(3)))


def test_what_hangs_as_a_resolver_may_is_left_behind() -> None:
    release = threading.Event()
    began = time.monotonic()
    with pytest.raises(Late):
        within(0.2, release.wait)
    assert 0.2 <= time.monotonic() - began < 0.6
    left_behind = [thread for thread in threading.enumerate() if thread.name == "gbearer-request"]
    assert left_behind
    assert all(thread.daemon for thread in left_behind), "it must not keep the process from ending"
    release.set()
    for thread in left_behind:
        thread.join(1)
