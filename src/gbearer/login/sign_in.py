"""Signing a person in, from the options to a login that the next call uses."""

import os
import time

from gbearer import endpoints, log
from gbearer.errors import BadCredentials, Denied, Error, UsageError
from gbearer.login import adc, client, flow, forget, pages, service, wait
from gbearer.login.listen import Listener
from gbearer.sources import Look, keychain, logins
from gbearer.sources.login import entry
from gbearer.transport import Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.login.client import Client
    from gbearer.login.flow import Granted
    from gbearer.login.service import Service
    from gbearer.sources.logins import Info

TIMEOUT = 300
"""Seconds that a person has to sign in."""


class Wish:
    """What is wanted of a sign-in.

    client_file, login_config   paths; without them those of the login that there is are taken
    account     who shall sign in; None for anybody
    scopes      whole names; () for what the login had, or the usual ones
    port        of the loopback address, 0 for a free one
    browser     whether to open one
    timeout     seconds
    adc         whether gcloud's application default credentials are written as well
    keyring     whether the refresh token goes into the system's keyring; None for as it was, at first a file
    """

    __slots__ = (
        "account", "adc", "browser", "client_file", "keyring", "login_config", "port", "quota_project", "scopes",
        "timeout",
    )  # fmt: skip

    def __init__(
        self,
        *,
        client_file: str | None = None,
        login_config: str | None = None,
        account: str | None = None,
        scopes: tuple[str, ...] = (),
        port: int = 0,
        browser: bool = True,
        timeout: float = TIMEOUT,
        adc: bool = False,
        keyring: bool | None = None,
        quota_project: str | None = None,
    ) -> None:
        self.client_file = client_file
        self.login_config = login_config
        self.account = account
        self.scopes = scopes
        self.port = port
        self.browser = browser
        self.timeout = timeout
        self.adc = adc
        self.keyring = keyring
        self.quota_project = quota_project


class Signed:
    """A login that was made: whose, its scopes, its file, the keyring's name if that has it, the ADC file if any."""

    __slots__ = ("account", "adc", "file", "keyring", "scopes")

    def __init__(self, account: str, scopes: tuple[str, ...], file: str, keyring: str, adc: str) -> None:
        self.account = account
        self.scopes = scopes
        self.file = file
        self.keyring = keyring
        self.adc = adc


def sign_in(wish: Wish, look: Look, person: "wait.Person") -> Signed:
    """Let `person` sign in as `wish` says, and make that the active login.

    Everything that can be found wrong without the person is, before the browser opens. Raises UsageError,
    BadCredentials, Denied, LoginRequired or Unreachable; nothing is kept then.
    """
    folder = logins.folder(look)
    former = _former(wish.account, look, folder)
    place = _place(wish, former, look)
    app = _client(wish, former, place, look)
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
        arrived = wait.answer(listener, url, state, person, use_browser=wish.browser, seconds=wish.timeout)
        try:
            granted = flow.redeem(begun, arrived, app, place, scopes, Transport(look.env))
            _check_account(wish.account, granted, place)
            signed = _keep(wish, granted, app, place, look, folder)
        except Error as error:
            listener.finish(pages.failure(error, emulated))
            raise
        listener.finish(pages.success(granted.account, granted.scopes, emulated))
    return signed


def _former(account: str | None, look: Look, folder: str) -> "Info":
    """The login that is there, of the account that is named or the active one; {} where there is none that is whole."""
    name = account or logins.chosen(look, folder)
    try:
        return (logins.read(logins.path(folder, name)) if name else None) or {}
    except BadCredentials as error:
        log.warn(f"{error.message}: {error.why}; it is replaced")
        return {}


def _place(wish: Wish, former: "Info", look: Look) -> "Service":
    if wish.login_config is not None:
        return service.read(wish.login_config, look)
    noted = logins.mark(former).get("login_config")
    if isinstance(noted, dict) and wish.client_file is None:
        return service.workforce(noted, f"the login of {former.get('account')}", look)
    return service.google(wish.account)


