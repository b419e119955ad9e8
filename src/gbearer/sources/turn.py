"""One refresh of a login at a time: its refresh token may change with every answer, so processes take turns."""

import os
import time

from gbearer import flock, log
from gbearer.errors import Unreachable


class Turn:
    """`with Turn(path, seconds):` nobody else refreshes that login; the lock ends with its holder, killed or not.

    path     of the lock file, which is made with mode 0600 and stays; "" for a login that needs no turns
    seconds  how long to wait for it: Unreachable after that
    Where no lock can be had (a read-only folder), the login is refreshed without one.
    """

    __slots__ = ("_file", "_path", "_seconds")

    def __init__(self, path: str, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._file = -1

    def __enter__(self) -> None:
        ends, pause = time.monotonic() + self._seconds, 0.005
        try:
            while self._path and not self._try():
                if time.monotonic() > ends:
                    raise Unreachable(
                        "another process has not refreshed this login in time",
                        why=f"it holds the lock {self._path} for more than {self._seconds:.0f} s",
                        fix="try again",
                    )
                time.sleep(pause)
                pause = min(0.05, pause * 1.5)
        except OSError as error:
            log.debug(f"no lock at {self._path}: {error.strerror or type(error).__name__}")

    def __exit__(self, *_: object) -> None:
        file, self._file = self._file, -1
        if file < 0:
            return
        try:
            flock.give(file)
        except OSError as error:
            log.debug(f"the lock {self._path}: {error.strerror or type(error).__name__}")
        os.close(file)

    def _try(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        file = os.open(self._path, flags, 0o600)
        try:
            if flock.take(file) and os.path.samestat(os.stat(self._path), os.fstat(file)):
                self._file = file
                return True
        except FileNotFoundError:  # signed out meanwhile, and perhaps in again
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        return False
