"""A look around: the environment, every file that was opened or was absent, and the chain as it was walked."""

import errno
import os
import stat
import sys

from gbearer import warm
from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Identity = tuple[int, int, int, int, int]

LARGEST = 1 << 20
"""Bytes that a credential file may have: the largest ever seen has a hundredth of that."""
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer must not hang us
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_TRIES = 3


class Step:
    """One place of the chain: its name, whether a credential was there, and why not (or what)."""

    __slots__ = ("found", "place", "reason")

    def __init__(self, place: str, found: bool, reason: str) -> None:
        self.place = place
        self.found = found
        self.reason = reason

    def __repr__(self) -> str:
        return f"Step({self.place!r}, found={self.found}, {self.reason!r})"


class Look:
    """What one search for a credential saw; the broker keeps it beside the token that came of it.

    env       the environment that was looked at
    files     path as opened -> identity (device, inode, size, mtime_ns, ctime_ns), None where nothing was
    digests   path -> digest of its bytes, for files whose owner touches them without changing them
    steps     the chain in the order in which it was walked
    remember  whether files and environment alone pin the answer: False for inline, ready-made and ambient ones
    root      where the system's own folders (`sys`, `proc`) begin; tests bring their own
    system    the name of the operating system, as `sys.platform` spells it
    """

    __slots__ = ("digests", "env", "files", "remember", "root", "steps", "system")

    def __init__(self, env: "Mapping[str, str]", *, root: str = "/", system: str = sys.platform) -> None:
        self.env = env
        self.root = root
        self.system = system
        self.files: dict[str, Identity | None] = {}
        self.digests: dict[str, bytes] = {}
        self.steps: list[Step] = []
        self.remember = True

    def absent(self, place: str, reason: str) -> None:
        """Note that `place` holds no credential: the search goes on."""
        self.steps.append(Step(place, False, reason))

    def found(self, place: str, what: str) -> None:
        """Note that `place` holds the credential that won."""
        self.steps.append(Step(place, True, what))

    def read(self, path: str, *, named: bool = True, blank: bool = False, largest: int = LARGEST) -> bytes | None:
        """The bytes of the file at `path`, None where there is none; BadCredentials when it is there and unusable.

        What was read and the identity that is noted belong together: a file that changes meanwhile is read again.
        A path that nobody `named` is absent as well when its folder may not be looked into: a service may well run
        with another user's HOME. One that may be `blank` may have no bytes; `largest` is how many it may have.
        """
        known, data = None, b""
        self.digests.pop(_absolute(path), None)
        if not named and _hidden(path):
            self.remember = False
            return None
        for _ in range(_TRIES):
            opened = self._once(path, largest)
            if opened is None:
                self.files[_absolute(path)] = None
                return None
            before, data, after = opened
            known = before
            if before == after:
                break
        else:
            self.remember = False
        if not data and not blank:
            raise _broken(path, "is empty", "it has no bytes; a write may have failed, or a secret was not filled in")
        self.files[_absolute(path)] = known
        return data

    def by_bytes(self, path: str, data: bytes) -> None:
        """Note that the file at `path` stays the same as long as its bytes, which were `data`, do."""
        self.digests[_absolute(path)] = warm.digest(data)

    def _once(self, path: str, largest: int) -> "tuple[Identity, bytes, Identity] | None":
        try:
            file = os.open(path, _FLAGS)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                return None
            raise _unopened(path, error) from None
        except ValueError:
            raise _broken(repr(path)[:60], "is no path", "a path has no NUL character") from None
        try:
            about = os.fstat(file)
            _check(path, about, largest)
            data = b""
            while chunk := os.read(file, 1 << 16):
                data += chunk
                if len(data) > largest:
                    raise _huge(path, largest)
            return warm.of(about), data, warm.of(os.fstat(file))
        except OSError as error:
            raise _unopened(path, error) from None
        finally:
            os.close(file)

    def kernel(self, path: str) -> str:
        """What the kernel or the firmware says in a small file of its own, stripped; "" where it says nothing.

        Not noted among `files`: the times of such files tell nothing.
        """
        try:
            file = os.open(os.path.join(self.root, path), _FLAGS)
        except OSError:
            return ""
        try:
            return os.read(file, 4096).decode("utf-8", "replace").strip()
        except OSError:
            return ""
        finally:
            os.close(file)


def _absolute(path: str) -> str:
    """`path` from the root on, not normalised: `a/../b` is another file than `b` where `a` is a link."""
    if os.path.isabs(path):
        return path
    try:
        return os.path.join(os.getcwd(), path)
    except OSError:  # the current folder is gone, and with it everything relative
        return path


def _hidden(path: str) -> bool:
    try:
        os.stat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        pass
    return False


def _check(path: str, about: os.stat_result, largest: int) -> None:
    if stat.S_ISDIR(about.st_mode):
        raise _broken(path, "is a directory", "a credential is one JSON file", "name the file inside it")
    if not stat.S_ISREG(about.st_mode):
        raise _broken(
            path,
            "is not a regular file",
            "a pipe or a device can be read only once, and a credential is looked at again",
            "pipe it into --credentials -, or put it into GBEARER_CREDENTIALS",
        )
    if about.st_size > largest:
        raise _huge(path, largest)


def _huge(path: str, largest: int) -> BadCredentials:
    size = f"is larger than {largest >> 20} MiB"
    return _broken(path, size, "no credential file is that large, so it was not read")


def _unopened(path: str, error: OSError) -> BadCredentials:
    if error.errno in (errno.EACCES, errno.EPERM):
        fix = f"chmod u+r {path}, or run as the user who owns it"
        return _broken(path, "cannot be read", "permission denied", fix)
    if error.errno == errno.ENAMETOOLONG:
        return _broken(f"{path[:40]}...", "is no path", "it is too long for a file name; is it the content of a key?")
    reason = (error.strerror or str(error)).lower()
    return _broken(path, "cannot be read", reason, "check the path and the disk it is on")


def _broken(path: str, what: str, why: str, fix: str = "name another file, or get this one anew") -> BadCredentials:
    return BadCredentials(f"the credential file {path} {what}", why=why, fix=fix)
