"""Keeping a new login: in its file, the keyring if wished, and gcloud's default credentials if wished."""

import os
import time

from gbearer import log
from gbearer.errors import BadCredentials
from gbearer.login import adc, forget
from gbearer.login.wish import Signed
from gbearer.sources import keychain, logins
from gbearer.sources.login import entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.login.client import Client
    from gbearer.login.flow import Granted
    from gbearer.login.service import Service
    from gbearer.login.wish import Wish
    from gbearer.sources import Look
    from gbearer.sources.logins import Info


def keep(wish: "Wish", granted: "Granted", app: "Client", place: "Service", look: "Look", folder: str) -> Signed:
    """Keep what was granted as the active login, and as gcloud's credentials if wished; BadCredentials where it fails.

    A former login of the same account is forgotten with its cached tokens, and not revoked: Google would revoke
    all that this person allowed this client, the new login too.
    """
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
            fix=f"make room there, and run `{wish.command(account)}`",
        ) from None
    if not (into and not wish.adc and not signed.keyring):  # a keyring that has just failed is not asked again
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


def _document(wish: "Wish", granted: "Granted", account: str, app: "Client", place: "Service") -> "Info":
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
