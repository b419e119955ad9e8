"""Questions about tokens, people and projects: tokeninfo, userinfo, revoke, and the project lookup."""

import json
from typing import Any

from aiohttp import web

from gbearer.emulator import gateway, jose, scopes
from gbearer.emulator.answers import (
    NO_STORE,
    Refusal,
    api_refusal,
    encode,
    invalid_argument,
    json_answer,
    oauth_refusal,
    scope_insufficient,
)
from gbearer.emulator.issued import Access, read_id_token
from gbearer.emulator.oauth import read_form
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import PROJECT_ID, PROJECT_NUMBER


async def tokeninfo(state: State, call: Call) -> web.StreamResponse:
    """`GET|POST /tokeninfo` and `/oauth2/v1|v2|v3/tokeninfo`: what a token is; the older ones answer otherwise."""
    version = call.args[0] if call.args else "v3"
    given = await _parameters(call)
    if given.get("id_token"):
        return json_answer(_about_id_token(state, call, given["id_token"]), headers=NO_STORE)
    token = given.get("access_token") or gateway.bearer(call.request.headers)
    if not token:
        raise oauth_refusal("invalid_token", "Either access_token, id_token, or token_handle required")
    found = state.issued.find(token)
    if found.state != "good" or found.access is None or not found.access.plain:
        raise oauth_refusal("invalid_token", "Invalid Value")
    call.entry.principal = found.access.email
    left = int(found.access.expires_at - state.world.clock.now())
    return json_answer(_about_access(found.access, left, version), headers=NO_STORE)


def _about_access(access: Access, left: int, version: str) -> dict[str, Any]:
    held = {scopes.canonical(scope) for scope in access.scopes}
    shown: dict[str, Any] = {"scope": " ".join(access.scopes)}
    access_type = {"access_type": "offline" if access.user else "online"}
    if version in ("v1", "v2"):
        shown = {"issued_to": access.azp, "audience": access.azp, **shown, "expires_in": left}
        if held & {scopes.OPENID, scopes.EMAIL, scopes.PROFILE}:
            shown["user_id"] = access.unique_id
        if scopes.EMAIL in held:
            shown |= {"email": access.email, "verified_email": True}
        return {**shown, **access_type}
    shown = {"azp": access.azp, "aud": access.azp, **shown}
    shown |= {"exp": str(int(access.expires_at)), "expires_in": str(left)}
    if held & {scopes.OPENID, scopes.EMAIL, scopes.PROFILE} or not access.user:
        shown["sub"] = access.unique_id
    if scopes.EMAIL in held:
        shown |= {"email": access.email, "email_verified": "true"}
    return {**shown, **access_type}


def _about_id_token(state: State, call: Call, token: str) -> dict[str, str]:
    condition, claims = read_id_token(state.world, token)
    seen = jose.peek(token)
    if condition != "good" or seen is None:
        raise oauth_refusal("invalid_token", "Invalid Value")
    call.entry.principal = state.world.email_of(claims["sub"])
    return {name: _text(value) for name, value in {**claims, **seen.header}.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return encode(value).decode().strip() if isinstance(value, (dict, list)) else str(value)


async def userinfo(state: State, call: Call) -> web.StreamResponse:
    """`GET /v1/userinfo` and `/oauth2/v3/userinfo` (OIDC Core §5.3); `/oauth2/v1|v2/userinfo` with older names."""
    version = call.args[0] if call.args else "v3"
    given = await _parameters(call)
    token = gateway.bearer(call.request.headers) or given.get("access_token", "")
    found = state.issued.find(token)
    if found.state != "good" or found.access is None or not found.access.plain:
        headers = {"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_request"'}
        refusal = oauth_refusal("invalid_request", "Invalid Credentials", status=401)
        raise Refusal(401, refusal.body, headers=headers)
    access = found.access
    call.entry.principal = access.email
    held = {scopes.canonical(scope) for scope in access.scopes}
    wanted = (scopes.OPENID, scopes.EMAIL, scopes.PROFILE)
    if not held & set(wanted):
        raise scope_insufficient(call.service, f"GET {call.raw_path}", " ".join(wanted))
    old = version in ("v1", "v2") and bool(call.args)
    shown: dict[str, Any] = {"id" if old else "sub": access.unique_id}
    if scopes.EMAIL in held:
        shown |= {"email": access.email, "verified_email" if old else "email_verified": True}
    user = state.world.users.get(access.email)
    if user is not None and scopes.PROFILE in held:
        given_name, _, family_name = user.name.partition(" ")
        shown |= {"name": user.name, "given_name": given_name, "family_name": family_name}
    if user is not None and scopes.EMAIL in held:
        shown["hd"] = user.email.partition("@")[2]
    return json_answer(shown, headers=NO_STORE)


async def revoke(state: State, call: Call) -> web.StreamResponse:
    """`POST|GET /revoke`, the token in the query or in a form (RFC 7009 as Google does it)."""
    token = (await _parameters(call)).get("token", "")
    if not token:
        raise oauth_refusal("invalid_request", "Missing required parameter: token")
    outcome = state.issued.revoke(token)
    if outcome == "unknown":
        raise oauth_refusal("invalid_token", "Token expired or revoked")
    if outcome == "not revocable":
        raise oauth_refusal("invalid_token", "Token is not revocable.")
    return json_answer({}, headers=NO_STORE)


async def _parameters(call: Call) -> dict[str, str]:
    return {**dict(call.request.query), **await read_form(call)}


async def project(state: State, call: Call) -> web.StreamResponse:
    """`GET /v1/projects/{id or number}` of the Resource Manager: the one project there is."""
    gateway.authenticate(state, call, (scopes.CLOUD_PLATFORM, scopes.PREFIX + "cloudplatformprojects.readonly"))
    if call.args[0] not in (PROJECT_ID, str(PROJECT_NUMBER)):
        raise api_refusal(403, "The caller does not have permission", "PERMISSION_DENIED")
    return json_answer(
        {
            "projectNumber": str(PROJECT_NUMBER),
            "projectId": PROJECT_ID,
            "lifecycleState": "ACTIVE",
            "name": PROJECT_ID,
            "createTime": "2020-01-01T00:00:00.000Z",
        }
    )


async def permissions(state: State, call: Call) -> web.StreamResponse:
    """`POST /v1/projects/{id}:testIamPermissions`: everybody has every permission on the one project there is."""
    gateway.authenticate(state, call, (scopes.CLOUD_PLATFORM,))
    try:
        asked = json.loads(await call.request.read() or b"{}")["permissions"]
    except (ValueError, KeyError, TypeError):
        raise invalid_argument() from None
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
        raise invalid_argument()
    here = call.args[0] in (PROJECT_ID, str(PROJECT_NUMBER))
    return json_answer({"permissions": asked} if here and asked else {})
