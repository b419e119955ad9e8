"""Google Distributed Cloud, air-gapped: the key of a service identity, its token endpoint, and a server to call."""

import json
import secrets
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gbearer.emulator import gateway, jose, targets
from gbearer.emulator.answers import NO_STORE, credentials_invalid, credentials_missing, json_answer
from gbearer.emulator.answers import oauth_refusal as refusal
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import PROJECT_ID, World

PATH = "/authenticate"
NAME = "emulator-workload"
IDENTITY = f"system:serviceaccount:{PROJECT_ID}:{NAME}"
_TYPE = "urn:ietf:params:oauth:token-type:"
_WANTED = {
    "grant_type": f"{_TYPE}token-exchange",  # sic: what clients send is a token type
    "requested_token_type": f"{_TYPE}access_token",
    "subject_token_type": "urn:k8s:params:oauth:token-type:serviceaccount",
}
_HOUR = 3600
_LEEWAY = 300  # seconds the caller's clock may be off


def document(world: World, url: str, ca: str = "") -> dict[str, str]:
    """gdch.json: the key of a service identity, for the endpoint at `url`; `ca` is the path of what its TLS is of."""
    return {
        "type": "gdch_service_account",
        "format_version": "1",
        "project": PROJECT_ID,
        "private_key_id": _key_id(world),
        "private_key": _pem(world, "gdch key"),
        "name": NAME,
        **({"ca_cert_path": ca} if ca else {}),
        "token_uri": url + PATH,
    }


def _key_id(world: World) -> str:
    return world.kept.other("gdch key id", lambda: jose.KEY_MARK + secrets.token_hex(16))


def _pem(world: World, name: str) -> str:
    """The P-256 key kept as `name`: "gdch key" is the identity's, "gdch service key" signs what the endpoint gives."""

    def new() -> str:
        private = ec.generate_private_key(ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return private.private_bytes(*form).decode()

    return world.kept.other(name, new)


def _public(world: World, name: str) -> ec.EllipticCurvePublicKey:
    private = serialization.load_pem_private_key(_pem(world, name).encode(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise TypeError("not an elliptic curve key")
    return private.public_key()


async def authenticate(state: State, call: Call) -> web.StreamResponse:
    """`POST /authenticate`: JSON; a JWT of the identity becomes an access token for one audience, good for an hour."""
    body = await _body(call)
    call.entry.grant_type = str(body.get("grant_type", ""))
    for name, wanted in _WANTED.items():
        if body.get(name) != wanted:
            error = "unsupported_grant_type" if name == "grant_type" else "invalid_request"
            raise refusal(error, f"Invalid {name}: {body.get(name)}")
    audience, subject = body.get("audience"), body.get("subject_token")
    if not isinstance(audience, str) or not audience.strip():
        raise refusal("invalid_request", "Missing required parameter: audience")
    if not isinstance(subject, str) or not subject:
        raise refusal("invalid_request", "Missing required parameter: subject_token")
    call.entry.details["audience"] = audience
    _check(state, call, subject)
    call.entry.principal = IDENTITY
    now = int(state.world.clock.now())
    claims = {"iss": call.origin, "sub": IDENTITY, "aud": audience, "iat": now, "exp": now + _HOUR}
    headers = {"kid": f"{jose.KEY_MARK}gdch-service"}
    token = jwt.encode(claims, _pem(state.world, "gdch service key"), algorithm="ES256", headers=headers)
    answer = {"access_token": token, "expires_in": _HOUR, "issued_token_type": _WANTED["requested_token_type"]}
    return json_answer({**answer, "token_type": "Bearer"}, headers=NO_STORE)


async def _body(call: Call) -> dict[str, Any]:
    read = await call.request.read()
    try:
        body = json.loads(read) if call.request.content_type == "application/json" else None
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise refusal("invalid_request", "The body must be a JSON object, of content type application/json.")
    return body


def _check(state: State, call: Call, token: str) -> None:
    """Raise Refusal unless `token` is the identity's own: its ES256 signature, names, audience and times."""
    claims = _verified(state.world, token, "gdch key", _key_id(state.world))
    if claims is None:
        raise refusal("invalid_grant", "Invalid JWT Signature.")
    if claims.get("iss") != IDENTITY or claims.get("sub") != IDENTITY:
        raise refusal("invalid_grant", f"Invalid JWT: iss and sub must both be {IDENTITY}.")
    own = {origin + PATH for origin in (call.origin, call.dialled)}
    if claims.get("aud") not in own:
        raise refusal("invalid_grant", f"Invalid JWT: aud must be {call.origin}{PATH}.")
    issued_at, expires_at, now = claims.get("iat"), claims.get("exp"), state.world.clock.now()
    if not isinstance(issued_at, (int, float)) or not isinstance(expires_at, (int, float)):
        raise refusal("invalid_grant", "Invalid JWT: iat and exp are needed.")
    if not 0 < expires_at - issued_at <= _HOUR or issued_at > now + _LEEWAY or expires_at < now - _LEEWAY:
        raise refusal("invalid_grant", "Invalid JWT: it has expired, is not valid yet, or lives longer than an hour.")


def _verified(world: World, token: str, name: str, kid: str) -> dict[str, Any] | None:
    """The claims of a token with `kid` that the key called `name` signed, None otherwise; times are not looked at."""
    seen = jose.peek(token)
    if seen is None or seen.header.get("kid") != kid:
        return None
    try:
        jwt.PyJWS().decode(token, key=_public(world, name), algorithms=["ES256"])
    except jwt.InvalidTokenError:
        return None
    return seen.claims


async def service(state: State, call: Call) -> web.StreamResponse:
    """`ANY /gdch/NAME`: a server that takes the endpoint's tokens, if they are for the audience that is its URL."""
    method = f"{call.request.method} {call.raw_path}"
    token = gateway.bearer(call.request.headers)
    if token is None:
        raise credentials_missing(call.service, method)
    claims = _verified(state.world, token, "gdch service key", f"{jose.KEY_MARK}gdch-service")
    if claims is None:
        raise credentials_invalid(call.service, method)
    call.entry.principal, call.entry.details["audience"] = claims["sub"], claims["aud"]
    if claims["exp"] <= state.world.clock.now():
        raise credentials_invalid(call.service, method, "ACCESS_TOKEN_EXPIRED")
    if claims["aud"] not in {f"{origin}/gdch/{call.args[0]}" for origin in (call.origin, call.dialled)}:
        raise credentials_invalid(call.service, method)
    return await targets.echo(call, {"caller": {"principal": claims["sub"]}, "audience": claims["aud"]})
