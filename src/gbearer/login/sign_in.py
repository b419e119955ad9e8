"""Signing a person in, from the options to a login that the next call uses."""

from gbearer import endpoints, log
from gbearer.errors import BadCredentials, Denied, Error, UsageError
from gbearer.login import adc, client, flow, keep, pages, service, wait
from gbearer.login.listen import Listener
from gbearer.sources import logins
from gbearer.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from gbearer.login.client import Client
    from gbearer.login.flow import Granted
    from gbearer.login.service import Service
    from gbearer.login.wish import Signed, Wish
    from gbearer.sources import Look
    from gbearer.sources.logins import Info


def sign_in(wish: "Wish", look: "Look", person: "wait.Person") -> "Signed":
    """Let `person` sign in as `wish` says, and make that the active login.

    Everything that can be found wrong without the person is, before the browser opens. Raises UsageError,
    BadCredentials, Denied, LoginRequired or Unreachable; nothing is kept then.
    """
    folder = logins.folder(look)
    former = _former(wish.account, look, folder)
    place = _place(wish, former, look, folder)
    app = _client(wish, former, place, look, folder)
    scopes = _scopes(wish, former, place)
    if wish.adc:
        if wish.keyring:
            raise UsageError(
                "--keyring keeps the refresh token out of files, and --adc writes it into one", fix="drop one of them"
            )
        adc.check(look)
    logins.prepare(folder)
    emulated = endpoints.emulator(look.env) is not None
    with Listener(wish.port, emulator=emulated) as listener:
        begun, url, state = flow.begin(app, place, scopes, listener.url)
        url = service.page(url, look)
        try:
            arrived = wait.answer(listener, url, state, person, use_browser=wish.browser, seconds=wish.timeout)
            granted = flow.redeem(begun, arrived, app, place, scopes, Transport(look.env))
            _check_account(wish, granted, place)
            signed = keep.keep(wish, granted, app, place, look, folder)
        except Error as error:
            error.fix = wish.complete(error.fix)
            listener.finish(pages.failure(error, emulated))
            raise
        listener.finish(pages.success(granted.account, granted.scopes, emulated))
    return signed


def _former(account: str | None, look: "Look", folder: str) -> "Info":
    """The login that is there, of the account that is named or the active one; {} where there is none that is whole."""
    name = account or logins.chosen(look, folder)
    try:
        return (logins.read(logins.path(folder, name)) if name else None) or {}
    except BadCredentials as error:
        log.warn(f"{error.message}: {error.why}; it is replaced")
        return {}


def _place(wish: "Wish", former: "Info", look: "Look", folder: str) -> "Service":
    if wish.login_config is not None:
        return service.read(wish.login_config, look)
    if wish.client_file is None and not former and "/workforcePools/" in (wish.account or ""):
        pool = _pool(wish.account)  # somebody new of a pool that others have signed in to
        former = next((info for info in _others(look, folder) if _pool(info.get("audience")) == pool), former)
    noted = logins.mark(former).get("login_config")
    if isinstance(noted, dict) and wish.client_file is None:
        return service.workforce(noted, f"the login of {former.get('account')}", look)
    return service.google(wish.account)


def _pool(text: object) -> str:
    """The name of the workforce pool in an audience or in a principal, which differ around it."""
    return str(text).partition("/workforcePools/")[2].partition("/")[0]


def _client(wish: "Wish", former: "Info", place: "Service", look: "Look", folder: str) -> "Client":
    """The client that is named, else that of the former login, of the active one, of the latest one that has any.

    Google and a workforce pool do not share clients.
    """
    if wish.client_file is not None:
        return client.read(wish.client_file, look)
    for info in (former, *_others(look, folder)):
        ids = info.get("client_id"), info.get("client_secret")
        alike = bool(place.config) == isinstance(logins.mark(info).get("login_config"), dict)
        if alike and isinstance(ids[0], str) and isinstance(ids[1], str):
            made = client.Client(ids[0], ids[1], f"the login of {info.get('account')}")
            client.check(made, look)
            return made
    raise client.none(wish.login_config)


def _others(look: "Look", folder: str) -> "Iterator[Info]":
    """Every login that is whole: the active one, then the latest sign-in first; read when they are needed."""
    active = logins.chosen(look, folder)
    whole = [info for _, info in logins.all_in(folder) if info is not None]
    yield from sorted(whole, key=lambda info: info.get("account") != active)


def _scopes(wish: "Wish", former: "Info", place: "Service") -> tuple[str, ...]:
    """Those that are asked for, else what this very account's login had, else the usual ones."""
    kept = logins.mark(former).get("scopes")
    if wish.scopes:
        chosen = wish.scopes
    elif wish.account and isinstance(kept, list) and kept:
        chosen = tuple(str(scope) for scope in kept)
    else:
        chosen = place.scopes
    return chosen if place.config else tuple(dict.fromkeys((*service.IDENTITY, *chosen)))


def _check_account(wish: "Wish", granted: "Granted", place: "Service") -> None:
    wanted = wish.account
    if wanted is not None and logins.spelt(wanted) != logins.spelt(granted.account):
        raise Denied(
            f"{granted.account} has signed in, not {wanted}",
            why=f"--account names {wanted}, and another account was chosen on {place.name}'s page; nothing was kept",
            fix=f"run `{wish.command()}` and choose {wanted}, or `{wish.command(granted.account)}`",
        )
