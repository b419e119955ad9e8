"""What tests of the token service do with their hands: an exchange, a federated token, a call in its name."""

import base64
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.response import BaseHTTPResponse

from emulator.hands import CLOUD, FORM, call, good
from gbearer.emulator import Emulator

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
PRINCIPAL = f"principal://iam.googleapis.com/{POOL}/subject"
EVERYBODY = f"principalSet://iam.googleapis.com/{POOL}/*"
SUBJECT = "system:serviceaccount:default:emulator-workload"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TYPE = "urn:ietf:params:oauth:token-type:"
AWS = "urn:ietf:params:aws:token-type:aws4_request"
WORKFORCE = "//iam.googleapis.com/locations/global/workforcePools/emulator-workforce/providers/oidc"


def audience(provider: str = "oidc", pool: str = POOL) -> str:
    """The audience of a provider."""
    return f"//iam.googleapis.com/{pool}/providers/{provider}"


def form(subject_token: str, provider: str = "oidc", changes: Mapping[str, str | None] = {}) -> dict[str, str]:
    """The form of an exchange; a field of None is left out."""
    whole: dict[str, str | None] = {
        "grant_type": GRANT,
        "audience": audience(provider),
        "scope": CLOUD,
        "requested_token_type": f"{TYPE}access_token",
        "subject_token": subject_token,
        "subject_token_type": f"{TYPE}jwt",
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def exchange(
    em: Emulator, subject_token: str, provider: str = "oidc", changes: Mapping[str, str | None] = {}
) -> BaseHTTPResponse:
    """The answer of the token service."""
    return call(em, "POST", "/v1/token", form=form(subject_token, provider, changes))


def federated_token(em: Emulator, claims: Mapping[str, object] = {}, provider: str = "oidc", scope: str = CLOUD) -> str:
    """A federated access token by way of an OIDC provider."""
    answer = good(exchange(em, em.subject_token(provider, claims), provider, {"scope": scope}))
    return str(answer["access_token"])


def who(em: Emulator, token: str) -> dict[str, Any]:
    """The caller as the protected API sees it."""
    caller: dict[str, Any] = good(call(em, "GET", "/v1/protected", token=token))["caller"]
    return caller


def document(em: Emulator, name: str) -> dict[str, Any]:
    """A credential file in the emulator's directory."""
    read: dict[str, Any] = json.loads((em.dir / name).read_text())
    return read


def over_tls(em: Emulator, fields: Mapping[str, str], cert: tuple[Path, Path] | None = None) -> BaseHTTPResponse:
    """An exchange over TLS, which checks the emulator's certificate; `cert` are a certificate and its key to show."""
    context = ssl.create_default_context(cafile=str(em.dir / "ca.pem"))
    if cert is not None:
        context.load_cert_chain(*cert)
    with urllib3.PoolManager(ssl_context=context, retries=False, timeout=15) as pool:
        headers = {"Content-Type": FORM}
        return pool.request("POST", f"{em.tls_url}/v1/token", body=urlencode(fields).encode(), headers=headers)


def basic(name: str, word: str) -> dict[str, str]:
    """The header of an OAuth client."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()}


def introspected(em: Emulator, token: str, hint: str = f"{TYPE}access_token") -> dict[str, object]:
    """What the token service says about a token, to the OAuth client of user.json."""
    own = json.loads(em.user_file.read_text())
    headers = basic(own["client_id"], own["client_secret"])
    fields = {"token": token, "token_type_hint": hint}
    read: dict[str, object] = good(call(em, "POST", "/v1/introspect", headers=headers, form=fields))
    return read
