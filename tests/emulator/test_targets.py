"""The servers to call: functions, Cloud Run and APIs accept the right token and refuse every wrong one."""

import hashlib
import time

import pytest

from emulator.hands import (
    CLOUD,
    ROBOT,
    access_token,
    api_error,
    assertion,
    call,
    good,
    id_token,
    sign,
    user_token,
)
from gbearer.emulator import Emulator

RUN = "svc-abc-uc.a.run.app"
FUNCTIONS = "europe-west1-p.cloudfunctions.net"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_function_echoes_the_call_without_the_token(em: Emulator, method: str) -> None:
    url = f"{em.url}/functions/get_range"
    token = id_token(em, url)
    response = call(em, method, "/functions/get_range?a=1", token=token, body={"n": 1}, headers={"X-Mine": "yes"})
    echo = good(response)
    assert (echo["method"], echo["path"], echo["query"]) == (method, "/functions/get_range", "a=1")
    assert (echo["body"], echo["json"]) == ('{"n": 1}', {"n": 1})
    assert echo["headers"]["X-Mine"] == "yes"
    assert echo["caller"]["email"] == ROBOT
    assert echo["audience"] == url
    assert token not in response.data.decode()


def test_a_function_refuses_a_wrong_audience_an_access_token_and_a_tampered_one(em: Emulator) -> None:
    right = id_token(em, f"{em.url}/functions/f")
    head, body, signature = right.split(".")
    tampered = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    wrong = (
        id_token(em, f"{em.url}/functions/f/more"),
        id_token(em, f"{em.url}/functions/g"),
        id_token(em, em.url),
        access_token(em),
        tampered,
        "junk",
        right[:-9],
    )
    for token in (*wrong, assertion(em, {"aud": f"{em.url}/functions/f"})):
        response = call(em, "POST", "/functions/f", token=token, body={})
        assert response.status == 401
        assert response.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
        assert b"<title>401 Unauthorized</title>" in response.data
    assert good(call(em, "POST", "/functions/f", token=right, body={}))


def test_a_function_refuses_an_expired_token_and_a_call_without_one(em: Emulator) -> None:
    token = id_token(em, f"{em.url}/functions/f")
    response = call(em, "GET", "/functions/f")
    assert response.status == 403
    assert b"Error: Forbidden" in response.data
    em.fault({"clock_skew": 3700})
    response = call(em, "GET", "/functions/f", token=token)
    assert response.status == 401
    assert "expired" in response.headers["WWW-Authenticate"]


def test_the_serverless_header_is_the_one_that_counts(em: Emulator) -> None:
    token = id_token(em, f"{em.url}/functions/f")
    both = {"X-Serverless-Authorization": f"Bearer {token}", "Authorization": "Bearer for-the-app"}
    response = call(em, "GET", "/functions/f", headers=both)
    assert good(response)["caller"]["email"] == ROBOT
    assert b"for-the-app" not in response.data
    wrong = {"X-Serverless-Authorization": "Bearer wrong", "Authorization": f"Bearer {token}"}
    assert call(em, "GET", "/functions/f", headers=wrong).status == 401


@pytest.mark.parametrize(
    ("host", "path", "audience", "status"),
    [
        (RUN, "/", f"https://{RUN}", 200),
        (RUN, "/token", f"https://{RUN}", 200),
        (RUN, "/a/b", f"https://{RUN}/a/b", 200),
        (f"v2---{RUN}", "/", f"https://{RUN}", 200),
        (f"v2---{RUN}", "/", f"https://v2---{RUN}", 401),
        (RUN, "/", "https://other-abc-uc.a.run.app", 401),
        (RUN, "/", f"https://{RUN}.evil.example", 401),
        (FUNCTIONS, "/get_range", f"https://{FUNCTIONS}/get_range", 200),
        (FUNCTIONS, "/get_range/more", f"https://{FUNCTIONS}/get_range", 200),
        (FUNCTIONS, "/get_range", f"https://{FUNCTIONS}/other", 401),
        (FUNCTIONS, "/get_range", f"https://{FUNCTIONS}", 401),
        (FUNCTIONS, "/get_range/more", f"https://{FUNCTIONS}/get_range/more", 401),
    ],
)
def test_googles_own_hosts_want_their_own_audience(
    em: Emulator, host: str, path: str, audience: str, status: int
) -> None:
    assert call(em, "GET", path, host=host, token=id_token(em, audience)).status == status


def test_protected_takes_an_access_token_and_echoes_the_quota_project(em: Emulator) -> None:
    headers = {"x-goog-user-project": "billing-project"}
    echo = good(call(em, "GET", "/v1/protected", token=access_token(em), headers=headers))
    assert echo["quota_project"] == "billing-project"
    assert echo["scopes"] == [CLOUD]
    headers = {"x-goog-user-project": "emulator-denied"}
    refused = call(em, "GET", "/v1/protected", token=access_token(em), headers=headers)
    assert api_error(refused) == (403, "PERMISSION_DENIED", "USER_PROJECT_DENIED")


