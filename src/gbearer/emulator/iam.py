"""The IAM Service Account Credentials API: tokens and signatures in the name of another service account."""

import base64
import binascii
import datetime
import json
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gbearer.emulator import gateway, jose, scopes, universe
from gbearer.emulator.answers import Refusal, api_refusal, invalid_argument, json_answer
from gbearer.emulator.issued import HOUR, account_id_token
from gbearer.emulator.oauth import FORM, read_form
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import ORGANIZATION_NUMBER, ServiceAccount, account_member

_SCOPES = (scopes.CLOUD_PLATFORM, scopes.IAM)
_DURATION = re.compile(r"(\d{1,12})(\.\d{1,9})?s\Z", re.ASCII)
_LONG = 12 * HOUR
Body = dict[str, Any]


async def method(state: State, call: Call) -> web.StreamResponse:
    """`POST /v1/projects/-/serviceAccounts/{email|unique id}:{method}`."""
    project, name, verb = call.args
    if verb not in _METHODS:
        raise api_refusal(404, "Method not found.", "NOT_FOUND")
    permission, answer = _METHODS[verb]
    caller = gateway.authenticate(state, call, _SCOPES)
    body = await _read(call)
    if project != "-":
        raise invalid_argument()
    account = _find(state, name)
    if not universe.fits(account.universe, call.host):
        raise _not_found(name)
    _check_chain(state, caller.members, body.get("delegates"), account, permission)
    return json_answer(answer(state, call, account, body))


async def _read(call: Call) -> Body:
    """The JSON body; a form is read too, because oauth2l sends one."""
    if call.request.content_type == FORM:
        form = await read_form(call)
        return {**form, "scope": form["scope"].split()} if "scope" in form else dict(form)
    try:
        body = json.loads(await call.request.read() or b"{}")
    except ValueError:
        raise invalid_argument("Invalid JSON payload received.") from None
    if not isinstance(body, dict):
        raise invalid_argument("Invalid JSON payload received.")
    return body


def _find(state: State, name: str) -> ServiceAccount:
    account = state.world.account(name.removeprefix("projects/-/serviceAccounts/"))
    if account is None:
        raise _not_found(name)
    return account


def _not_found(name: str) -> Refusal:
    return api_refusal(404, f"Not found; Gaia id not found for email {name}", "NOT_FOUND")


def _check_chain(
    state: State, caller: frozenset[str], delegates: object, target: ServiceAccount, permission: str
) -> None:
    """Every link of caller, delegates and target needs a role with the permission on the next."""
    names = [] if delegates is None else delegates
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise invalid_argument()
    actor = caller
    for name in names:
        link = _find(state, name)
        _check_link(state, actor, link.email, "iam.serviceAccounts.implicitDelegation")
        actor = frozenset({account_member(link.email)})
    _check_link(state, actor, target.email, permission)


def _check_link(state: State, actor: frozenset[str], target: str, permission: str) -> None:
    if not state.world.may(actor, target, permission):
        raise api_refusal(
            403,
            f"Permission '{permission}' denied on resource (or it may not exist).",
            "PERMISSION_DENIED",
            reason="IAM_PERMISSION_DENIED",
            domain="iam.googleapis.com",
            metadata={"permission": permission},
        )


def _access_token(state: State, call: Call, account: ServiceAccount, body: Body) -> Body:
    wanted = body.get("scope")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(one, str) for one in wanted):
        raise invalid_argument()
    if not all(scopes.well_formed(one) for one in wanted):
        raise invalid_argument("Invalid OAuth scope or ID token audience provided.")
    lifetime = _lifetime(body.get("lifetime"), _LONG if account.extended_lifetime else HOUR)
    call.entry.details |= {"scope": " ".join(wanted), "lifetime": lifetime, "delegates": body.get("delegates") or []}
    value, access = state.issued.for_account(account.email, tuple(wanted), lifetime)
    expires = datetime.datetime.fromtimestamp(int(access.expires_at), datetime.UTC)
    return {"accessToken": value, "expireTime": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _lifetime(value: object, longest: int) -> int:
    if value is None or value == "":
        return HOUR
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        raise invalid_argument(
            "Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration), Illegal duration format; "
            "duration must end with 's'"
        )
    seconds = int(found[1])
    if seconds > longest or (seconds == longest and float(found[2] or 0) > 0):
        raise invalid_argument(f"The access token lifetime cannot exceed {longest} seconds.")
    if seconds == 0:
        raise invalid_argument()
    return seconds


def _id_token(state: State, call: Call, account: ServiceAccount, body: Body) -> Body:
    audience = body.get("audience")
    if not isinstance(audience, str) or not audience:
        raise invalid_argument()
    call.entry.details |= {"audience": audience, "delegates": body.get("delegates") or []}
    extra: Body = {"azp": account.email} if _true(body.get("useEmailAzp")) else {}
    if _true(body.get("includeEmail")):
        extra |= {"email": account.email, "email_verified": True}
    if _true(body.get("organizationNumberIncluded")):
        extra["google"] = {"organization_number": ORGANIZATION_NUMBER}
    return {"token": account_id_token(state.world, account.email, audience, extra)}


def _true(value: object) -> bool:
    """A protobuf JSON boolean; google-auth sends some of them as strings."""
    if value not in (None, True, False, "true", "false"):
        raise invalid_argument()
    return value in (True, "true")


def _sign_blob(state: State, call: Call, account: ServiceAccount, body: Body) -> Body:
    del call
    text = body.get("payload")
    if not isinstance(text, str):
        raise invalid_argument()
    try:
        payload = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        raise invalid_argument("Invalid value at 'payload' (TYPE_BYTES), Base64 decoding failed.") from None
    key = state.world.system_key(account)
    return {"keyId": key.kid, "signedBlob": base64.b64encode(jose.sign_bytes(key, payload)).decode()}


def _sign_jwt(state: State, call: Call, account: ServiceAccount, body: Body) -> Body:
    del call
    text = body.get("payload")
    try:
        claims = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        claims = None
    if not isinstance(text, str) or not isinstance(claims, dict):
        raise invalid_argument()
    if "exp" in claims:
        now = state.world.clock.now()
        expires = claims["exp"]
        if not isinstance(expires, int) or not now < expires <= now + _LONG:
            raise invalid_argument("The JWT expiration must be in the future and at most 12 hours away.")
    key = state.world.system_key(account)
    return {"keyId": key.kid, "signedJwt": jose.sign_text(key, text)}


async def allowed_locations(state: State, call: Call) -> web.StreamResponse:
    """`GET .../allowedLocations`: no regional access boundary for anybody here."""
    gateway.authenticate(state, call)
    return json_answer({"locations": [], "encodedLocations": "0x0"})


_METHODS: dict[str, tuple[str, Callable[[State, Call, ServiceAccount, Body], Body]]] = {
    "generateAccessToken": ("iam.serviceAccounts.getAccessToken", _access_token),
    "generateIdToken": ("iam.serviceAccounts.getOpenIdToken", _id_token),
    "signBlob": ("iam.serviceAccounts.signBlob", _sign_blob),
    "signJwt": ("iam.serviceAccounts.signJwt", _sign_jwt),
}
