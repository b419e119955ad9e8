"""From what gcloud keeps of an account to a credential: the same loaders and the same checks as for a file."""

import json
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import grammar
from gbearer.errors import BadCredentials
from gbearer.sources import file, universe, wellknown
from gbearer.sources.gcloud import accounts, helper, store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.model import Ask
    from gbearer.sources.detect import Notes
    from gbearer.sources.gcloud.configuration import Configuration
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

_KNOWN = ("authorized_user", "service_account", "external_account", "external_account_authorized_user")
_AT_TOKEN_HOST = ("authorized_user", "service_account")
_SIGN_IN = {
    "authorized_user": "gcloud auth login {} --force",  # without it gcloud may go on with a token it still has
    "external_account_authorized_user": "gcloud auth login --login-config=FILE",
}


def load(
    account: str,
    key: str,
    text: str,
    active: "Configuration",
    ask: "Ask",
    look: "Look",
    transport: "Transport",
    notes: "Notes | None",
) -> "Source":
    """The credential in `text`, which gcloud keeps under `key` for `account`.

    BadCredentials for what cannot be used; a kind that is not known here is left to gcloud itself.
    """
    folder = wellknown.folder(look)
    where = f"{folder}/{store.CREDENTIALS}"
    info = _parse(text, account, where)
    kind = info["type"]
    if kind == "gce":
        found = accounts.of_machine(account, active, look, transport, notes)
        if found is None:
            raise accounts.elsewhere(account, where)
        return found
    if kind not in _KNOWN:
        why = f"{where} holds credentials of the kind {str(kind)[:60]!r} for it"
        return helper.source(account, why, text, look)
    if kind == "authorized_user":
        rapt = store.rapt(look, folder, key)
        info = info | ({"account": account} if grammar.EMAIL.fullmatch(account) else {})
        info = info | ({"rapt_token": rapt} if rapt else {})
    data = at_host(json.dumps(info).encode(), active)
    given, look.env = look.env, _with_universe(key, look.env)
    try:
        source = file.load(data, where, ask, look)
    finally:
        look.env = given
    if kind != "external_account":  # not the proof of reauthentication, which changes without changing whose it is
        pinned = f"{key}\0{text}\0{active.get('auth', 'token_host') or ''}"
        source.fingerprint = blake2b(pinned.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()
    if not source.impersonate:  # else gcloud's account is whom the federation acts as
        source.principal = source.principal or account
    source.sign_in = _SIGN_IN.get(kind, "").format(account)
    return source


def _with_universe(key: str, env: "Mapping[str, str]") -> "Mapping[str, str]":
    """The environment, in which core/universe_domain counts as the user's word: `key` was chosen by it."""
    named = key.partition("#")[2]
    return {**env, universe.VARIABLE: named} if named and not env.get(universe.VARIABLE) else env


def at_host(data: bytes, active: "Configuration") -> bytes:
    """The credential with the token endpoint that gcloud's auth/token_host puts in place of its own, if it is set."""
    host = active.get("auth", "token_host")
    if not host:
        return data
    try:
        info = json.loads(data)
    except (ValueError, RecursionError):  # told by whoever loads it
        return data
    if not isinstance(info, dict) or info.get("type") not in _AT_TOKEN_HOST:
        return data
    return json.dumps(info | {"token_uri": host}).encode()


def _parse(text: str, account: str, where: str) -> dict[str, object]:
    try:
        info = json.loads(text)
    except (ValueError, RecursionError):
        info = None
    if isinstance(info, dict) and isinstance(info.get("type"), str):
        return info
    raise BadCredentials(
        f"what gcloud keeps for {account} cannot be used",
        why=f"in {where} it is " + ("an object without a type" if isinstance(info, dict) else "no JSON object"),
        fix=f"sign in anew: `gcloud auth login {account} --force`, or for a key `gcloud auth activate-service-account`",
    )
