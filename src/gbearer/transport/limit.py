"""A limit on the time of one try that nothing gets around: not a resolver that hangs, not a server that drips."""

import threading
from typing import TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Late(Exception):
    """The time is up."""


def within(seconds: float, run: "Callable[[], T]") -> T:
    """What `run` returns or raises, or Late after `seconds`.

    The limits of sockets are per read, name resolution has none, and a name with many addresses has each tried: so
    `run` has a thread to itself, which is left behind when the time is up.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def try_it() -> None:
        try:
            outcome.append(run())
        except BaseException as error:  # noqa: BLE001 (raised below, in the thread that asked)
            failure.append(error)

    thread = threading.Thread(target=try_it, name="gbearer-request", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise Late
    return outcome[0]
