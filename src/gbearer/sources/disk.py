"""Files that hold a login, on disk: believed only where nobody else can have written them, replaced in one step."""

import errno
import os
import re
import stat
import time

from gbearer.errors import BadCredentials
from gbearer.sources.look import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES = 50
_LEFT_FOR = 60.0
"""Seconds after which what was being written is a dead writer's: a whole write takes milliseconds."""
_LEFT = re.compile(r"(?P<of>.+)\.gbearer-[0-9]+-[0-9a-f]{12}", re.DOTALL)
_LEFT_BY_FORMER = re.compile(r"(?P<of>.+\.json|active)\.[0-9]+-[0-9a-f]{12}|\.probe-[0-9]+", re.DOTALL)
"""As gbearer itself called them once; only in its own folder they are told by that."""
_READ = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO without a writer must not hang us
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class Unusable(Exception):
    """What is there is no file with bytes that can be read; the text says why."""


def read(file: str) -> bytes | None:
    """The bytes of `file`, None where there is none; Unusable for what is no file, BadCredentials for others' files."""
    try:
        opened = os.open(file, _READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unusable(_words(error)) from None
    try:
        _check(file, os.fstat(opened))
        data = b""
        while len(data) <= LARGEST and (chunk := os.read(opened, 1 << 16)):
            data += chunk
    except OSError as error:
        raise Unusable(_words(error)) from None
    finally:
        os.close(opened)
    return data


def check(file: str) -> None:
    """As `read`, without reading: Unusable or BadCredentials, nothing where there is none or none may look."""
    try:
        about = os.lstat(file)
    except (OSError, ValueError):
        return
    _check(file, about)


def check_owner(path: str, about: os.stat_result | None = None) -> None:
    """BadCredentials when the file or folder at `path` is another user's, or may be written by others."""
    if not hasattr(os, "geteuid"):
        return
    try:
        about = about or os.stat(path)
    except (OSError, ValueError):
        return
    import shlex

    shown = shlex.quote(path)
    if about.st_uid not in (os.geteuid(), 0):
        raise BadCredentials(
            f"the login in {path} is not used",
            why=f"it belongs to the user with the id {about.st_uid}, who could have put anybody's there",
            fix=f"if it is yours all the same: `sudo chown {os.geteuid()} {shown}`; otherwise delete it",
        )
    if about.st_mode & 0o022:
        raise BadCredentials(
            f"the login in {path} is not used",
            why=f"its mode is {stat.S_IMODE(about.st_mode):o}: others may write it, and could have put anybody's there",
            fix=f"if it is as you left it: `chmod go-w {shown}`; otherwise delete it",
        )


def _check(file: str, about: os.stat_result) -> None:
    if stat.S_ISLNK(about.st_mode):
        raise Unusable("it is a link")
    if not stat.S_ISREG(about.st_mode):
        raise Unusable("it is a folder" if stat.S_ISDIR(about.st_mode) else "it is no regular file")
    check_owner(file, about)
    if about.st_size > LARGEST:
        raise Unusable(f"it is larger than {LARGEST >> 20} MiB")
    if not about.st_size:
        raise Unusable("it is empty")


def _words(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return "it is a link"
    return (error.strerror or str(error)).lower()


def make_folder(path: str) -> None:
    """Make the folder and all that is missing above it, 0700 whatever the umask is; OSError where that fails."""
    above = os.path.dirname(path)
    if above and above != path and not os.path.isdir(above):
        make_folder(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def write(file: str, data: bytes) -> None:
    """Replace `file` in one step, 0600, on the disk before this returns; OSError where that fails.

    What a writer of this very file left when it was killed goes with it.
    """
    temporary = f"{file}.gbearer-{os.getpid()}-{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    opened = os.open(temporary, flags, 0o600)
    try:
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(opened, 0o600)
            sent = 0
            while sent < len(data):
                sent += os.write(opened, data[sent:])
            os.fsync(opened)
        finally:
            os.close(opened)
        _replace(temporary, file)
    except BaseException:
        remove(temporary)
        raise
    folder, name = os.path.split(file)
    if hasattr(os, "O_DIRECTORY"):
        above = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(above)
        finally:
            os.close(above)
    sweep(folder, name)


def _replace(temporary: str, file: str) -> None:
    """`os.replace`; on Windows it is refused for as long as somebody is reading the file."""
    for tries_left in range(_TRIES, -1, -1):
        try:
            os.replace(temporary, file)
        except PermissionError:
            if os.name != "nt" or not tries_left:
                raise
            time.sleep(0.02)
        else:
            return


def remove(file: str) -> bool:
    """Delete `file`; False where there is none."""
    try:
        os.unlink(file)
    except FileNotFoundError:
        return False
    return True


def left(folder: str, name: str = "") -> "Iterator[tuple[str, float]]":
    """(path, seconds since) of all that writers have left in `folder`, of the file `name` only if one is given."""
    try:
        there = os.listdir(folder or ".")
    except OSError:
        return
    for each in there:
        found = _LEFT.fullmatch(each) or (None if name else _LEFT_BY_FORMER.fullmatch(each))
        if found is None or (name and found["of"] != name):
            continue
        path = os.path.join(folder, each)
        try:
            about = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISREG(about.st_mode):
            yield path, abs(time.time() - about.st_mtime)  # from the future: a clock was set since


def sweep(folder: str, name: str = "", *, seconds: float = _LEFT_FOR) -> None:
    """Delete what dead writers have left in `folder`, of the file `name` only if one is given; fails at nothing.

    By its age, and not by whether the writer lives: a home may be shared by machines and containers.
    """
    for path, age in left(folder, name):
        if age >= seconds:
            try:
                os.unlink(path)
            except OSError:
                continue
