"""The JWT bearer grant (RFC 7523): a service account's signed assertion becomes an access or an ID token."""

from typing import Any

from gbearer.emulator import jose, scopes
from gbearer.emulator.answers import oauth_refusal
from gbearer.emulator.issued import HOUR, account_id_token
from gbearer.emulator.log import Entry
from gbearer.emulator.state import State
from gbearer.emulator.universe import GOOGLE
from gbearer.emulator.world import ServiceAccount

AUDIENCES = frozenset(
    {
        "https://oauth2.googleapis.com/token",
        "https://oauth2.mtls.googleapis.com/token",
        "https://www.googleapis.com/oauth2/v4/token",
        "https://accounts.google.com/o/oauth2/token",
    }
)
_LEEWAY = 300  # seconds the caller's clock may be off
_TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
_NO_SCOPE = "Invalid OAuth scope or ID token audience provided."
_UNAUTHORIZED = (
    "Client is unauthorized to retrieve access tokens using this method, "
    "or client not authorized for any of the scopes requested."
)


def exchange(state: State, entry: Entry, token: str, own_audiences: set[str]) -> dict[str, Any]:
    """The answer to the assertion `token`; raises Refusal. `own_audiences` are the emulator's own token URLs."""
    account, claims = _verify(state, entry, token, own_audiences)
    scope, audience = str(claims.get("scope") or ""), claims.get("target_audience")
    if bool(scope.strip()) == bool(audience):
        raise oauth_refusal("invalid_scope", _NO_SCOPE)
    subject = str(claims.get("sub") or claims.get("prn") or account.email)
    if audience:
        entry.details["audience"] = audience
        return _id_token(state, account, audience, subject)
    entry.details["scope"] = scope
    wanted = tuple(scope.split())
    if not all(scopes.well_formed(one) for one in wanted):
        raise oauth_refusal("invalid_scope", _NO_SCOPE)
    if subject in (account.email, account.unique_id):
        value, _ = state.issued.for_account(account.email, wanted)
    else:
        entry.details["subject"] = subject
        value = _delegated(state, account, subject, wanted)
        entry.principal = subject
    return {"access_token": value, "expires_in": HOUR - 1, "token_type": "Bearer"}


def _verify(state: State, entry: Entry, token: str, own: set[str]) -> tuple[ServiceAccount, dict[str, Any]]:
    seen = jose.peek(token)
    if seen is None:
        raise oauth_refusal("invalid_grant", "Bad Request")
    claims = seen.claims
    account = state.world.account(str(claims.get("iss", "")))
    if account is None or account.universe != GOOGLE:  # other universes have no OAuth
        raise oauth_refusal("invalid_grant", "Invalid grant: account not found")
    entry.principal = account.email
    if jose.signed_by(token, account.keys) is None:
        raise oauth_refusal("invalid_grant", "Invalid JWT Signature.")
    issued_at, expires_at, now = claims.get("iat"), claims.get("exp"), state.world.clock.now()
    if not isinstance(issued_at, (int, float)) or not isinstance(expires_at, (int, float)):
        raise oauth_refusal("invalid_grant", _TIMEFRAME)
    if not 0 < expires_at - issued_at <= HOUR or issued_at > now + _LEEWAY or expires_at < now - _LEEWAY:
        raise oauth_refusal("invalid_grant", _TIMEFRAME)
    audience = claims.get("aud")
    if not (set(audience if isinstance(audience, list) else [audience]) & (AUDIENCES | own)):
        text = "Invalid JWT: Failed audience check. The right audience is https://oauth2.googleapis.com/token"
        raise oauth_refusal("invalid_grant", text)
    return account, claims


def _id_token(state: State, account: ServiceAccount, audience: object, subject: str) -> dict[str, Any]:
    if not isinstance(audience, str) or not audience.isprintable() or " " in audience:
        raise oauth_refusal("invalid_scope", _NO_SCOPE)
    if subject not in (account.email, account.unique_id):
        raise oauth_refusal("unauthorized_client", _UNAUTHORIZED, status=401)
    extra = {"azp": account.email, "email": account.email, "email_verified": True}
    return {"id_token": account_id_token(state.world, account.email, audience, extra)}


def _delegated(state: State, account: ServiceAccount, subject: str, wanted: tuple[str, ...]) -> str:
    """Domain-wide delegation: the account acts for a user whose administrator allows these very scopes."""
    user = state.world.users.get(subject)
    if account.delegated_scopes and user is None:
        raise oauth_refusal("invalid_grant", "Invalid email or User ID")
    allowed = {scopes.canonical(one) for one in wanted} <= account.delegated_scopes
    if user is None or not user.managed or not allowed:
        raise oauth_refusal("unauthorized_client", _UNAUTHORIZED, status=401)
    return state.issued.for_user(user.email, wanted, account.unique_id)[0]
