"""The OAuth token endpoint: JWT bearer, refresh-token and code grants, with Google's answers and refusals."""

import base64
import binascii
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web

from gbearer.emulator import assertion, scopes
from gbearer.emulator.answers import NO_STORE, json_answer, oauth_refusal
from gbearer.emulator.grants import Grant, new_grant_id
from gbearer.emulator.issued import HOUR, user_id_token
from gbearer.emulator.signin.redeem import redeem
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import REFRESH_MARK

FORM = "application/x-www-form-urlencoded"
Form = dict[str, str]


async def token(state: State, call: Call) -> web.StreamResponse:
    """`POST /token`: form only; success and refusal are never to be stored (RFC 6749 §5)."""
    form = await read_form(call)
    grant_type = form.get("grant_type", "")
    call.entry.grant_type = grant_type
    grant = _GRANTS.get(grant_type)
    if grant is None:
        raise oauth_refusal("unsupported_grant_type", f"Invalid grant_type: {grant_type}")
    return json_answer(grant(state, call, form), headers=NO_STORE)


async def read_form(call: Call) -> Form:
    """The form in the body; empty when the body is of another type. Repeated names: the first counts."""
    if call.request.content_type != FORM:
        await call.request.read()
        return {}
    pairs = await call.request.post()
    form: Form = {}
    for name, value in pairs.items():
        if isinstance(value, str):
            form.setdefault(name, value)
    return form


def _jwt_bearer(state: State, call: Call, form: Form) -> dict[str, Any]:
    if not form.get("assertion"):
        raise oauth_refusal("invalid_request", "Missing required parameter: assertion")
    audiences = {f"{origin}{path}" for origin in (call.origin, call.dialled) for path in PATHS}
    return assertion.exchange(state, call.entry, form["assertion"], audiences)


def _refresh(state: State, call: Call, form: Form) -> dict[str, Any]:
    """RFC 6749 §6; the answer repeats the scopes asked for, since gcloud compares them."""
    client_id = client(state, call, form)
    if not form.get("refresh_token"):
        raise oauth_refusal("invalid_request", "Missing required parameter: refresh_token")
    grant = state.world.grants.find(form["refresh_token"])
    if grant is None or grant.workforce:
        raise oauth_refusal("invalid_grant", "Bad Request")
    call.entry.principal = grant.user
    if grant.client_id != client_id:
        raise oauth_refusal("unauthorized_client", "Unauthorized", status=401)
    if grant.revoked:
        raise oauth_refusal("invalid_grant", "Token has been expired or revoked.")
    asked = tuple(form.get("scope", "").split()) or grant.scopes
    call.entry.details["scope"] = " ".join(asked)
    if not {scopes.canonical(scope) for scope in asked} <= set(grant.scopes):
        raise oauth_refusal("invalid_scope", "Bad Request")
    proved = state.proofs.holds(form.get("rapt", ""), grant.user, state.world.clock.now())
    if grant.reauth and not proved and asked != (scopes.REAUTH,):  # that scope is how one gets a proof
        raise oauth_refusal("invalid_grant", f"reauth related error ({grant.reauth})", subtype=grant.reauth)
    return _user_answer(state, grant, asked)


def _authorization_code(state: State, call: Call, form: Form) -> dict[str, Any]:
    """RFC 6749 §4.1.3; a refresh token comes with access_type=offline, always, as it does for desktop clients."""
    code = redeem(state, client(state, call, form), form)
    call.entry.principal = code.user
    call.entry.details["scope"] = " ".join(code.scopes)
    grant = Grant(new_grant_id(), code.asked.client_id, code.user, code.scopes)
    answer = _user_answer(state, grant, code.scopes, code.asked.nonce)
    if code.asked.offline:
        answer["refresh_token"] = state.world.grants.add(grant, REFRESH_MARK)
    return answer


def _user_answer(state: State, grant: Grant, asked: tuple[str, ...], nonce: str = "") -> dict[str, Any]:
    value, _ = state.issued.for_user(grant.user, asked, grant.client_id, grant)
    answer: dict[str, Any] = {
        "access_token": value,
        "expires_in": HOUR - 1,
        "scope": " ".join(asked),
        "token_type": "Bearer",
    }
    if scopes.OPENID in asked:
        answer["id_token"] = user_id_token(state.world, grant, asked, value, nonce)
    return answer


def client(state: State, call: Call, form: Form) -> str:
    """The id of the OAuth client that sent `form`, authenticated in the body or by Basic (RFC 6749 §2.3.1)."""
    client_id, secret = form.get("client_id", ""), form.get("client_secret")
    scheme, _, encoded = call.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, word = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise oauth_refusal("invalid_client", "Unauthorized", status=401) from None
        client_id, secret = unquote_plus(name), unquote_plus(word)
    if not client_id:
        raise oauth_refusal("invalid_request", "Could not determine client ID from request.")
    if client_id not in state.world.clients:
        raise oauth_refusal("invalid_client", "The OAuth client was not found.", status=401)
    if secret is None:
        raise oauth_refusal("invalid_request", "client_secret is missing.")
    if secret != state.world.clients[client_id]:
        raise oauth_refusal("invalid_client", "The provided client secret is invalid.", status=401)
    return client_id


PATHS = ("/token", "/oauth2/v4/token", "/o/oauth2/token")
_GRANTS: dict[str, Callable[[State, Call, Form], dict[str, Any]]] = {
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _jwt_bearer,
    "refresh_token": _refresh,
    "authorization_code": _authorization_code,
}
