"""The IAM Credentials API: four methods, delegation chains, lifetimes, and what real clients send."""

import base64
import datetime
import json
import re
import time
from urllib.parse import quote

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from urllib3.response import BaseHTTPResponse

from emulator.hands import (
    ADA,
    CLOUD,
    LONG,
    MIDDLE,
    ROBOT,
    TARGET,
    TARGET2,
    access_token,
    api_error,
    bearer,
    call,
    claims_of,
    good,
    id_token,
    user_token,
)
from gbearer.emulator import Emulator

IAM_SCOPE = "https://www.googleapis.com/auth/iam"
ACCESS = {"scope": [CLOUD], "lifetime": "3600s"}


def ask(em: Emulator, account: str, verb: str, body: object, token: str = "") -> BaseHTTPResponse:
    path = f"/v1/projects/-/serviceAccounts/{account}:{verb}"
    return call(em, "POST", path, token=token or access_token(em), body=body, host="iamcredentials.googleapis.com")


def public_key(em: Emulator, email: str, kid: str) -> rsa.RSAPublicKey:
    pem = good(call(em, "GET", f"/service_accounts/v1/metadata/x509/{email}"))[kid]
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def test_an_access_token_of_the_target(em: Emulator) -> None:
    answer = good(ask(em, TARGET, "generateAccessToken", ACCESS))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["expireTime"])
    expires = datetime.datetime.fromisoformat(answer["expireTime"]).timestamp()
    assert 3590 <= expires - time.time() <= 3600
    assert good(call(em, "GET", "/v1/protected", token=answer["accessToken"]))["caller"]["email"] == TARGET
    assert [entry["principal"] for entry in em.log()] == [ROBOT, ROBOT, TARGET]


def test_the_user_may_act_as_the_target_too_and_a_unique_id_names_it(em: Emulator) -> None:
    unique_id = good(call(em, "GET", "/v1/protected", token=good(ask(em, TARGET, "generateAccessToken", ACCESS))
                          ["accessToken"]))["caller"]["sub"]  # fmt: skip
    assert good(ask(em, unique_id, "generateAccessToken", ACCESS, user_token(em)))
    assert em.log()[-1]["principal"] == ADA


@pytest.mark.parametrize(
    "host",
    [
        "iamcredentials.mtls.googleapis.com",
        "us-east1-iamcredentials.googleapis.com",
        "us-east1.iamcredentials.googleapis.com",
        "iamcredentials.us-east1.rep.googleapis.com",
        "iamcredentials-mine.p.googleapis.com",
        "iamcredentials.googleapis.com:443",
    ],
)
def test_every_form_of_the_hosts_name_is_the_same_service(em: Emulator, host: str) -> None:
    path = f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    assert good(call(em, "POST", path, token=access_token(em), body=ACCESS, host=host))["accessToken"]


def test_an_escaped_address_is_the_same_address(em: Emulator) -> None:
    assert good(ask(em, quote(TARGET, safe=""), "generateAccessToken", ACCESS))


@pytest.mark.parametrize("name", [MIDDLE, f"projects/-/serviceAccounts/{MIDDLE}"])
def test_a_delegation_chain_reaches_what_its_first_link_alone_does_not(em: Emulator, name: str) -> None:
    assert api_error(ask(em, TARGET2, "generateAccessToken", ACCESS))[0] == 403
    answer = good(ask(em, TARGET2, "generateAccessToken", {**ACCESS, "delegates": [name]}))
    assert good(call(em, "GET", "/v1/protected", token=answer["accessToken"]))["caller"]["email"] == TARGET2


