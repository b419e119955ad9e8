"""The system's keyring: a refresh token is put there, read and taken out, and no keyring that hangs holds us up."""

from gbearer.transport.limit import Late, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

SERVICE = "gbearer"
PATIENCE = 30.0
"""Seconds that a keyring may take: it may ask its owner for a password."""


class Unusable(Exception):
    """The keyring is not there, locked, broken, or does not answer; the text says which."""


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
    try:
        return within(seconds, work)
    except ImportError:
        raise Unusable("the library keyring is not installed (`pip install 'gbearer[keyring]'`)") from None
    except Late:
        raise Unusable(f"it has not answered for {seconds:.0f} s") from None
    except Exception as error:  # noqa: BLE001 (backends raise what they like; whatever it is, no token may fail of it)
        raise Unusable(_words(error)) from None


def _words(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "NoKeyringError":
        return "there is no keyring on this machine"
    if kind in ("KeyringLocked", "LockedException", "InitError"):
        return "it is locked, or nobody can unlock it here"
    text = " ".join(str(error).split())[:120]
    return f"{kind}: {text}" if text else kind
