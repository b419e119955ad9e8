"""How Google's API front end reads a bearer credential: access tokens and self-signed JWTs, and its refusals."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gbearer.emulator import jose, scopes, universe
from gbearer.emulator.answers import api_refusal, credentials_invalid, credentials_missing, scope_insufficient
from gbearer.emulator.issued import ISSUER
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import DENIED_QUOTA_PROJECT, account_member

_BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*) *\Z", re.IGNORECASE)  # RFC 6750 §2.1
_LEEWAY = 300  # seconds
_HOUR = 3600
_BEYOND = "Permission denied on resource (or it may not exist): the credential's access boundary does not allow it."


@dataclass(frozen=True)
class Caller:
    """Who called; `scopes` is None for an audience-form JWT, which is not limited by scopes.

    A federated caller has a principal for an e-mail address; `members` is what IAM policies may call the caller.
    `boundary` is the access boundary (JSON) that limits the token, which none but Cloud Storage knows how to apply.
    """

    email: str
    unique_id: str
    scopes: tuple[str, ...] | None
    members: frozenset[str]
    federated: bool = False
    boundary: str = ""
    universe: str = universe.GOOGLE


def bearer(headers: Mapping[str, str], name: str = "Authorization") -> str | None:
    """The token in a header: None when the header is absent, empty when it is no well-formed bearer."""
    value = headers.get(name)
    if value is None:
        return None
    found = _BEARER.match(value.strip())
    return found[1] if found else ""


def authenticate(state: State, call: Call, wanted: tuple[str, ...] = ()) -> Caller:
    """The caller of an API method; raises Refusal. `wanted` are scopes of which one is needed, if any are given.

    A token with an access boundary is refused: a boundary allows nothing but what it names in Cloud Storage.
    """
    caller = identify(state, call, wanted)
    if caller.boundary:
        reason, service = "IAM_PERMISSION_DENIED", {"service": call.service}
        raise api_refusal(
            403, _BEYOND, "PERMISSION_DENIED", reason=reason, domain="iam.googleapis.com", metadata=service
        )
    return caller


def identify(state: State, call: Call, wanted: tuple[str, ...] = ()) -> Caller:
    """The same, whatever the boundary of the token: for an API that looks at `boundary` itself."""
    method = f"{call.request.method} {call.raw_path}"
    token = bearer(call.request.headers)
    if token is None:
        raise credentials_missing(call.service, method)
    caller = _jwt_caller(state, call, token, method) if token.startswith("eyJ") else None
    if caller is None:
        found = state.issued.find(token)
        if found.state == "expired":
            raise credentials_invalid(call.service, method, "ACCESS_TOKEN_EXPIRED")
        if found.access is None:
            raise credentials_invalid(call.service, method)
        access = found.access
        caller = Caller(
            access.email,
            access.unique_id,
            access.scopes,
            access.members,
            access.federated,
            access.boundary,
            access.universe,
        )
    call.entry.principal = caller.email
    if not universe.fits(caller.universe, call.host):
        raise credentials_invalid(call.service, method)
    if wanted and caller.scopes is not None and not any(scopes.covers(caller.scopes, one) for one in wanted):
        raise scope_insufficient(call.service, method, " ".join(wanted))
    _check_quota_project(call, call.request.headers.get("x-goog-user-project"))
    return caller


def _jwt_caller(state: State, call: Call, token: str, method: str) -> Caller | None:
    """The service account that signed `token` for itself (AIP-4111); None if it is no JWT at all."""
    seen = jose.peek(token)
    if seen is None:
        return None
    claims = seen.claims
    if claims.get("iss") == ISSUER:  # an ID token: right place for Cloud Run, wrong place for an API
        raise credentials_invalid(call.service, method, "ACCESS_TOKEN_TYPE_UNSUPPORTED")
    account = state.world.account(str(claims.get("iss", "")))
    issuer_signed = account is not None and "kid" in seen.header and jose.signed_by(token, account.keys) is not None
    if account is None or not issuer_signed or claims.get("sub", account.email) != account.email:
        raise credentials_invalid(call.service, method)
    issued_at, expires_at, now = claims.get("iat"), claims.get("exp"), state.world.clock.now()
    if not isinstance(issued_at, int) or not isinstance(expires_at, int):
        raise credentials_invalid(call.service, method)
    if expires_at <= now:
        raise credentials_invalid(call.service, method, "ACCESS_TOKEN_EXPIRED")
    if issued_at > now + _LEEWAY or not 0 < expires_at - issued_at <= _HOUR:
        raise credentials_invalid(call.service, method)
    members = frozenset({account_member(account.email)})
    audience, scope = claims.get("aud") or "", str(claims.get("scope") or "")
    if bool(audience) == bool(scope):  # never both, never neither
        raise credentials_invalid(call.service, method)
    if scope:
        granted = tuple(scope.split())
        if not all(scopes.well_formed(one) for one in granted):
            raise credentials_invalid(call.service, method)
        return Caller(account.email, account.unique_id, granted, members, universe=account.universe)
    if audience not in (f"https://{call.host}/", f"{call.origin}/"):
        raise credentials_invalid(call.service, method)
    return Caller(account.email, account.unique_id, None, members, universe=account.universe)


def _check_quota_project(call: Call, project: str | None) -> None:
    if project != DENIED_QUOTA_PROJECT:
        return
    console = f"https://console.developers.google.com/iam-admin/iam/project?project={project}"
    raise api_refusal(
        403,
        f"Caller does not have required permission to use project {project}. Grant the caller the "
        "roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use "
        f"permission, by visiting {console} and then retry. Propagation of the new permission may take a few minutes.",
        "PERMISSION_DENIED",
        reason="USER_PROJECT_DENIED",
        metadata={"consumer": f"projects/{project}", "service": call.service},
    )
