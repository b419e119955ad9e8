"""gbearer's own login as a credential: the active one, or that of the account which is named."""

import os
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import endpoints, log
from gbearer.errors import BadCredentials, Error, LoginRequired
from gbearer.sources import file, keychain, logins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources.detect import Notes
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

PLACE = "gbearer login"


def find(ask: "Ask", look: "Look", _: "Transport", __: "Notes | None") -> "Source | None":
    """The login for `ask`, None where nobody is signed in; LoginRequired where no other place is to be looked at."""
    folder = logins.folder(look)
    account = ask.account or logins.active(look, folder)
    where = logins.path(folder, account) if account else folder
    if account:
        logins.check(folder, where)
    try:
        data = look.read(where, named=False) if account else None
        source = _load(data, where, ask, look) if data is not None else None
    except BadCredentials as error:
        if not any(name in error.fix for name in (endpoints.EMULATOR_VARIABLE, endpoints.UNIVERSE_VARIABLE)):
            raise _of_login(error, where, str(account)) from None
        raise
    if source is None:
        look.absent(PLACE, f"{account} is not signed in" if account else "not signed in")
        if ask.source == "login":
            raise _nobody(account, folder)
        return None
    look.found(PLACE, file.describe(source))
    return source


def _of_login(error: BadCredentials, where: str, account: str) -> BadCredentials:
    """What is wrong with the file, said of a login: nobody has named that file, and another cannot be named."""
    told = [error.message.replace(f"the credential file {where} ", "it ").replace(f"{where} is ", "it is "), error.why]
    if error.message.startswith(f"the login in {where} "):
        told = [error.why]
    return BadCredentials(
        f"the login of {account} in {where} cannot be used",
        why=": ".join(text for text in told if text),
        fix=f"sign in anew: `{logins.sign_in(account)}`",
    )


def entry(account: str, login: str) -> str:
    """What a login's refresh token is called in the keyring."""
    return f"{account} {login}"


def _load(data: bytes, where: str, ask: "Ask", look: "Look") -> "Source":
    import json

    try:
        info = json.loads(data)
    except (ValueError, RecursionError):
        raise logins.damaged(where, "it is not JSON") from None
    noted = logins.mark(info) if isinstance(info, dict) else {}
    login, account = noted.get("id"), info.get("account") if isinstance(info, dict) else None
    if not isinstance(login, str) or not isinstance(account, str) or info.get("type") not in logins.KINDS:
        raise logins.damaged(where, "it is not what `gbearer login` writes")
    if noted.get("keyring") is True:  # what stands in for it is never sent: `current` is asked first
        info["refresh_token"] = f"{_mark(look)}kept-in-the-keyring"
        data = json.dumps(info).encode()
    source = file.load(data, where, ask, look)
    source.name = "login"
    source.sign_in = logins.sign_in(account)
    # Not of the bytes: a new refresh token leaves the identity, and every token cached for it, as they are.
    source.fingerprint = blake2b(f"{login}\0{account}".encode(), digest_size=32).hexdigest()
    source.rotated = lambda new: _rotated(where, login, account, new)
    source.current = lambda: _current(where, login, account, info, look)
    source.lock = f"{where}.lock"
    if noted.get("keyring") is True:
        source.patience = keychain.PATIENCE
    return source


def _mark(look: "Look") -> str:
    return endpoints.EMULATOR_MARK if endpoints.emulator(look.env) is not None else ""


def _current(where: str, login: str, account: str, found: "logins.Info", look: "Look") -> str:
    """The refresh token as it is kept now: another process may have been given a new one since the file was read."""
    info = logins.read(where)
    if info is None or logins.mark(info).get("id") != login:
        info = found  # signed out or in anew meanwhile: what was found then is what this call uses
    if logins.mark(info).get("keyring") is not True:
        return str(info.get("refresh_token"))
    try:
        secret = keychain.read(entry(account, login))
    except keychain.Unusable as error:
        locked = LoginRequired(
            f"the login of {account} is kept in the system's keyring, which cannot be used",
            why=str(error),
            fix=f"{'unlock it and try again, or ' if error.may_pass else ''}keep the login in a file: "
            f"`{logins.sign_in(account)} --no-keyring`",
        )
        locked.passing = True
        raise locked from None
    if not secret:
        raise LoginRequired(
            f"the login of {account} is not in the system's keyring any more",
            why="somebody took it out, or this is another keyring than the one it was put into",
            fix=f"sign in anew: `{logins.sign_in(account)}`",
        )
    endpoints.made_by_emulator(secret, "refresh token", "the keyring", look.env)
    return secret


def _rotated(where: str, login: str, account: str, new: str) -> None:
    """Keep `new` in place of the refresh token, if the file still holds the same login; never fails a token."""
    try:
        with logins.alone(os.path.dirname(where)):
            info = logins.read(where)
            if info is None or logins.mark(info).get("id") != login:
                return
            if logins.mark(info).get("keyring") is True:
                try:
                    keychain.write(entry(account, login), new)
                except keychain.Unusable as error:
                    log.warn(f"the new refresh token is kept in {where}: the keyring cannot be used, {error}")
                    logins.mark(info)["keyring"] = False
                else:
                    return
            info["refresh_token"] = new
            logins.keep(where, info)
    except (OSError, Error) as error:
        log.warn(f"the new refresh token of {account} could not be kept in {where}: {error}")


def _nobody(account: str | None, folder: str) -> LoginRequired:
    there = [name for name, info in logins.all_in(folder) if info is not None]
    if account is None and there:
        return LoginRequired(
            "no login of gbearer is the active one",
            why=f"signed in are {', '.join(there)}",
            fix=f"choose one: `gbearer login --use {there[0]}`, or name it with --account",
        )
    who = account or "nobody"
    return LoginRequired(
        f"{who} is {'not ' if account else ''}signed in with gbearer",
        why=f"signed in are {', '.join(there)}" if there else f"there is no login in {folder}",
        fix=f"run `{logins.sign_in(account)}`" if account else "run `gbearer login --client-file CLIENT.json`",
    )
