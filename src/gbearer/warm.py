"""The warm path: an answer given before is given again for a few file reads; standard library, nothing of ours.

Two kinds of entries lie in the cache folder, each sealed with a digest that is keyed by its own name:
`t-KEY` is a token; `a-QUESTION` is an answer, which holds no secret: which token, the text around it, and the identity
of every file that was looked at to find it, also those that were absent. Anything doubtful falls through.
"""

import os
import sys
import time
from _blake2 import blake2b  # hashlib costs ten times as much to import
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAGIC = b"gbearer1 "
LARGEST = 1 << 17
WINDOW = 225.0
"""Seconds before its end when a token is renewed; see `window`."""
FUTURE = 5.0
"""Seconds by which an entry may seem to come from the future before the clock is held to have been set back."""
YOUNG = 2.0
"""Seconds that a file has to be left alone before its times are believed (coarse clocks of file systems)."""

BEGAN = time.time()
"""When this process began, near enough (Unix time)."""

_PREFIXES = ("GBEARER_", "GOOGLE_", "GCE_", "GAE_", "CLOUDSDK_", "AWS_", "XDG_C", "SSL_CERT_", "CLOUD_RUN_", "K_")
_NAMES = (
    "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMDRIVE", "GCLOUD_PROJECT", "NO_GCE_CHECK",
    "METADATA_SERVER_DETECTION", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "FUNCTION_TARGET", "HTTP_PROXY",
    "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "KUBERNETES_SERVICE_HOST", "APPENGINE_RUNTIME", "PATH",
)  # fmt: skip
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_READ_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FILE_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Unsafe(Exception):
    """A cache folder or an entry that somebody else could have written, or that is not whole."""


def answer(argv: "list[str]", version: str) -> bool:
    """Print the remembered answer to `argv` (without the program's name) if everything it rests on still holds."""
    try:
        path = folder_path(os.environ)
        if not path:
            return False
        folder = open_folder(path)
        entry = read(folder, f"a-{question(argv, os.environ, version)}")
        if entry is None:
            return False
        key, min_ttl, before, after, *files = entry.split(b"\0")
        for i in range(0, len(files), 2):
            if not holds(os.fsdecode(files[i]), files[i + 1]):
                return False
        token = read(folder, f"t-{key.decode()}")
        if token is None:
            return False
        issued, expires, value = token.split(b"\0")[:3]
        left = fresh(float(issued), float(expires), time.time())
        if left <= 0 or left < float(min_ttl):
            return False
        text = before + value + after
        sent = os.write(1, text)
    except (OSError, ValueError, IndexError, Unsafe):
        return False
    try:
        while sent < len(text):
            sent += os.write(1, text[sent:])
    except OSError:
        raise SystemExit(1) from None  # half of it is out: nothing can follow
    return True


def fresh(issued: float, expires: float, now: float) -> float:
    """Seconds left, when the token may be served without a thought; 0 when it is stale, expired or from the future."""
    left = expires - now
    return left if left > window(issued, expires) and issued <= now + FUTURE else 0.0


def window(issued: float, expires: float) -> float:
    """Seconds before the end in which a token is stale: 225, or a quarter of its observed life if that is less.

    225 s because Google's metadata server may hand out the same token until four minutes before its end.
    """
    return min(WINDOW, max(0.0, expires - issued) / 4)


def question(argv: "Iterable[str]", env: "Mapping[str, str]", version: str) -> str:
    """A digest of everything that is not a file and that an answer may depend on."""
    chosen = [f"{name}={value}" for name, value in env.items() if name.startswith(_PREFIXES) or name.upper() in _NAMES]
    chosen.sort()
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    parts = [version, sys.version, os.getcwd(), str(user), *argv, "", *chosen]
    return blake2b(os.fsencode("\0".join(parts)), digest_size=32).hexdigest()


def folder_path(env: "Mapping[str, str]") -> str:
    """Where the cache is, or "" when it is off: GBEARER_CACHE, else the system's own place for caches."""
    named = env.get("GBEARER_CACHE", "")
    if named:
        return "" if named == "off" else named
    if sys.platform == "win32":
        base = env.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = f"{env['HOME']}/Library/Caches" if env.get("HOME") else ""
    else:
        base = env.get("XDG_CACHE_HOME", "")
        if not base.startswith("/"):
            base = f"{env['HOME']}/.cache" if env.get("HOME") else ""
    return os.path.join(base or os.path.expanduser("~/.cache"), "gbearer")


