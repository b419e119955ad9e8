"""Whose session it is: an account that gcloud knows, or the machine's own; and what to say where there is none."""

from gbearer import claims, endpoints
from gbearer.errors import BadCredentials, CredentialsNotFound, Error
from gbearer.sources import detect, file, metadata, wellknown
from gbearer.sources.gcloud import configuration, installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources.detect import Notes
    from gbearer.sources.gcloud.configuration import Configuration
    from gbearer.sources.gcloud.store import Stored
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

_WORDS = {"metadata": "account of this machine", "token": "ready-made access token", "gcloud": "account"}
_SHOWN = 10
"""Accounts that a message names."""
_METADATA = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")


def entry(account: str, kept: "Stored", active: "Configuration") -> tuple[str | None, str]:
    """(what gcloud keeps for `account`, under which key) in the universe of the configuration; (None, "") for nothing.

    BadCredentials when it is there, but in another universe.
    """
    wanted = active.get("core", "universe_domain") or endpoints.UNIVERSE
    known = {key: key.partition("#")[2] or endpoints.UNIVERSE for key in kept.accounts}
    universes = {known[key]: key for key in kept.accounts if key.partition("#")[0] == account}
    if universes and wanted not in universes:
        raise BadCredentials(
            f"gcloud knows {account} in {' and '.join(universes)}, not in {wanted}",
            why=f"core/universe_domain is {wanted}" + ("" if active.get("core", "universe_domain") else " (not set)"),
            fix=f"gcloud config set core/universe_domain {next(iter(universes))}",
        )
    key = universes.get(wanted, "")
    return kept.accounts.get(key), key


def of_machine(
    account: str, active: "Configuration", look: "Look", transport: "Transport", notes: "Notes | None"
) -> "Source | None":
    """The account of the machine itself, which gcloud takes where none is selected (`account` is empty) or it is named.

    None where this is no machine of Google Cloud's, or its account is another. An emulator's metadata server counts
    only where gcloud would ask it as well, by a variable that both know.
    """
    if not active.true("core", "check_gce_metadata", otherwise=True):
        return None
    if endpoints.emulator(look.env) is not None and not any(look.env.get(name) for name in _METADATA):
        return None
    if not detect.detect(look, transport, notes)[0]:
        return None
    if account and _email(transport) != account:
        return None
    look.remember = False  # neither files nor variables say whose machine this is
    origin = endpoints.metadata(look.env).origin
    source = metadata.source_at(origin, detect.machine(look, origin))
    source.principal = account
    return source


def _email(transport: "Transport") -> str:
    url = f"http://{endpoints.METADATA_HOST}/computeMetadata/v1/instance/service-accounts/default/email"
    try:
        data = transport.send("GET", url, headers={"Metadata-Flavor": "Google"}).data
    except Error:
        return ""
    return claims.principal(data.decode("ascii", "replace").strip())


def describe(source: "Source", active: "Configuration", ask: "Ask") -> str:
    """What was found, in words for the chain: whose credential it is, who selects the account, and the file."""
    words = _WORDS.get(source.kind) or file.describe(source)
    if source.kind in _WORDS:
        words += f" of {source.principal}" if source.principal else ""
        words += f", acting as {source.impersonate[-1]}" if source.impersonate else ""
    who = "--account" if ask.account else active.said("core", "account")
    selected = f", selected by {who}" if ask.account or active.get("core", "account") else ""
    return f"{words}{selected}, in {source.where}"


def known(kept: "Stored", account: str = "") -> str:
    """The accounts that gcloud knows, as the end of a sentence, and the one nearest to `account`; "" for none."""
    near, names = _nearest(account, kept), _names(kept)
    told = f"; it has them for {', '.join(names[:_SHOWN])}" if names else ""
    told += f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{told}; is {near} meant?" if near else told


def nobody(kept: "Stored", active: "Configuration", look: "Look") -> Error:
    """The error for a session in which no account is selected."""
    folder = wellknown.folder(look)
    if not kept.there and not active.chosen and not installed.program(look):
        return CredentialsNotFound(
            "gcloud has no session here",
            why=f"gcloud is not installed (it is not on PATH), and nobody has signed in: no {kept.path}",
            fix=f"install it ({installed.INSTALL}) and run `gcloud auth login`, or use another --source",
        )
    names, others = _names(kept), [name for name in configuration.names(folder) if name != active.name]
    why = f"{active.said('core', 'account')} selects none" + known(kept)
    why += f"; other configurations are {', '.join(others)}" if others else ""
    take = f"`gcloud config set account {names[0]}`, or --account {names[0]}" if names else "run `gcloud auth login`"
    return CredentialsNotFound("no account is selected in gcloud", why=why, fix=take)


def unknown(account: str, kept: "Stored", active: "Configuration", ask: "Ask", look: "Look") -> Error:
    """The error for an account that gcloud has no credentials for; names the nearest that it has."""
    near = _nearest(account, kept)
    said = "--account" if ask.account else active.said("core", "account")
    missing = f"{kept.path} has none" if kept.there else f"there is no {kept.path}"
    if not kept.there and not installed.program(look):
        missing += ", and gcloud is not installed (it is not on PATH)"
    sign_in = f"sign in: `gcloud auth login {account}`"
    if account.endswith(".gserviceaccount.com"):
        sign_in = f"`gcloud auth activate-service-account {account} --key-file=KEY`"
    choose = f"--account {near}" if ask.account else f"`gcloud config set account {near}`"
    return CredentialsNotFound(
        f"gcloud has no credentials for {account}",
        why=f"{said} names it; {missing}{known(kept)}",
        fix=f"if {near} is meant: {choose}; else {sign_in}" if near else sign_in,
    )


def elsewhere(account: str, where: str) -> Error:
    """The error for the account of a machine on a machine that it is not of."""
    return BadCredentials(
        f"{account} is the account of another machine",
        why=f"{where} says that its metadata server gives the tokens, and this machine has none or another account",
        fix="select another account: `gcloud auth list`, then `gcloud config set account ACCOUNT`",
    )


def _names(kept: "Stored") -> list[str]:
    """The accounts, those that nobody could name left out."""
    return list(dict.fromkeys(key.partition("#")[0] for key in kept.accounts if key.isprintable()))


def _nearest(account: str, kept: "Stored") -> str:
    from difflib import get_close_matches

    near = get_close_matches(account, _names(kept), 1)
    return near[0] if near else ""
