"""Distributed Cloud: its key, its token endpoint with each of its checks, over TLS too, and the server."""

import json
import stat
import time
from collections.abc import Mapping
from typing import Any

import google.auth.exceptions
import google.auth.transport.requests
import jwt
import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import ec
from google.oauth2 import gdch_credentials
from urllib3.response import BaseHTTPResponse

from emulator.hands import access_token, api_error, assertion, call, good, id_token, oauth_error
from gbearer import emulator
from gbearer.emulator import Emulator

TYPE = "urn:ietf:params:oauth:token-type:"
IDENTITY = "system:serviceaccount:emulator-project:emulator-workload"


def key(em: Emulator, name: str = "gdch.json") -> dict[str, str]:
    """A key file."""
    read: dict[str, str] = json.loads((em.dir / name).read_text())
    return read


def subject(em: Emulator, changes: Mapping[str, object] = {}, **signing: Any) -> str:
    """The JWT of the identity, with `changes`; a claim of None is left out."""
    own, now = key(em), int(time.time())
    claims = {"iss": IDENTITY, "sub": IDENTITY, "aud": own["token_uri"], "iat": now, "exp": now + 3600, **changes}
    given = {"key": own["private_key"], "algorithm": "ES256", "headers": {"kid": own["private_key_id"]}, **signing}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, **given)


def ask(em: Emulator, changes: Mapping[str, object] = {}) -> BaseHTTPResponse:
    """The answer of the token endpoint; a field of None is left out."""
    whole: dict[str, object] = {
        "grant_type": f"{TYPE}token-exchange",
        "audience": f"{em.url}/gdch/store",
        "requested_token_type": f"{TYPE}access_token",
        "subject_token": subject(em),
        "subject_token_type": "urn:k8s:params:oauth:token-type:serviceaccount",
        **changes,
    }
    return call(em, "POST", "/authenticate", body={name: value for name, value in whole.items() if value is not None})


def test_the_file_is_what_distributed_cloud_hands_out(em: Emulator) -> None:
    own = key(em)
    assert {name: own[name] for name in ("type", "format_version", "project", "name", "token_uri")} == {
        "type": "gdch_service_account",
        "format_version": "1",
        "project": "emulator-project",
        "name": "emulator-workload",
        "token_uri": f"{em.url}/authenticate",
    }
    assert own["private_key_id"].startswith("emulator-")
    assert "BEGIN PRIVATE KEY" in own["private_key"]
    assert stat.S_IMODE(em.gdch_file.stat().st_mode) == 0o600
    tls = {**own, "token_uri": f"{em.tls_url}/authenticate", "ca_cert_path": str(em.dir / "ca.pem")}
    assert key(em, "gdch-tls.json") == tls
    assert em.gdch_tls_file.name == "gdch-tls.json"


def test_a_token_is_for_one_audience(em: Emulator) -> None:
    answer = ask(em)
    got = good(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert (got["expires_in"], got["token_type"]) == (3600, "Bearer")
    token = got["access_token"]
    echo = good(call(em, "POST", "/gdch/store", token=token, body={"n": 1}))
    assert (echo["caller"], echo["audience"]) == ({"principal": IDENTITY}, f"{em.url}/gdch/store")
    assert (echo["json"], token in json.dumps(echo)) == ({"n": 1}, False)
    asked, called = em.log()
    assert (asked["principal"], asked["audience"], asked["grant_type"]) == (
        IDENTITY, f"{em.url}/gdch/store", f"{TYPE}token-exchange"
    )  # fmt: skip
    assert called["principal"] == IDENTITY
    assert api_error(call(em, "GET", "/gdch/other", token=token)) == (401, "UNAUTHENTICATED", "")
    elsewhere = good(ask(em, {"audience": "https://store.gdch.example"}))["access_token"]
    assert call(em, "GET", "/gdch/store", token=elsewhere).status == 401


def test_the_server_takes_nothing_else(em: Emulator) -> None:
    assert api_error(call(em, "GET", "/gdch/store")) == (401, "UNAUTHENTICATED", "CREDENTIALS_MISSING")
    url = f"{em.url}/gdch/store"
    token = good(ask(em))["access_token"]
    private = ec.generate_private_key(ec.SECP256R1())
    claims = jwt.decode(token, options={"verify_signature": False})
    forged = jwt.encode(claims, private, algorithm="ES256", headers=jwt.get_unverified_header(token))
    own = subject(em, {"aud": url})
    for wrong in (access_token(em), id_token(em, url), assertion(em, {"aud": url}), own, forged, token[:-4], "junk"):
        assert call(em, "GET", "/gdch/store", token=wrong).status == 401
    em.fault({"clock_skew": 3700})
    assert api_error(call(em, "GET", "/gdch/store", token=token))[2] == "ACCESS_TOKEN_EXPIRED"


def test_nothing_else_takes_its_token(em: Emulator) -> None:
    token = good(ask(em, {"audience": f"{em.url}/functions/f"}))["access_token"]
    assert call(em, "GET", "/v1/protected", token=token).status == 401
    assert call(em, "GET", "/functions/f", token=token).status == 401
    assert call(em, "GET", "/storage/v1/b", token=token).status == 401


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"audience": None}, "invalid_request", "Missing required parameter: audience"),
        ({"audience": ""}, "invalid_request", "audience"),
        ({"audience": " "}, "invalid_request", "audience"),
        ({"audience": ["x"]}, "invalid_request", "audience"),
        ({"subject_token": None}, "invalid_request", "Missing required parameter: subject_token"),
        ({"subject_token": 7}, "invalid_request", "subject_token"),
        ({"grant_type": None}, "unsupported_grant_type", "grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, "unsupported_grant_type", "grant_type"),
        ({"requested_token_type": f"{TYPE}id_token"}, "invalid_request", "requested_token_type"),
        ({"subject_token_type": f"{TYPE}jwt"}, "invalid_request", "subject_token_type"),
        ({"subject_token": "junk"}, "invalid_grant", "Invalid JWT Signature."),
    ],
)
def test_a_field_that_is_missing_or_wrong(em: Emulator, changes: dict[str, object], error: str, said: str) -> None:
    status, found, text = oauth_error(ask(em, changes))
    assert (status, found) == (400, error)
    assert said in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"iss": "system:serviceaccount:emulator-project:other"}, "iss and sub"),
        ({"sub": "system:serviceaccount:other:emulator-workload"}, "iss and sub"),
        ({"iss": None}, "iss and sub"),
        ({"aud": "https://service-identity.example/authenticate"}, "aud must be"),
        ({"aud": "https://oauth2.googleapis.com/token"}, "aud must be"),
        ({"aud": None}, "aud must be"),
        ({"exp": None}, "iat and exp"),
        ({"iat": None}, "iat and exp"),
        ({"iat": -5000, "exp": -1400}, "expired"),
        ({"iat": 0, "exp": 3700}, "longer than an hour"),
        ({"iat": 400, "exp": 3900}, "not valid yet"),
        ({"iat": 0, "exp": -1}, "expired"),
    ],
)
def test_a_claim_that_is_missing_or_wrong(em: Emulator, changes: dict[str, object], said: str) -> None:
    now = int(time.time())
    given = {name: now + value if isinstance(value, int) else value for name, value in changes.items()}
    status, error, text = oauth_error(ask(em, {"subject_token": subject(em, given)}))
    assert (status, error) == (400, "invalid_grant")
    assert said in text


