"""The sessions of people of a workforce pool: `oauthtoken`, whose refresh tokens rotate, and their revocation."""

from typing import Any

from aiohttp import web

from gbearer.emulator import scopes
from gbearer.emulator.answers import NO_STORE, json_answer, oauth_refusal
from gbearer.emulator.grants import Grant, new_grant_id
from gbearer.emulator.issued import HOUR
from gbearer.emulator.oauth import Form, read_form
from gbearer.emulator.signin.redeem import redeem
from gbearer.emulator.state import Call, State
from gbearer.emulator.sts.exchange import client
from gbearer.emulator.world import REFRESH_MARK


async def oauth_token(state: State, call: Call) -> web.StreamResponse:
    """`POST /v1/oauthtoken`: a code, or a refresh token, which is replaced; the client authenticates by Basic."""
    form = await read_form(call)
    call.entry.grant_type = form.get("grant_type", "")
    if call.entry.grant_type not in ("authorization_code", "refresh_token"):
        raise oauth_refusal("unsupported_grant_type", f"Invalid grant_type: {call.entry.grant_type}")
    client_id = _client(state, call)
    by_code = call.entry.grant_type == "authorization_code"
    grant, token = _by_code(state, client_id, form) if by_code else _refreshed(state, call, client_id, form)
    call.entry.principal = grant.user
    call.entry.details["scope"] = " ".join(grant.scopes)
    value, _ = state.issued.for_federated(
        grant.user, grant.subject, frozenset(grant.members), grant.scopes, client_id, grant=grant.id
    )
    answer: dict[str, Any] = {
        "access_token": value,
        "expires_in": HOUR - 1,
        "token_type": "Bearer",
        "scope": " ".join(grant.scopes),
        "refresh_token": token,
    }
    return json_answer(answer, headers=NO_STORE)


def _by_code(state: State, client_id: str, form: Form) -> tuple[Grant, str]:
    code = redeem(state, client_id, form, workforce=True)
    if code.asked.provider is None:  # redeem has made sure of it
        raise oauth_refusal("invalid_grant", "Bad Request")
    principal, members = code.asked.provider.members(code.identity)
    subject = str(code.identity["google.subject"])
    grant = Grant(new_grant_id(), client_id, principal, code.scopes, subject=subject, members=tuple(sorted(members)))
    return grant, state.world.grants.add(grant, REFRESH_MARK)


def _refreshed(state: State, call: Call, client_id: str, form: Form) -> tuple[Grant, str]:
    """The session and its next refresh token; a token that has had a successor in use ends the session."""
    token = form.get("refresh_token")
    if not token:
        raise oauth_refusal("invalid_request", "Missing required parameter: refresh_token")
    grant = state.world.grants.find(token)
    if grant is None or not grant.workforce:
        raise oauth_refusal("invalid_grant", "The refresh token is unknown.")
    call.entry.principal = grant.user
    if grant.client_id != client_id:
        raise oauth_refusal("unauthorized_client", "Unauthorized", status=401)
    if grant.revoked:
        raise oauth_refusal("invalid_grant", "The session has been revoked.")
    if grant.reauth:
        raise oauth_refusal("invalid_grant", "The session has expired. Sign in again.")
    asked = {scopes.canonical(scope) for scope in form.get("scope", "").split()}
    if not asked <= set(grant.scopes):
        raise oauth_refusal("invalid_scope", "Bad Request")
    following = state.world.grants.rotate(grant, token, REFRESH_MARK)
    if not following:
        state.issued.end(grant.id)
        raise oauth_refusal("invalid_grant", "The refresh token was used again after its successor: session revoked.")
    return grant, following


async def revoke(state: State, call: Call) -> web.StreamResponse:
    """`POST /v1/revoke`: a refresh or access token ends its session; a token that is none is fine (RFC 7009 §2.2)."""
    form = await read_form(call)
    client_id = _client(state, call)
    token, hint = form.get("token"), form.get("token_type_hint", "refresh_token")
    if not token:
        raise oauth_refusal("invalid_request", "Missing required parameter: token")
    if hint not in ("access_token", "refresh_token"):
        raise oauth_refusal("unsupported_token_type", "Invalid token_type_hint.")
    grant, found = state.world.grants.find(token), state.issued.find(token)
    if grant is None and found.access is not None:
        grant = state.world.grants.by_id(found.access.grant)
    if grant is not None and grant.workforce:
        call.entry.principal = grant.user
        if grant.client_id != client_id:
            raise oauth_refusal("unauthorized_client", "Unauthorized", status=401)
        state.issued.end(grant.id)
    return json_answer({}, headers=NO_STORE)


def _client(state: State, call: Call) -> str:
    client_id = client(state, call)
    if not client_id:
        raise oauth_refusal("invalid_client", "Client authentication is required.", status=401)
    return client_id
