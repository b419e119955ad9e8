"""A token held down to a credential access boundary: the base token exchanged at Google's STS (RFC 8693)."""

from gbearer import boundary
from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Unreachable, UsageError
from gbearer.exchange import refresh
from gbearer.exchange.said import Said
from gbearer.model import CLOUD_PLATFORM, Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source


class _Held:
    """A token in hand, in the shape in which google-auth's downscoped credential wants its source."""

    __slots__ = ("expiry", "token")

    def __init__(self, token: str) -> None:
        self.token = token
        self.expiry = None

    def refresh(self, request: object) -> None:
        """It is fresh: the broker has seen to that."""


def access(ask: "Ask", source: "Source", base: Token, watch: "Watch", clock: "Callable[[], float]") -> Token:
    """`base` held down to `ask.boundary`: its principal and scopes, and an end that is never after its own.

    Google states the end for service accounts only; for any other the base token's counts. Raises UsageError where
    `ask` is for another kind of token, or its boundary is none.
    """
    if ask.kind != "access":
        raise UsageError(
            "only an access token can be held down to a boundary",
            why="ID tokens and self-signed JWTs carry no permissions",
            fix="drop --audience and --type, or drop --boundary",
        )
    credential = _credential(ask.boundary or "", source.universe, base)
    refresh.refresh(credential, watch)
    value = refresh.checked(credential.token, watch)
    said = refresh.lent(credential.expiry, watch, clock, by_server=False)
    ends = min((end for end in (said, base.expires_at) if end), default=0.0)
    words = f"{base.source}, {boundary.BOUNDED}"
    return Token(value, "access", ends, base.principal, words, issued_at=clock(), scopes=base.scopes)


def _credential(text: str, universe: str, base: Token) -> "Any":
    import json

    from google.auth import downscoped

    rules = json.loads(boundary.canonical(text, "the boundary"))["accessBoundary"]["accessBoundaryRules"]
    made = []
    for rule in rules:
        told = rule.get("availabilityCondition")
        condition = told and downscoped.AvailabilityCondition(
            told["expression"], told.get("title"), told.get("description")
        )
        made.append(
            downscoped.AccessBoundaryRule(rule["availableResource"], rule["availablePermissions"], condition or None)
        )
    return downscoped.Credentials(
        _Held(base.value), downscoped.CredentialAccessBoundary(made), universe_domain=universe
    )


def refuses_base(said: Said) -> bool:
    """Whether STS turned the base token itself away, so that a new one may help."""
    text = said.text.lower()
    about_token = "subject" in text or "access token" in text
    return said.status == 401 or said.code == "invalid_grant" or (said.code == "invalid_request" and about_token)


def explain(said: Said, ask: "Ask", source: "Source", base: Token | None) -> Error:
    """What a refusal of STS means for a boundary around `base`."""
    text = said.text.lower()
    if said.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT" or said.code == "invalid_scope" or "scope" in text:
        return _scope(said, ask, source, base)
    if refuses_base(said):
        return BadCredentials(
            f"{said.host} does not accept the token of {base.source if base is not None else source.where}",
            why=said.words,
            fix="add --refresh; if that does not help, get the credential anew",
        )
    if said.code in ("invalid_request", "INVALID_ARGUMENT"):
        return UsageError(
            "Google does not accept this boundary",
            why=said.words,
            fix="check the buckets, roles and conditions of --boundary; names of roles are listed by "
            "`gcloud iam roles list --filter=storage`",
        )
    if said.status == 403 or said.code in ("unauthorized_client", "access_denied"):
        return Denied(
            "Google refuses to hold this token down to a boundary",
            why=said.words,
            fix="ask the administrator; without --boundary the same token is given whole",
        )
    return Unreachable(f"{said.host} refused in a way that is not understood", why=said.words, fix="try again with -vv")


def _scope(said: Said, ask: "Ask", source: "Source", base: Token | None) -> Error:
    """The base token lacks cloud-platform, which the exchange asks for whatever the boundary is."""
    message = "this token cannot be held down to a boundary"
    has = " ".join(base.scopes) if base is not None else ""
    why = "the exchange needs the scope cloud-platform, and the token" + (f" has {has}" if has else " lacks it")
    why = f"{why}; {said.words}"
    if ask.scopes and CLOUD_PLATFORM not in ask.scopes:
        return UsageError(message, why=why, fix="drop --scope: the boundary says what may be done")
    if source.kind == "metadata" and not ask.impersonate:
        fix = "gcloud compute instances set-service-account INSTANCE --scopes=cloud-platform (the instance stopped)"
        return Denied(message, why=why, fix=fix)
    if source.kind in ("authorized_user", "external_account_authorized_user") and not ask.impersonate:
        login = source.sign_in or "gcloud auth application-default login"
        option = "scope" if login.startswith("gbearer ") else "scopes"
        return LoginRequired(message, why=why, fix=f"sign in with it: `{login} --{option}={CLOUD_PLATFORM}`")
    return Denied(message, why=why, fix="use a credential with the scope cloud-platform")
