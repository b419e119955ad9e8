"""A file that acts as a service account (`"type": "impersonated_service_account"`) on top of another credential."""

import re

from gbearer import endpoints
from gbearer.errors import BadCredentials
from gbearer.model import CLOUD_PLATFORM
from gbearer.sources import fields, key, universe, user, workforce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source

_ACCOUNT = r"[A-Za-z0-9._-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|[0-9]{5,30}"
_PATH = re.compile(rf"/v1/projects/-/serviceAccounts/({_ACCOUNT}):generateAccessToken")
_LINK = re.compile(rf"(?:projects/-/serviceAccounts/)?({_ACCOUNT})")
_BENEATH = {"service_account": key.load, "authorized_user": user.load, workforce.KIND: workforce.load}


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> "Source":
    """The credential beneath, with the chain that the file asks for; BadCredentials naming everything that is wrong.

    As with google-auth, the address counts only for whom it names: the request goes to IAM Credentials itself.
    """
    fields.check(
        info,
        where,
        "impersonation file",
        ("service_account_impersonation_url",),
        ("quota_project_id", "universe_domain"),
    )
    beneath = info.get("source_credentials")
    inner = _universe(info, beneath, where)
    named = universe.of_file(inner, where, ask, look)
    target_account = target(fields.text(info, "service_account_impersonation_url"), where, ask, look, named)
    delegates = _delegates(info.get("delegates"), where)
    if not isinstance(beneath, dict):
        raise _broken(where, "source_credentials is missing" if beneath is None else "source_credentials is no object")
    kind = beneath.get("type")
    loader = _BENEATH.get(kind) if isinstance(kind, str) else None
    if loader is None:
        shown = f"{kind[:60]!r}" if isinstance(kind, str) else "missing"
        raise _broken(where, f"the type of source_credentials is {shown}, not one of {', '.join(_BENEATH)}")
    source = loader({**beneath, **inner}, f"source_credentials of {where}", ask, look)
    source.impersonate = (*delegates, target_account)
    source.scopes = fields.scopes(info, where) or (CLOUD_PLATFORM,)
    source.quota_project = fields.text(info, "quota_project_id") or None
    source.project = None  # google-auth's rule: the project beneath is not the target's
    return source


def target(text: str, where: str, ask: "Ask", look: "Look", universe: str = endpoints.UNIVERSE) -> str:
    """The service account in the `service_account_impersonation_url` of the file at `where`, after its host's check."""
    field, trust = "service_account_impersonation_url", ask.trust_config
    url = endpoints.check_field(field, text, where, look.env, universe=universe, trust=trust)
    found = _PATH.fullmatch(url.target)
    if not found:
        raise _broken(where, f"service_account_impersonation_url names no service account: {url.target[:120]!r}")
    return found[1]


def _universe(info: "fields.Info", beneath: object, where: str) -> dict[str, str]:
    """The one universe that the file and the credential in it are of, as a field; {} where neither names one."""
    inside = beneath if isinstance(beneath, dict) else {}
    said = [named for each in (info, inside) if (named := fields.text(each, "universe_domain"))]
    if len(set(said)) > 1:
        raise _broken(where, f"universe_domain is {said[0]}, and that of source_credentials is {said[1][:80]}")
    return {"universe_domain": said[0]} if said else {}


def _delegates(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    links = (
        [_LINK.fullmatch(item) if isinstance(item, str) else None for item in value]
        if isinstance(value, list)
        else None
    )
    if links is None or None in links:
        raise _broken(where, "delegates is not a list of service accounts")
    return tuple(link[1] for link in links if link)


def _broken(where: str, why: str) -> BadCredentials:
    return BadCredentials(
        f"{where} is no usable impersonation file",
        why=why,
        fix="make it anew: `gcloud auth application-default login --impersonate-service-account=SERVICE_ACCOUNT`",
    )
