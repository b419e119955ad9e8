"""What every emulator test does with its hands: make a call, sign an assertion, get a token, read a fault's answer."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import jwt
import urllib3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from urllib3.response import BaseHTTPResponse

from gbearer.emulator import Emulator

CLOUD = "https://www.googleapis.com/auth/cloud-platform"
EMAIL_SCOPE = "https://www.googleapis.com/auth/userinfo.email"
DOMAIN = "emulator-project.iam.gserviceaccount.com"
ROBOT, TARGET, MIDDLE, TARGET2, LONG, DEFAULT = (
    f"{name}@{DOMAIN}" for name in ("robot", "target", "middle", "target2", "long", "default")
)
ADA = "ada@example.com"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FLAVOR = {"Metadata-Flavor": "Google"}
FORM = "application/x-www-form-urlencoded"
_POOL = urllib3.PoolManager(retries=False, timeout=15, maxsize=8)


def call(
    em: Emulator,
    method: str,
    path: str,
    *,
    token: str = "",
    host: str = "",
    headers: Mapping[str, str] = {},
    form: Mapping[str, str] | None = None,
    body: object = None,
) -> BaseHTTPResponse:
    """One request to the emulator; `host` stands in for the one dialled, `body` is JSON unless it is bytes."""
    sent = dict(headers)
    data: bytes | None = None
    if token:
        sent["Authorization"] = f"Bearer {token}"
    if host:
        sent["Host"] = host
    if form is not None:
        data = urlencode(form).encode()
        sent.setdefault("Content-Type", FORM)
    elif isinstance(body, bytes):
        data = body
    elif body is not None:
        data = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    return _POOL.request(method, em.url + path, headers=sent, body=data, redirect=False)


def key_file(em: Emulator) -> dict[str, str]:
    """key.json."""
    read: dict[str, str] = json.loads(em.key_file.read_text())
    return read


def user_file(em: Emulator) -> dict[str, str]:
    """user.json."""
    read: dict[str, str] = json.loads(em.user_file.read_text())
    return read


def sign(em: Emulator, claims: Mapping[str, object], headers: Mapping[str, object] | None = None) -> str:
    """A JWT by the service account's key, made without a JWT library; a header of None is left out."""
    key = key_file(em)
    head = {"typ": "JWT", "alg": "RS256", "kid": key["private_key_id"], **(headers or {})}
    parts = ({name: value for name, value in head.items() if value is not None}, dict(claims))
    text = b".".join(_b64url(json.dumps(part).encode()) for part in parts)
    private = serialization.load_pem_private_key(key["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return (text + b"." + _b64url(private.sign(text, padding.PKCS1v15(), hashes.SHA256()))).decode()


def _b64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def assertion(em: Emulator, changes: Mapping[str, object], headers: Mapping[str, object] | None = None) -> str:
    """A JWT-bearer assertion as google-auth makes it, with `changes`; a claim of None is left out."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": ROBOT,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    return sign(em, {name: value for name, value in claims.items() if value is not None}, headers)


def bearer(em: Emulator, signed: str, path: str = "/token", host: str = "") -> BaseHTTPResponse:
    """The answer to a JWT-bearer assertion."""
    return call(em, "POST", path, host=host, form={"grant_type": JWT_BEARER, "assertion": signed})


def refresh(em: Emulator, changes: Mapping[str, str | None] = {}, headers: Mapping[str, str] = {}) -> BaseHTTPResponse:
    """The answer to the user's refresh token, with `changes` to the form; a field of None is left out."""
    user = user_file(em)
    form = {name: user[name] for name in ("client_id", "client_secret", "refresh_token")}
    sent = {"grant_type": "refresh_token", **form, **changes}
    return call(em, "POST", "/token", headers=headers, form={k: v for k, v in sent.items() if v is not None})


def access_token(em: Emulator, scope: str = CLOUD) -> str:
    """An access token of the robot."""
    return str(good(bearer(em, assertion(em, {"scope": scope})))["access_token"])


def user_token(em: Emulator) -> str:
    """An access token of the user."""
    return str(good(refresh(em))["access_token"])


def id_token(em: Emulator, audience: str) -> str:
    """An ID token of the robot."""
    return str(good(bearer(em, assertion(em, {"target_audience": audience})))["id_token"])


def good(response: BaseHTTPResponse) -> Any:
    """The JSON of an answer that must be 200."""
    assert response.status == 200, (response.status, response.data)
    return response.json()


def oauth_error(response: BaseHTTPResponse) -> tuple[int, str, str]:
    """Status, error and description of an OAuth refusal."""
    read = response.json()
    return response.status, read["error"], read["error_description"]


def api_error(response: BaseHTTPResponse) -> tuple[int, str, str]:
    """Status, code and reason (empty if there is none) of an API's refusal."""
    error = response.json()["error"]
    assert error["code"] == response.status
    return response.status, error["status"], error.get("details", [{}])[0].get("reason", "")


def claims_of(em: Emulator, token: str) -> dict[str, Any]:
    """The claims of an ID token, verified with the published JWKS as any relying party would."""
    keys = jwt.PyJWKSet.from_dict(good(call(em, "GET", "/oauth2/v3/certs")))
    key = next(one for one in keys.keys if one.key_id == jwt.get_unverified_header(token)["kid"])
    read: dict[str, Any] = jwt.decode(token, key.key, algorithms=["RS256"], options={"verify_aud": False})
    return read