@pytest.mark.parametrize(
    ("granted", "wanted", "status"),
    [
        ("cloud-platform", "cloud-platform", 200),
        ("cloud-platform", "https://www.googleapis.com/auth/cloud-platform", 200),
        ("cloud-platform", "devstorage.read_only", 200),
        ("cloud-platform", "drive", 403),
        ("cloud-platform", "userinfo.email", 403),
        ("devstorage.read_only", "devstorage.read_only", 200),
        ("devstorage.read_only", "devstorage.read_write", 403),
        ("devstorage.read_only", "cloud-platform", 403),
    ],
)
def test_protected_wants_the_scope_it_is_told_to(em: Emulator, granted: str, wanted: str, status: int) -> None:
    token = access_token(em, f"https://www.googleapis.com/auth/{granted}")
    response = call(em, "GET", f"/v1/protected?scope={wanted}", token=token)
    assert response.status == status
    if status == 403:
        assert api_error(response)[2] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


def test_protected_refuses_as_the_gateway_does(em: Emulator) -> None:
    missing = call(em, "GET", "/v1/protected")
    assert api_error(missing) == (401, "UNAUTHENTICATED", "CREDENTIALS_MISSING")
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="https://accounts.google.com/"'
    for token in ("ya29.nope", "two words", "eyJ.a.b"):
        invalid = call(em, "GET", "/v1/protected", token=token)
        assert api_error(invalid) == (401, "UNAUTHENTICATED", "")
        assert 'error="invalid_token"' in invalid.headers["WWW-Authenticate"]
    identity = call(em, "GET", "/v1/protected", token=id_token(em, em.url))
    assert api_error(identity)[2] == "ACCESS_TOKEN_TYPE_UNSUPPORTED"
    token = access_token(em)
    em.fault({"clock_skew": 3700})
    assert api_error(call(em, "GET", "/v1/protected", token=token))[2] == "ACCESS_TOKEN_EXPIRED"


def self_signed(em: Emulator, changes: dict[str, object], headers: dict[str, object] | None = None) -> str:
    now = int(time.time())
    claims: dict[str, object] = {"iss": ROBOT, "sub": ROBOT, "iat": now, "exp": now + 3600, **changes}
    return sign(em, {name: value for name, value in claims.items() if value is not None}, headers)


def test_a_self_signed_jwt_of_a_known_account_is_accepted_in_both_forms(em: Emulator) -> None:
    accepted: list[tuple[str, dict[str, object]]] = [
        ("", {"aud": f"{em.url}/"}),
        ("", {"scope": CLOUD}),
        ("", {"scope": CLOUD, "aud": ""}),
        ("pubsub.googleapis.com", {"aud": "https://pubsub.googleapis.com/"}),
    ]
    for host, changes in accepted:
        token = self_signed(em, changes)
        assert good(call(em, "GET", "/v1/protected", token=token, host=host))["caller"]["email"] == ROBOT


def test_a_bad_self_signed_jwt_is_refused(em: Emulator) -> None:
    now = int(time.time())
    refused: list[tuple[dict[str, object], dict[str, object] | None]] = [
        ({"aud": "https://other.googleapis.com/"}, None),
        ({"aud": em.url}, None),
        ({"aud": f"{em.url}/", "scope": CLOUD}, None),
        ({}, None),
        ({"scope": "nonsense"}, None),
        ({"aud": f"{em.url}/", "exp": now + 4000}, None),
        ({"aud": f"{em.url}/", "iat": now - 4000, "exp": now - 400}, None),
        ({"aud": f"{em.url}/", "iss": "nobody@example.com", "sub": "nobody@example.com"}, None),
        ({"aud": f"{em.url}/", "sub": "ada@example.com"}, None),
        ({"aud": f"{em.url}/"}, {"kid": None}),
        ({"aud": f"{em.url}/"}, {"kid": "emulator-unknown"}),
    ]
    for changes, headers in refused:
        assert call(em, "GET", "/v1/protected", token=self_signed(em, changes, headers)).status == 401, changes
    narrow = self_signed(em, {"scope": "https://www.googleapis.com/auth/devstorage.read_only"})
    assert call(em, "GET", "/v1/protected?scope=cloud-platform", token=narrow).status == 403


def test_any_other_google_api_is_a_generic_one(em: Emulator) -> None:
    token = user_token(em)
    for host, path in (("bigquery.googleapis.com", "/token"), ("www.googleapis.com", "/calendar/v3/calendars")):
        echo = good(call(em, "GET", f"{path}?project=p", token=token, host=host))
        assert (echo["host"], echo["path"], echo["caller"]["email"]) == (host, path, "ada@example.com")
        assert call(em, "GET", path, host=host).status == 401
    assert call(em, "GET", "/nothing", token=token).status == 404


def test_the_project_can_be_looked_up_by_number(em: Emulator) -> None:
    host = "cloudresourcemanager.googleapis.com"
    project = good(call(em, "GET", "/v1/projects/123456789012", token=access_token(em), host=host))
    assert (project["projectId"], project["projectNumber"]) == ("emulator-project", "123456789012")
    assert project["lifecycleState"] == "ACTIVE"
    assert call(em, "GET", "/v1/projects/9", token=access_token(em), host=host).status == 403


def test_large_bodies_stream_through_in_both_directions(em: Emulator) -> None:
    token = id_token(em, f"{em.url}/functions/f")
    body = bytes(range(256)) * 40_000
    echo = good(call(em, "POST", "/functions/f", token=token, body=body))
    assert echo["body_length"] == len(body)
    assert echo["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert "body" not in echo
    response = call(em, "GET", "/functions/f?size=5000001", token=token)
    assert (response.status, len(response.data)) == (200, 5_000_001)
    assert em.log()[-1]["status"] == 200