def open_folder(path: str) -> "int | str":
    """The folder's descriptor (its path on Windows), opened without following a link; Unsafe if others may write."""
    if sys.platform == "win32":
        os.stat(path)
        return path
    folder = os.open(path, _FOLDER_FLAGS)
    about = os.fstat(folder)
    if about.st_uid != os.geteuid():
        os.close(folder)
        raise Unsafe("it belongs to somebody else")
    if about.st_mode & 0o022:
        os.close(folder)
        raise Unsafe("others may write to it")
    return folder


def open_entry(folder: "int | str", name: str, flags: int, mode: int = 0o600) -> int:
    """`os.open` of one entry inside the folder."""
    if isinstance(folder, int):
        return os.open(name, flags, mode, dir_fd=folder)
    return os.open(os.path.join(folder, name), flags | getattr(os, "O_BINARY", 0), mode)


def read(folder: "int | str", name: str) -> bytes | None:
    """The payload of an entry, None where there is none; Unsafe when it is damaged or not ours alone."""
    try:
        file = open_entry(folder, name, _FILE_FLAGS)
    except FileNotFoundError:
        return None
    try:
        about = os.fstat(file)
        if not S_ISREG(about.st_mode) or about.st_size > LARGEST:
            raise Unsafe("it is no entry of this cache")
        if sys.platform != "win32" and (about.st_uid != os.geteuid() or about.st_mode & 0o077):
            raise Unsafe("somebody else may have written or read it")
        data = os.read(file, LARGEST)
    finally:
        os.close(file)
    payload = data[len(MAGIC) + 33 :]
    if data[: len(MAGIC) + 33] != _head(name, payload):
        raise Unsafe("it is damaged")
    return payload


def seal(name: str, payload: bytes) -> bytes:
    """`payload` as an entry called `name` holds it."""
    return _head(name, payload) + payload


def _head(name: str, payload: bytes) -> bytes:
    known = name.encode()
    digest = blake2b(payload, digest_size=16, key=known[-64:], person=known[:2])  # a key has 64 bytes at most
    return MAGIC + digest.hexdigest().encode() + b"\n"


def holds(path: str, noted: bytes) -> bool:
    """Whether a file is as it was noted: by its identity, else, where a digest was noted as well, by its bytes."""
    known, _, told = noted.partition(b"=")
    return identity(path) == unpack(known) or (told != b"" and _digest_at(path) == told)


def digest(data: bytes) -> bytes:
    """What tells the bytes of one file from those of another."""
    return blake2b(data, digest_size=16).hexdigest().encode()


def _digest_at(path: str) -> bytes:
    file = os.open(path, _READ_FLAGS)
    try:
        about = os.fstat(file)
        if not S_ISREG(about.st_mode) or about.st_size > LARGEST:
            return b""
        data = os.read(file, LARGEST + 1)
        return digest(data) if len(data) == about.st_size else b""
    finally:
        os.close(file)


def identity(path: str) -> "tuple[int, int, int, int, int] | None":
    """What tells one file from another, and from itself before a change; None where there is nothing."""
    try:
        return of(os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return None


def of(about: os.stat_result) -> "tuple[int, int, int, int, int]":
    """The identity in what `os.stat` or `os.fstat` told: device, inode, size, and both times in nanoseconds."""
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns


def pack(known: "tuple[int, int, int, int, int] | None") -> bytes:
    """An identity as bytes."""
    return b"-" if known is None else b" ".join(b"%d" % part for part in known)


def unpack(data: bytes) -> "tuple[int, ...] | None":
    """An identity from bytes; ValueError when they are none."""
    return None if data == b"-" else tuple(map(int, data.split()))


def young(known: "tuple[int, int, int, int, int] | None", now: float) -> bool:
    """Whether a file was changed too recently (or in the future) for its times to tell a later change."""
    return known is not None and max(known[3], known[4]) > (now - YOUNG) * 1e9


def entry(
    key: str,
    min_ttl: float,
    before: str,
    after: str,
    files: "Mapping[str, object]",
    digests: "Mapping[str, bytes] | None" = None,
) -> bytes | None:
    """The payload of an answer entry; None when a text holds what such an entry cannot."""
    fields = [key.encode(), b"%d" % min_ttl, before.encode(), after.encode()]
    for path, known in files.items():
        told = (digests or {}).get(path)
        fields += [os.fsencode(path), pack(known) + (b"=" + told if told else b"")]  # type: ignore[arg-type]
    return None if any(b"\0" in field for field in fields) else b"\0".join(fields)
