"""The logins of gbearer itself: one file an account, 0600 in a folder of 0700, and which of them is the active one."""

import os
import re
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import endpoints, log
from gbearer.errors import BadCredentials, Error
from gbearer.sources import disk, wellknown
from gbearer.sources.turn import Turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look

    Info = dict[str, object]

ACTIVE = "active"
KINDS = ("authorized_user", "external_account_authorized_user")
_LONGEST = 180
_PLAIN = re.compile(rb"[a-z0-9._@+-]")
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
        error.message = error.message.replace("the credential file", "the name of the active login, in", 1)
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
    """The login in `file`, None where there is none; BadCredentials when it cannot be used, or is not to be believed.

    A pipe is not waited for, a link in our folder not followed, and no more than 1 MiB is read.
    """
    import json

    try:
        data = disk.read(file)
        info = json.loads(data) if data is not None else None
    except disk.Unusable as error:
        raise damaged(file, str(error)) from None
    except (ValueError, RecursionError):
        raise damaged(file, "it is not JSON") from None
    if data is None:
        return None
    if not isinstance(info, dict) or info.get("type") not in KINDS or not isinstance(mark(info).get("id"), str):
        raise damaged(file, "it is not what `gbearer login` writes")
    return info


def check(logins: str, file: str) -> None:
    """BadCredentials when folder or file are not to be believed, or no file is what is there; nothing is read."""
    disk.check_owner(logins)
    try:
        disk.check(file)
    except disk.Unusable as error:
        raise damaged(file, str(error)) from None


def damaged(file: str, why: str) -> BadCredentials:
    """The error for a login that cannot be used."""
    return BadCredentials(
        f"the login in {file} cannot be used", why=why, fix=f"sign in anew: `{sign_in(account_of(file))}`"
    )


def account_of(file: str) -> str | None:
    """Whose login `file` is, by its name; None for one that is too long to tell."""
    from urllib.parse import unquote

    name = os.path.basename(file).removesuffix(".json")
    account = unquote(name, errors="surrogateescape")
    return account if os.path.basename(path("", account)) == f"{name}.json" else None


def sign_in(account: str | None) -> str:
    """The command with which `account` signs in anew."""
    import shlex

    return f"gbearer login --account {shlex.quote(account)}" if account else "gbearer login"


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
        disk.make_folder(logins)
        about = os.stat(logins)
        if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
            raise PermissionError(0, f"the folder belongs to the user with the id {about.st_uid}")
        if hasattr(os, "geteuid"):
            os.chmod(logins, 0o700)
        probe = os.path.join(logins, f".probe-{os.getpid()}")
        disk.write(probe, b"")
        disk.remove(probe)
    except OSError as error:
        raise BadCredentials(
            f"no login can be kept in {logins}",
            why=(error.strerror or str(error)).lower(),
            fix="make that folder writable for yourself, or set XDG_CONFIG_HOME to another",
        ) from None


def keep(file: str, info: "Info") -> None:
    """Write a login, and delete what writers that were killed have left in its folder."""
    import json

    disk.write(file, json.dumps(info, indent=2).encode() + b"\n")
    disk.sweep(os.path.dirname(file))


def activate(logins: str, account: str | None) -> None:
    """Make `account` the one that is used where none is named; None for nobody."""
    if account is None:
        disk.remove(os.path.join(logins, ACTIVE))
    else:
        disk.write(os.path.join(logins, ACTIVE), f"{spelt(account)}\n".encode())


def alone(logins: str) -> Turn:
    """What to hold (`with`) while logins are written; Unreachable when another process has been at it for too long."""
    return Turn(os.path.join(logins, ".lock"), _PATIENCE)


def forget(logins: str, file: str) -> None:
    """Delete a login, and what its writers have left of it, dead or not: for who holds the lock; OSError where not."""
    disk.remove(file)
    disk.sweep(logins, os.path.basename(file), seconds=0)
    disk.sweep(logins)
