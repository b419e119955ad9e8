"""A lock between processes: one file a key, never the data file, gone when its holder is done or dead."""

import os
import sys

from gbearer import flock, warm

_held: set[int] = set()


def acquire(folder: "int | str", name: str) -> int | None:
    """The lock's descriptor, or None while somebody else holds it; never waits. OSError where no lock can be had."""
    while True:
        file = warm.open_entry(folder, name, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0))
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(file, 0o600)  # whatever the umask: others of this user have to open it
            taken = flock.take(file)
            if taken and _same(folder, name, file):
                _held.add(file)
                return file
        except OSError:
            os.close(file)
            raise
        os.close(file)
        if not taken:
            return None


def release(folder: "int | str", name: str, file: int) -> None:
    """Give the lock back and take its file away, while it is still ours."""
    _held.discard(file)
    if sys.platform != "win32":
        remove(folder, name)
    try:
        flock.give(file)
    except OSError:
        pass
    os.close(file)


def taken(file: int) -> bool:
    """Take the lock of an open descriptor, for as long as it is open; False where somebody else has it."""
    try:
        return flock.take(file)
    except OSError:
        return True


def reap(folder: "int | str", name: str) -> bool:
    """Delete the file called `name` if nobody holds its lock, while nobody can take it; False where it stays."""
    try:
        file = warm.open_entry(folder, name, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        return flock.take(file) and _same(folder, name, file) and remove(folder, name)
    except OSError:
        return False
    finally:
        os.close(file)


def remove(folder: "int | str", name: str) -> bool:
    """Delete one entry; False where there was none."""
    try:
        if isinstance(folder, int):
            os.unlink(name, dir_fd=folder)
        else:
            os.unlink(os.path.join(folder, name))
    except OSError:
        return False
    return True


def _same(folder: "int | str", name: str, file: int) -> bool:
    """Whether `name` still is the file that is open: its last holder may have taken it away meanwhile."""
    try:
        if isinstance(folder, int):
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
        else:
            about = os.stat(os.path.join(folder, name), follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(about, os.fstat(file))


def _forget() -> None:
    """In a forked child: the locks are the parent's, so only the descriptors are closed."""
    for file in _held:
        os.close(file)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
