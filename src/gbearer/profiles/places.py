"""The files of profiles, opened with care: config.ini, and the nearest .gbearer.ini, which may choose a name only."""

import os
import stat

from gbearer import log, warm
from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from gbearer.sources.look import Look

CONFIG = "config.ini"
NEARBY = ".gbearer.ini"
LARGEST = 1 << 20
"""Bytes that config.ini may have."""
SMALL = 1 << 12
"""Bytes that .gbearer.ini may have: it holds one name."""
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer must not hang us
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_TRIES = 3


def nearby(look: "Look", home: str) -> tuple[str, str]:
    """(name, path) by the nearest .gbearer.ini that chooses one: the current folder's, then those above it.

    The walk ends at the home folder or at the root. A file that belongs to somebody else, but root, is passed over
    with a warning, and so is what a file holds beside the name. Raises BadCredentials for what is no such file.
    """
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted
        look.remember = False
        return "", ""
    ends = {os.path.normpath(home), os.path.realpath(home)}
    while True:
        path = os.path.join(folder, NEARBY)
        data = read(look, path, SMALL, foreign=True)
        if data is not None and (name := _name(data, path)):
            return name, path
        above = os.path.dirname(folder)
        if folder in ends or above == folder:
            return "", ""
        folder = above


def _name(data: bytes, path: str) -> str:
    from gbearer.profiles import ini

    return ini.choice(data, path)


def read(look: "Look", path: str, largest: int, *, foreign: bool = False) -> bytes | None:
    """The bytes of the file at `path`, None where there is none; what was seen is noted in `look`.

    With `foreign` the file may be anybody's: no link is followed, and one of another user is passed over.
    Raises BadCredentials for what is no regular file, too large, or not to be read.
    """
    flags = _FLAGS | (getattr(os, "O_NOFOLLOW", 0) if foreign else 0)
    known, data = None, b""
    for _ in range(_TRIES):
        try:
            file = os.open(path, flags)
        except (FileNotFoundError, NotADirectoryError):
            look.files[path] = None
            return None
        except OSError as error:
            _unopened(look, path, error, foreign=foreign)
            return None
        try:
            about = os.fstat(file)
            known = warm.of(about)
            if foreign and _of_another(about):
                look.files[path] = known
                _pass_over(path)
                return None
            _check(path, about, largest)
            if not foreign and _of_another(about):
                _fail(path, "belongs to somebody else", f"chown {os.geteuid()} {path}")
            if not foreign and os.name != "nt" and about.st_mode & stat.S_IWOTH:
                _fail(path, "may be written by anybody", f"chmod 600 {path}")
            data = _all(file, path, largest)
            if known == warm.of(os.fstat(file)):
                break
        except OSError as error:
            _fail(path, f"cannot be read: {(error.strerror or str(error)).lower()}")
        finally:
            os.close(file)
    else:
        look.remember = False  # it changes while it is read
    look.files[path] = known
    return data


def _all(file: int, path: str, largest: int) -> bytes:
    data = b""
    while chunk := os.read(file, 1 << 16):
        data += chunk
        if len(data) > largest:
            _fail(path, f"is larger than {largest} bytes")
    return data


def _check(path: str, about: os.stat_result, largest: int) -> None:
    if stat.S_ISDIR(about.st_mode):
        _fail(path, "is a folder")
    if not stat.S_ISREG(about.st_mode):
        _fail(path, "is not a regular file")
    if about.st_size > largest:
        _fail(path, f"is larger than {largest} bytes")


def _of_another(about: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and about.st_uid not in (0, os.geteuid())


def _pass_over(path: str) -> None:
    log.warn(f"{path} is not used: it belongs to somebody else")


def _unopened(look: "Look", path: str, error: OSError, *, foreign: bool) -> None:
    """The error for a file that cannot be opened, unless it is as good as absent."""
    try:
        about = os.lstat(path)
    except OSError:  # its folder may not be looked into, or it is gone: neither is of ours
        look.remember = False
        return
    if foreign and _of_another(about):
        look.remember = False
        _pass_over(path)
    elif foreign and stat.S_ISLNK(about.st_mode):
        _fail(path, "is a link")
    else:
        _fail(path, f"cannot be read: {(error.strerror or str(error)).lower()}")


def _fail(path: str, what: str, fix: str = "") -> "NoReturn":
    near = os.path.basename(path) == NEARBY
    other = "take it away, or go past it with --profile NAME" if near else "take it away, or put the right one there"
    raise BadCredentials(
        f"{path} {what}",
        why="a file of that name chooses a profile for its folder" if near else "its profiles say where secrets go",
        fix=fix or other,
    )
