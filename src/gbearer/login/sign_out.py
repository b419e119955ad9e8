"""Signing out: the login is revoked at Google, and forgotten here whether or not Google could be told."""

import os
from shlex import quote

from gbearer import endpoints, log
from gbearer.errors import BadCredentials, CredentialsNotFound, Error, Refused, Unreachable
from gbearer.exchange import said
from gbearer.login import adc, forget
from gbearer.sources import disk, keychain, logins, universe
from gbearer.sources.login import entry
from gbearer.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources import Look
    from gbearer.sources.logins import Info

_PATIENCE = 10.0
_BY_HAND = "take it away at https://myaccount.google.com/connections"


class Gone:
    """A login that was forgotten: whose, why it is not revoked ("" when it is), cached tokens dropped, the ADC file."""

    __slots__ = ("account", "adc", "tokens", "unrevoked")

    def __init__(self, account: str, unrevoked: str, tokens: int, adc: str) -> None:
        self.account = account
        self.unrevoked = unrevoked
        self.tokens = tokens
        self.adc = adc


def chosen(account: str | None, everybody: bool, look: "Look") -> list[str]:
    """The accounts to sign out, by the options; CredentialsNotFound where there is none."""
    folder = logins.folder(look)
    there = [name for name, _ in logins.all_in(folder)]
    if everybody:
        return there
    name = account or logins.chosen(look, folder)
    if name is not None and os.path.lexists(logins.path(folder, name)):
        return [name]
    raise CredentialsNotFound(
        f"{account} is not signed in with gbearer" if account else "nobody is signed in with gbearer",
        why=f"signed in are {', '.join(there)}" if there else f"there is no login in {folder}",
        fix=f"gbearer logout --account {there[0]}, or --all" if there else "nothing is left to do",
    )


def sign_out(account: str, look: "Look") -> Gone:
    """Revoke and forget the login of `account`; BadCredentials when it cannot even be forgotten.

    First it is revoked, while it is still here to be revoked by a second try; whatever comes of that, it is forgotten.
    """
    folder = logins.folder(look)
    file = logins.path(folder, account) if not account.endswith(".json") else os.path.join(folder, account)
    info, secret, problem, kept = _whole(account, file)
    if secret:
        problem = _revoke(secret, info, look)
    try:
        with logins.alone(folder):
            logins.forget(folder, file)
            if logins.chosen(look, folder) in (account, logins.spelt(account)):
                logins.activate(folder, _next(folder))
        disk.remove(f"{file}.lock")
    except OSError as error:
        raise BadCredentials(
            f"the login {file} cannot be deleted",
            why=(error.strerror or str(error)).lower(),
            fix=f"delete it by hand: rm -r {quote(file)}",
        ) from None
    tokens = forget.tokens(file, look.env)
    if kept:
        log.warn(f"the refresh token of {account} stays in the keyring, which cannot be used: {kept}")
    else:
        forget.secret(account, info)
    return Gone(account, problem, tokens, adc.forget(secret, look))


def _next(folder: str) -> str | None:
    """Whose login is used from now on: that of the latest sign-in."""
    return next((name for name, info in logins.all_in(folder) if info is not None), None)


def _whole(account: str, file: str) -> "tuple[Info, str, str, str]":
    """(the login, its refresh token, why there is none, why the keyring that has it cannot be used: asked once)."""
    try:
        info = logins.read(file) or {}
    except BadCredentials as error:
        return {}, "", f"its file could not be read ({error.why})", ""
    noted = logins.mark(info)
    if noted.get("keyring") is not True:
        secret = info.get("refresh_token")
        return info, secret if isinstance(secret, str) else "", "its file held no refresh token", ""
    try:
        secret = keychain.read(entry(account, str(noted.get("id"))))
    except keychain.Unusable as error:
        return info, "", f"the keyring that has it cannot be used: {error}", str(error)
    return info, secret or "", "the keyring has it no more", ""


def _revoke(secret: str, info: "Info", look: "Look") -> str:
    """Tell the token's server that it is over (RFC 7009), in the body of a POST; why it was not done, "" if it was."""
    from urllib.parse import urlencode

    form, headers = {"token": secret}, {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        endpoints.made_by_emulator(secret, "refresh token", "the login", look.env)
        url = endpoints.REVOKE
        if info.get("type") == logins.KINDS[1]:
            from binascii import b2a_base64

            url, where = str(info.get("revoke_url")), "the login"
            named = str(info.get("universe_domain") or endpoints.UNIVERSE)
            endpoints.check_field("revoke_url", url, where, look.env, universe=named)
            if named not in (endpoints.UNIVERSE, universe.of_environment(look.env)):
                return f"it is of the universe {named}, which {universe.VARIABLE} does not name"
            form["token_type_hint"] = "refresh_token"
            client = f"{info.get('client_id')}:{info.get('client_secret')}".encode()
            headers["Authorization"] = f"Basic {b2a_base64(client, newline=False).decode()}"
        Transport(look.env, total=_PATIENCE, tries=3).send("POST", url, body=urlencode(form).encode(), headers=headers)
    except Refused as refused:
        told = said.of(refused)
        return "" if told.code in ("invalid_token", "invalid_grant") else f"{told.host} refused: {told.words}"
    except Error as error:
        return f"{error.message}: {error.why}" if error.why else error.message
    return ""


def not_revoked(gone: list[Gone]) -> Unreachable:
    """The error for logins that are forgotten here and may live on at Google."""
    return Unreachable(
        f"signed out on this machine only: {', '.join(each.account for each in gone)}",
        why="; ".join(dict.fromkeys(f"the login could not be revoked: {each.unrevoked}" for each in gone)),
        fix=f"it is not needed here any more, but it has not ended at Google: {_BY_HAND}",
    )
