"""The system's keyring: a refresh token is put there, read and taken out, and no keyring that hangs holds us up."""

import sys
import threading

from gbearer import log
from gbearer.transport.limit import Late, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO, TypeVar

    T = TypeVar("T")

SERVICE = "gbearer"
PATIENCE = 30.0
"""Seconds that a keyring may take: it may ask its owner for a password."""


class Unusable(Exception):
    """The keyring is not there, locked, broken, or does not answer; the text says which.

    `may_pass` is whether its owner can do something about it where it is: unlock it, or answer it.
    """

    def __init__(self, words: str, *, may_pass: bool = False) -> None:
        super().__init__(words)
        self.may_pass = may_pass


class _Aside:
    """`sys.stdout` while a keyring is at work: what its thread prints goes to stderr, for stdout is the token's."""

    __slots__ = ("stdout", "threads")

    def __init__(self, stdout: "TextIO") -> None:
        self.stdout = stdout
        self.threads: set[int] = set()

    def __getattr__(self, name: str) -> object:
        return getattr(sys.stderr if threading.get_ident() in self.threads else self.stdout, name)


_LOCK = threading.Lock()


def _begin() -> None:
    """From now on what this thread prints goes to stderr."""
    with _LOCK:
        now: object = sys.stdout
        if now is not None and not isinstance(now, _Aside):
            now = sys.stdout = _Aside(sys.stdout)
        if isinstance(now, _Aside):
            now.threads.add(threading.get_ident())


def _end() -> None:
    with _LOCK:
        now: object = sys.stdout
        if isinstance(now, _Aside):
            now.threads.discard(threading.get_ident())
            if not now.threads:
                sys.stdout = now.stdout


def name() -> str:
    """What the keyring in use calls itself."""

    def ask() -> str:
        import keyring

        ring = keyring.get_keyring()
        several = getattr(ring, "backends", None)  # where there are several, a chain asks the best one first
        return str((several[0] if several else ring).name)

    return _try(ask)


def write(entry: str, secret: str, *, seconds: float = PATIENCE) -> None:
    """Keep `secret` under `entry`; Unusable unless it can be read back."""

    def work() -> str | None:
        import keyring

        keyring.set_password(SERVICE, entry, secret)
        return keyring.get_password(SERVICE, entry)

    if _try(work, seconds) != secret:
        raise Unusable("it took the secret and does not give it back")


def read(entry: str, *, seconds: float = PATIENCE) -> str | None:
    """The secret kept under `entry`, None where there is none."""

    def work() -> str | None:
        import keyring

        return keyring.get_password(SERVICE, entry)

    return _try(work, seconds)


def remove(entry: str, *, seconds: float = PATIENCE) -> None:
    """Take away what is kept under `entry`; nothing there is as good."""

    def work() -> None:
        import keyring
        from keyring.errors import PasswordDeleteError

        try:
            keyring.delete_password(SERVICE, entry)
        except PasswordDeleteError:
            pass

    _try(work, seconds)


def _try(work: "Callable[[], T]", seconds: float = PATIENCE) -> "T":
    def quietly() -> "T":
        _begin()
        try:
            return work()
        finally:
            _end()

    try:
        return within(seconds, quietly)
    except KeyboardInterrupt:
        raise
    except ImportError as error:
        raise Unusable(_missing(error)) from None
    except Late:
        raise Unusable(f"it has not answered for {seconds:.0f} s", may_pass=True) from None
    except BaseException as error:  # noqa: BLE001 (backends raise what they like, SystemExit too; no token fails of it)
        kind = type(error).__name__
        if kind in ("KeyringLocked", "LockedException", "InitError"):
            raise Unusable("it is locked, or nobody can unlock it here", may_pass=True) from None
        raise Unusable("there is no keyring on this machine" if kind == "NoKeyringError" else _words(error)) from None


def _missing(error: ImportError) -> str:
    if error.name == "keyring":
        return "the library keyring is not installed (`pip install 'gbearer[keyring]'`)"
    return f"its backend cannot be loaded: {_words(error)}; PYTHON_KEYRING_BACKEND or keyringrc.cfg may name it wrongly"


def _words(error: BaseException) -> str:
    """What a backend says, fit to be shown."""
    kind = type(error).__name__
    try:
        text = " ".join(str(error).split())[:120]
    except Exception:  # noqa: BLE001 (somebody else's code again)
        text = ""
    return log.plain(log.redact(f"{kind}: {text}" if text else kind))
