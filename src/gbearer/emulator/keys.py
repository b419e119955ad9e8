"""The public halves: Google's certificates and JWKS, service account keys, and OIDC discovery."""

import base64
from typing import Any

from aiohttp import web

from gbearer.emulator import jose
from gbearer.emulator.answers import api_refusal, json_answer
from gbearer.emulator.issued import ISSUER
from gbearer.emulator.state import Call, State

_CACHE = {"Cache-Control": "public, max-age=3600, must-revalidate, no-transform"}
_GOOGLE = "federated-signon.system.gserviceaccount.com"


async def google_certs(state: State, call: Call) -> web.StreamResponse:
    """`GET /oauth2/v1/certs`: key id to X.509 certificate, for verifying ID tokens."""
    del call
    key = state.world.google_key
    return json_answer({key.kid: jose.certificate(key, _GOOGLE)}, headers=_CACHE)


async def google_jwks(state: State, call: Call) -> web.StreamResponse:
    """`GET /oauth2/v3/certs`: the same keys as a JWK set (RFC 7517)."""
    del call
    return json_answer({"keys": [jose.jwk(state.world.google_key)]}, headers=_CACHE)


async def account_keys(state: State, call: Call) -> web.StreamResponse:
    """`GET /service_accounts/v1/metadata/{x509|raw|jwk}/{email}`: the public keys of a service account."""
    form, email = call.args
    account = state.world.account(email)
    if account is None:
        raise api_refusal(404, f"Service account {email} does not exist.", "NOT_FOUND")
    state.world.system_key(account)
    keys = account.keys
    answers: dict[str, Any] = {
        "x509": {key.kid: jose.certificate(key, email) for key in keys},
        "jwk": {"keys": [jose.jwk(key) for key in keys]},
        "raw": {"keyvalues": [_raw(key) for key in keys]},
    }
    return json_answer(answers[form], headers=_CACHE)


def _raw(key: jose.Key) -> dict[str, str]:
    modulus, exponent = (base64.b64encode(number).decode() for number in jose.public_numbers(key))
    return {"algorithm": "RSA", "exponent": exponent, "keyid": key.kid, "modulus": modulus}


async def discovery(state: State, call: Call) -> web.StreamResponse:
    """`GET /.well-known/openid-configuration` (OIDC Discovery §4); at its own address with its own URLs."""
    del state
    own = call.origin if call.local else ""
    document = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{own or ISSUER}/o/oauth2/v2/auth",
        "device_authorization_endpoint": f"{own or 'https://oauth2.googleapis.com'}/device/code",
        "token_endpoint": f"{own or 'https://oauth2.googleapis.com'}/token",
        "userinfo_endpoint": f"{own or 'https://openidconnect.googleapis.com'}/v1/userinfo",
        "revocation_endpoint": f"{own or 'https://oauth2.googleapis.com'}/revoke",
        "jwks_uri": f"{own or 'https://www.googleapis.com'}/oauth2/v3/certs",
        "response_types_supported": [
            *("code", "token", "id_token", "code token", "code id_token"),
            *("token id_token", "code token id_token", "none"),
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": [
            *("aud", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "sub"),
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ],
    }
    return json_answer(document, headers=_CACHE)
