"""The logins of gbearer itself: one file an account, 0600 in a folder of 0700, and which of them is the active one."""

import os
import re
import time
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import endpoints, log
from gbearer.errors import BadCredentials, Error
from gbearer.sources import wellknown
from gbearer.sources.turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look

    Info = dict[str, object]

ACTIVE = "active"
KINDS = ("authorized_user", "external_account_authorized_user")
_LONGEST = 180
_PLAIN = re.compile(rb"[a-z0-9._@+-]")
_TRIES = 50
_PATIENCE = 10.0


def folder(look: "Look") -> str:
    """Where the logins are; what an emulator signed in lies apart, so that neither world ever sees the other's."""
    name = "logins" if endpoints.emulator(look.env) is None else "emulator-logins"
    return os.path.join(wellknown.config_folder(look), name)


def spelt(account: str) -> str:
    """`account` as it is kept: an email address knows no capitals, the name of a workforce principal does."""
    return account if "/" in account else account.lower()


def path(logins: str, account: str) -> str:
    """The file of `account`: its name in lower case letters, everything else in percent signs, no two alike."""
    data = spelt(account).encode("utf-8", "surrogateescape")
    name = "".join(chr(byte) if _PLAIN.match(bytes((byte,))) else f"%{byte:02X}" for byte in data)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 40]}%{blake2b(data, digest_size=16).hexdigest()}"
    return os.path.join(logins, f"{name}.json")


def active(look: "Look", logins: str) -> str | None:
    """The account that is used where none is named, None where there is none; the look remembers the file."""
    try:
        data = look.read(os.path.join(logins, ACTIVE), named=False)
    except BadCredentials as error:
        error.fix = "see who is signed in: `gbearer login --list`, and choose: `gbearer login --use ACCOUNT`"
        raise
    text = (data or b"").decode("utf-8", "replace").strip()
    return text or None


def chosen(look: "Look", logins: str) -> str | None:
    """As `active`, but None as well where the choice cannot be read: for those who set it anew."""
    try:
        return active(look, logins)
    except BadCredentials:
        return None


def mark(info: "Info") -> "Info":
    """What gbearer notes in a login beside the credential: `id`, `keyring`, `made`, `scopes`, `login_config`."""
    noted = info.get("gbearer")
    return noted if isinstance(noted, dict) else {}


def read(file: str) -> "Info | None":
    """The login in `file`, None where there is none; BadCredentials when it cannot be used."""
    import json

    try:
        with open(file, "rb") as stream:
            info = json.loads(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadCredentials(
            f"the login {file} cannot be read", why=(error.strerror or str(error)).lower(), fix=f"chmod 600 {file}"
        ) from None
    except (ValueError, RecursionError):
        raise damaged(file, "it is not JSON") from None
    if not isinstance(info, dict) or info.get("type") not in KINDS or not isinstance(mark(info).get("id"), str):
        raise damaged(file, "it is not what `gbearer login` writes")
    return info


def damaged(file: str, why: str) -> BadCredentials:
    """The error for a login that cannot be used."""
    return BadCredentials(
        f"the login in {file} cannot be used", why=why, fix="delete the file and sign in anew: `gbearer login`"
    )


def all_in(logins: str) -> "list[tuple[str, Info | None]]":
    """Every login with its account, the latest sign-in first; None for one that cannot be used, by its file's name."""
    try:
        names = sorted(name for name in os.listdir(logins) if name.endswith(".json"))
    except OSError:
        return []
    found: list[tuple[str, Info | None]] = []
    for name in names:
        try:
            info = read(os.path.join(logins, name))
        except Error as error:
            log.warn(f"{error.message}: {error.why}")
            found.append((name, None))
        else:
            if info is not None:
                found.append((str(info.get("account") or name), info))
    return sorted(found, key=lambda each: str(mark(each[1]).get("made")) if each[1] else "", reverse=True)


def prepare(logins: str) -> None:
    """Make the folder, 0700; BadCredentials when nothing could be kept there: found out before a person signs in."""
    try:
        for each in (os.path.dirname(logins), logins):
            os.makedirs(each, mode=0o700, exist_ok=True)
        about = os.stat(logins)
        if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
            raise PermissionError(0, f"the folder belongs to the user with the id {about.st_uid}")
        if hasattr(os, "geteuid"):
            os.chmod(logins, 0o700)
        probe = os.path.join(logins, f".probe-{os.getpid()}")
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT, 0o600))
        os.unlink(probe)
    except OSError as error:
        raise BadCredentials(
            f"no login can be kept in {logins}",
            why=(error.strerror or str(error)).lower(),
            fix="make that folder writable for yourself, or set XDG_CONFIG_HOME to another",
        ) from None


def write(file: str, data: bytes) -> None:
    """Replace `file` in one step, 0600, on the disk before this returns; OSError where that fails."""
    temporary = f"{file}.{os.getpid()}-{os.urandom(6).hex()}"
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
    if hasattr(os, "O_DIRECTORY"):
        above = os.open(os.path.dirname(file) or ".", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


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


def keep(file: str, info: "Info") -> None:
    """Write a login."""
    import json

    write(file, json.dumps(info, indent=2).encode() + b"\n")


def activate(logins: str, account: str | None) -> None:
    """Make `account` the one that is used where none is named; None for nobody."""
    if account is None:
        remove(os.path.join(logins, ACTIVE))
    else:
        write(os.path.join(logins, ACTIVE), f"{spelt(account)}\n".encode())


def alone(logins: str) -> Turn:
    """What to hold (`with`) while logins are written; Unreachable when another process has been at it for too long."""
    return Turn(os.path.join(logins, ".lock"), _PATIENCE)