def _client(wish: Wish, former: "Info", place: "Service", look: Look) -> "Client":
    """The client that is named, else that of the former login: Google and a workforce pool do not share clients."""
    if wish.client_file is not None:
        return client.read(wish.client_file, look)
    alike = bool(place.config) == isinstance(logins.mark(former).get("login_config"), dict)
    ids = (former.get("client_id"), former.get("client_secret")) if alike else (None, None)
    if not (isinstance(ids[0], str) and isinstance(ids[1], str)):
        raise client.none(wish.login_config)
    made = client.Client(ids[0], ids[1], f"the login of {former.get('account')}")
    client.check(made, look)
    return made


def _scopes(wish: Wish, former: "Info", place: "Service") -> tuple[str, ...]:
    """Those that are asked for, else what this very account's login had, else the usual ones."""
    kept = logins.mark(former).get("scopes")
    if wish.scopes:
        chosen = wish.scopes
    elif wish.account and isinstance(kept, list) and kept:
        chosen = tuple(str(scope) for scope in kept)
    else:
        chosen = place.scopes
    return chosen if place.config else tuple(dict.fromkeys((*service.IDENTITY, *chosen)))


def _check_account(wanted: str | None, granted: "Granted", place: "Service") -> None:
    if wanted is not None and logins.spelt(wanted) != logins.spelt(granted.account):
        raise Denied(
            f"{granted.account} has signed in, not {wanted}",
            why=f"--account names {wanted}, and another account was chosen on {place.name}'s page; nothing was kept",
            fix=f"run it again and choose {wanted}, or name {granted.account} with --account",
        )


def _keep(wish: Wish, granted: "Granted", app: "Client", place: "Service", look: Look, folder: str) -> Signed:
    account = logins.spelt(granted.account)
    file = logins.path(folder, account)
    info = _document(wish, granted, account, app, place)
    signed = Signed(account, granted.scopes, file, "", "")
    try:
        with logins.alone(folder):
            before = _whole(file)
            into = logins.mark(before).get("keyring") is True if wish.keyring is None else wish.keyring
            if into and not wish.adc:
                signed.keyring = _into_keyring(account, info)
            logins.keep(file, info)
            logins.activate(folder, account)
    except OSError as error:
        raise BadCredentials(
            f"the login cannot be kept in {file}",
            why=(error.strerror or str(error)).lower(),
            fix="make room there, and run it again",
        ) from None
    forget.secret(account, before)
    forget.tokens(file, look.env)
    if wish.adc:
        signed.adc = adc.write(info, look)
    return signed


def _whole(file: str) -> "Info":
    try:
        return logins.read(file) or {}
    except BadCredentials:
        return {}


def _document(wish: Wish, granted: "Granted", account: str, app: "Client", place: "Service") -> "Info":
    """The login as a credential file that Google's libraries read as well, and what we note beside it."""
    now = time.time()
    noted: Info = {
        "id": os.urandom(16).hex(),
        "keyring": False,
        "made": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now % 1 * 1000):03d}Z",
        "scopes": list(granted.scopes),
    }
    info: Info = {"type": logins.KINDS[0], "account": account, "client_id": app.id, "client_secret": app.secret}
    if place.config:
        info["type"] = logins.KINDS[1]
        info |= {
            name: place.config[name]
            for name in ("audience", "token_url", "token_info_url", "revoke_url", "universe_domain")
        }
        noted["login_config"] = place.config
    info["refresh_token"] = granted.refresh_token
    if wish.quota_project:
        info["quota_project_id"] = wish.quota_project
    info["gbearer"] = noted
    return info


def _into_keyring(account: str, info: "Info") -> str:
    """Move the refresh token of `info` into the keyring; the keyring's name, "" where it stays in the file."""
    noted = logins.mark(info)
    try:
        keychain.write(entry(account, str(noted["id"])), str(info["refresh_token"]))
        name = keychain.name()
    except keychain.Unusable as error:
        log.warn(f"the login is kept in a file (0600), for the keyring cannot be used: {error}")
        return ""
    del info["refresh_token"]
    noted["keyring"] = True
    return name