def test_a_chain_with_a_missing_link_is_denied(em: Emulator) -> None:
    body = {**ACCESS, "delegates": [TARGET]}
    assert api_error(ask(em, TARGET2, "generateAccessToken", body)) == (
        403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")  # fmt: skip
    body = {**ACCESS, "delegates": [TARGET2, MIDDLE]}
    assert api_error(ask(em, TARGET2, "generateAccessToken", body))[0] == 403


@pytest.mark.parametrize(
    ("verb", "body", "permission"),
    [
        ("generateAccessToken", ACCESS, "iam.serviceAccounts.getAccessToken"),
        ("generateIdToken", {"audience": "https://x"}, "iam.serviceAccounts.getOpenIdToken"),
        ("signBlob", {"payload": "aGk="}, "iam.serviceAccounts.signBlob"),
        ("signJwt", {"payload": "{}"}, "iam.serviceAccounts.signJwt"),
    ],
)
def test_denied_names_the_permission(em: Emulator, verb: str, body: object, permission: str) -> None:
    response = ask(em, TARGET2, verb, body)
    assert api_error(response) == (403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")
    error = response.json()["error"]
    assert error["message"] == f"Permission '{permission}' denied on resource (or it may not exist)."
    assert error["details"][0]["metadata"] == {"permission": permission}


def test_an_unknown_account_is_not_found_and_an_unknown_method_neither(em: Emulator) -> None:
    assert api_error(ask(em, "nobody@example.com", "generateAccessToken", ACCESS))[:2] == (404, "NOT_FOUND")
    assert api_error(ask(em, TARGET, "makeCoffee", {}))[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "body",
    [{}, {"scope": []}, {"scope": CLOUD}, {"scope": [CLOUD], "lifetime": 3600}, {"scope": [CLOUD], "lifetime": "1h"},
     {"scope": [CLOUD], "lifetime": "0s"}, {"scope": [CLOUD], "lifetime": "-5s"}, {"scope": ["nonsense"]},
     {"scope": [CLOUD], "delegates": "x"}, b"{", b"[]"],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_an_invalid_argument(em: Emulator, body: object) -> None:
    assert api_error(ask(em, TARGET, "generateAccessToken", body))[:2] == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("account", "lifetime", "status"),
    [(TARGET, "3600s", 200), (TARGET, "3601s", 400), (TARGET, "3600.5s", 400), (TARGET, "300.5s", 200),
     (LONG, "43200s", 200), (LONG, "43201s", 400)],
)  # fmt: skip
def test_the_lifetime_ends_at_the_accounts_limit(em: Emulator, account: str, lifetime: str, status: int) -> None:
    response = ask(em, account, "generateAccessToken", {"scope": [CLOUD], "lifetime": lifetime})
    assert response.status == status
    if status == 400:
        limit = 43200 if account == LONG else 3600
        assert response.json()["error"]["message"] == f"The access token lifetime cannot exceed {limit} seconds."


def test_the_caller_needs_a_token_and_the_right_scope(em: Emulator) -> None:
    path = f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    assert api_error(call(em, "POST", path, body=ACCESS)) == (401, "UNAUTHENTICATED", "CREDENTIALS_MISSING")
    assert api_error(call(em, "POST", path, body=ACCESS, token="ya29.nope"))[0] == 401
    storage = access_token(em, "https://www.googleapis.com/auth/devstorage.read_only")
    assert api_error(call(em, "POST", path, body=ACCESS, token=storage)) == (
        403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")  # fmt: skip
    assert good(call(em, "POST", path, body=ACCESS, token=access_token(em, IAM_SCOPE)))
    identity = id_token(em, em.url)
    assert api_error(call(em, "POST", path, body=ACCESS, token=identity))[2] == "ACCESS_TOKEN_TYPE_UNSUPPORTED"


def test_bodies_of_real_clients_are_understood(em: Emulator) -> None:
    assert good(ask(em, TARGET, "generateAccessToken", {"delegates": None, **ACCESS}))
    assert good(ask(em, TARGET, "generateAccessToken", {"delegates": [], **ACCESS}))
    path = f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    assert good(call(em, "POST", path, token=access_token(em), form={"scope": CLOUD}))
    strings = {"audience": "https://x", "includeEmail": "true", "useEmailAzp": "true"}
    claims = claims_of(em, good(ask(em, TARGET, "generateIdToken", strings))["token"])
    assert (claims["email"], claims["azp"]) == (TARGET, TARGET)


def test_the_project_is_the_wildcard(em: Emulator) -> None:
    path = f"/v1/projects/emulator-project/serviceAccounts/{TARGET}:generateAccessToken"
    assert call(em, "POST", path, token=access_token(em), body=ACCESS).status == 400


def test_an_id_token_has_the_claims_that_were_asked_for(em: Emulator) -> None:
    plain = claims_of(em, good(ask(em, TARGET, "generateIdToken", {"audience": "https://x"}))["token"])
    assert plain["aud"] == "https://x"
    assert plain["azp"] == plain["sub"]
    assert "email" not in plain
    full = {"audience": "https://x", "includeEmail": True, "organizationNumberIncluded": True}
    claims = claims_of(em, good(ask(em, TARGET, "generateIdToken", full))["token"])
    assert claims["email"] == TARGET
    assert claims["google"] == {"organization_number": 987654321098}
    assert api_error(ask(em, TARGET, "generateIdToken", {}))[:2] == (400, "INVALID_ARGUMENT")
    assert api_error(ask(em, TARGET, "generateIdToken", {"audience": "x", "includeEmail": 3}))[0] == 400


def test_a_signed_blob_verifies_with_the_published_certificate(em: Emulator) -> None:
    answer = good(ask(em, TARGET, "signBlob", {"payload": base64.b64encode(b"hello").decode()}))
    key = public_key(em, TARGET, answer["keyId"])
    key.verify(base64.b64decode(answer["signedBlob"]), b"hello", padding.PKCS1v15(), hashes.SHA256())
    assert api_error(ask(em, TARGET, "signBlob", {"payload": "%%%"}))[0] == 400
    assert api_error(ask(em, TARGET, "signBlob", {}))[0] == 400


def test_a_signed_jwt_keeps_its_claims_and_verifies(em: Emulator) -> None:
    claims = {"iss": TARGET, "sub": TARGET, "exp": int(time.time()) + 600, "hello": "wörld"}
    answer = good(ask(em, TARGET, "signJwt", {"payload": json.dumps(claims)}))
    key = public_key(em, TARGET, answer["keyId"])
    assert jwt.decode(answer["signedJwt"], key, algorithms=["RS256"]) == claims
    late = json.dumps({"exp": int(time.time()) + 43300})
    for payload in (late, "[]", "no json", claims, json.dumps({"exp": 5})):
        assert api_error(ask(em, TARGET, "signJwt", {"payload": payload}))[0] == 400


def test_keyless_delegation_an_assertion_made_by_sign_jwt_is_accepted(em: Emulator) -> None:
    now = int(time.time())
    claims = {"iss": ROBOT, "sub": ADA, "scope": CLOUD, "iat": now, "exp": now + 3600}
    claims["aud"] = "https://oauth2.googleapis.com/token"
    signed = good(ask(em, ROBOT, "signJwt", {"payload": json.dumps(claims)}))["signedJwt"]
    token = good(bearer(em, signed))["access_token"]
    assert good(call(em, "GET", "/v1/protected", token=token))["caller"]["email"] == ADA


@pytest.mark.parametrize(
    "resource",
    [f"projects/-/serviceAccounts/{ROBOT}", "projects/123456789012/locations/global/workloadIdentityPools/pool",
     "locations/global/workforcePools/pool"],
)  # fmt: skip
def test_allowed_locations_is_unrestricted_for_whoever_shows_a_token(em: Emulator, resource: str) -> None:
    path = f"/v1/{resource}/allowedLocations"
    assert good(call(em, "GET", path, token=access_token(em))) == {"locations": [], "encodedLocations": "0x0"}
    assert call(em, "GET", path).status == 401