def test_only_the_keys_own_es256_signature_counts(em: Emulator) -> None:
    head = {"kid": key(em)["private_key_id"]}
    stranger = ec.generate_private_key(ec.SECP256R1())
    wrong = (
        subject(em, key=stranger),
        subject(em, headers={"kid": "emulator-other"}),
        subject(em, headers={}),
        subject(em, key=key(em)["private_key_id"] * 2, algorithm="HS256", headers=head),
        subject(em, key=None, algorithm="none", headers=head),
        assertion(em, {"iss": IDENTITY, "sub": IDENTITY, "aud": key(em)["token_uri"]}, head),
    )
    for token in wrong:
        answer = oauth_error(ask(em, {"subject_token": token}))
        assert answer == (400, "invalid_grant", "Invalid JWT Signature.")


def test_the_endpoint_takes_json_alone(em: Emulator) -> None:
    form = {"grant_type": f"{TYPE}token-exchange", "audience": "x", "subject_token": subject(em)}
    assert oauth_error(call(em, "POST", "/authenticate", form=form))[:2] == (400, "invalid_request")
    for body in (b"", b"{", b"[]", b"7", b"[" * 100_000):
        answer = call(em, "POST", "/authenticate", body=body, headers={"Content-Type": "application/json"})
        assert oauth_error(answer)[:2] == (400, "invalid_request"), body[:9]
    assert call(em, "GET", "/authenticate").status == 405


@pytest.mark.parametrize("name", ["gdch.json", "gdch-tls.json"])
def test_googles_library_with_the_file_as_it_is(em: Emulator, name: str) -> None:
    url = em.tls_url if "tls" in name else em.url
    credentials = gdch_credentials.ServiceAccountCredentials.from_service_account_file(str(em.dir / name))
    credentials = credentials.with_gdch_audience(f"{url}/gdch/store")
    request = google.auth.transport.requests.Request()
    credentials.refresh(request)
    request.session.close()
    assert credentials.valid
    with urllib3.PoolManager(ca_certs=str(em.dir / "ca.pem")) as pool:
        headers = {"Authorization": f"Bearer {credentials.token}"}
        echo = pool.request("GET", f"{url}/gdch/store", headers=headers).json()
    assert echo["caller"] == {"principal": IDENTITY}


def test_googles_library_without_an_audience_and_without_the_authority(em: Emulator) -> None:
    request = google.auth.transport.requests.Request()
    credentials = gdch_credentials.ServiceAccountCredentials.from_service_account_file(str(em.gdch_file))
    with pytest.raises(google.auth.exceptions.RefreshError, match="audience"):
        credentials.refresh(request)
    unknown = {name: value for name, value in key(em, "gdch-tls.json").items() if name != "ca_cert_path"}
    credentials = gdch_credentials.ServiceAccountCredentials.from_service_account_info(unknown)
    with pytest.raises(google.auth.exceptions.TransportError, match="CERTIFICATE_VERIFY_FAILED"):
        credentials.with_gdch_audience(f"{em.tls_url}/gdch/store").refresh(request)
    request.session.close()


def test_key_and_tokens_outlive_a_restart(tmp_path: Any) -> None:
    with emulator.running(dir=tmp_path / "dir") as first:
        before, port = key(first), int(first.host.rpartition(":")[2])
        token = good(ask(first))["access_token"]
    with emulator.running(dir=tmp_path / "dir", port=port) as second:
        assert key(second) == before
        good(call(second, "GET", "/gdch/store", token=token))
