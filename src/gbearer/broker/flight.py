"""Single flight inside one process: threads that want the same thing at the same time let one of them fetch it."""

import os
import threading
import weakref

from gbearer import errors
from gbearer.cache import Kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Landed = tuple[Kept, str]
"""What a flight brings: a token, and how it came."""


class _Flight:
    """One run under way, and how it ended."""

    __slots__ = ("done", "error", "landed")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.landed: Landed | None = None
        self.error: errors.Error | None = None


class Flights:
    """The runs of one broker, by key; a forked child starts with none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, _Flight] = {}
        _all.add(self)

    def fly(self, key: "Hashable", run: "Callable[[], Landed]", seconds: float) -> Landed:
        """What `run` returns or raises: our own run, or that of the thread that is at it already."""
        mine = _Flight()
        while True:
            with self._lock:
                flight = self._under_way.setdefault(key, mine)
            if flight is mine:
                break
            if not flight.done.wait(seconds):
                raise errors.Unreachable(
                    "another thread of this process has not got its token in time",
                    why=f"it has been at it for {seconds:.0f} s",
                    fix="try again",
                )
            if flight.error is not None:
                raise errors.again(flight.error) from None
            if flight.landed is not None:
                return flight.landed
            # its thread was interrupted: somebody else has to go
        try:
            mine.landed = run()
        except errors.Error as error:
            mine.error = error
            raise
        finally:
            with self._lock:
                if self._under_way.get(key) is mine:
                    del self._under_way[key]
            mine.done.set()
        return mine.landed

    def forget(self) -> None:
        """In a forked child: the threads that were under way are not here."""
        self._lock = threading.Lock()
        self._under_way = {}


_all: "weakref.WeakSet[Flights]" = weakref.WeakSet()


def _after_fork() -> None:
    for flights in list(_all):
        flights.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
