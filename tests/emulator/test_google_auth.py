"""Google's own Python library, unchanged, against the emulator: key, user, impersonation, metadata, verification."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import google.auth
import google.auth.exceptions
import google.auth.iam
import google.auth.impersonated_credentials
import google.auth.transport
import google.auth.transport.urllib3
import google.oauth2.credentials
import google.oauth2.id_token
import google.oauth2.service_account
import pytest
import urllib3

from emulator.hands import ADA, CLOUD, DEFAULT, MIDDLE, ROBOT, TARGET, TARGET2, call, good, user_file
from gbearer.emulator import Emulator


class ToEmulator(google.auth.transport.Request):
    """google-auth's urllib3 transport, with Google's hosts dialled at the emulator and named in the Host header."""

    def __init__(self, em: Emulator) -> None:
        self._url = em.url  # not `em`: the library copies its transport for a background thread
        self._pool = urllib3.PoolManager(retries=False)
        self._plain = google.auth.transport.urllib3.Request(self._pool)

    def close(self) -> None:
        self._pool.clear()

    def __call__(  # type: ignore[no-untyped-def]  # as in the library
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: Any = None, **kwargs
    ) -> Any:
        parts = urlsplit(url)
        given: Mapping[str, str] = headers or {}
        if parts.hostname is not None and parts.hostname.endswith("googleapis.com"):
            given = {**given, "Host": parts.netloc}
            url = f"{self._url}{url.partition(parts.netloc)[2]}"
        return self._plain(url, method=method, body=body, headers=dict(given), timeout=timeout or 10, **kwargs)


@pytest.fixture
def request_to(em: Emulator) -> Iterator[ToEmulator]:
    transport = ToEmulator(em)
    yield transport
    transport.close()


@pytest.fixture
def caller_of(em: Emulator) -> Callable[[str], str]:
    def ask(token: str) -> str:
        return str(good(call(em, "GET", "/v1/protected?scope=cloud-platform", token=token))["caller"]["email"])

    return ask


def key(em: Emulator) -> Any:
    return google.oauth2.service_account.Credentials.from_service_account_file(str(em.key_file), scopes=[CLOUD])


def impersonated(em: Emulator) -> Any:
    info = json.loads(em.impersonated_file.read_text())
    kind = google.auth.impersonated_credentials.Credentials
    return kind.from_impersonated_service_account_info(info, scopes=[CLOUD])


def test_the_key_gives_an_access_token(em: Emulator, request_to: ToEmulator, caller_of: Callable[[str], str]) -> None:
    credentials = key(em)
    credentials.refresh(request_to)
    assert credentials.expiry is not None
    assert caller_of(credentials.token) == ROBOT


def test_the_key_gives_an_id_token_that_the_library_verifies(em: Emulator, request_to: ToEmulator) -> None:
    audience = f"{em.url}/functions/f"
    credentials = google.oauth2.service_account.IDTokenCredentials.from_service_account_file(
        str(em.key_file), target_audience=audience
    )
    credentials.refresh(request_to)
    assert good(call(em, "POST", "/functions/f", token=credentials.token, body={}))["caller"]["email"] == ROBOT
    for version in ("v1", "v3"):
        claims = google.oauth2.id_token.verify_token(
            credentials.token, request_to, audience, certs_url=f"{em.url}/oauth2/{version}/certs"
        )
        assert claims["email"] == ROBOT


def test_the_key_gives_an_id_token_through_iam_with_string_booleans(em: Emulator, request_to: ToEmulator) -> None:
    audience = f"{em.url}/functions/f"
    plain = google.oauth2.service_account.IDTokenCredentials.from_service_account_file(
        str(em.key_file), target_audience=audience
    )
    credentials = plain._with_use_iam_endpoint(True)
    credentials.refresh(request_to)
    assert good(call(em, "POST", "/functions/f", token=credentials.token))["caller"]["email"] == ROBOT
    assert any(entry["path"].endswith(":generateIdToken") for entry in em.log())


def test_a_self_signed_jwt_of_the_library_is_accepted(em: Emulator, caller_of: Callable[[str], str]) -> None:
    credentials = google.oauth2.service_account.Credentials.from_service_account_file(str(em.key_file))
    credentials = credentials.with_always_use_jwt_access(True)
    credentials._create_self_signed_jwt(f"{em.url}/")
    credentials.refresh(None)
    assert caller_of(credentials.token) == ROBOT
    assert [entry["path"] for entry in em.log()] == ["/v1/protected"]


def test_domain_wide_delegation_with_the_library(
    em: Emulator, request_to: ToEmulator, caller_of: Callable[[str], str]
) -> None:
    credentials = key(em).with_subject(ADA)
    credentials.refresh(request_to)
    assert caller_of(credentials.token) == ADA


def test_the_user_gives_an_access_token_and_an_id_token(
    em: Emulator, request_to: ToEmulator, caller_of: Callable[[str], str]
) -> None:
    credentials = google.oauth2.credentials.Credentials.from_authorized_user_info(user_file(em))
    credentials.refresh(request_to)
    assert caller_of(credentials.token) == ADA
    assert em.log()[0]["host"] == "oauth2.googleapis.com"
    claims = google.oauth2.id_token.verify_oauth2_token(credentials.id_token, request_to, clock_skew_in_seconds=5)
    assert claims["email"] == ADA


def test_the_impersonated_file_ends_at_the_target(
    em: Emulator, request_to: ToEmulator, caller_of: Callable[[str], str]
) -> None:
    credentials = impersonated(em)
    credentials.refresh(request_to)
    assert caller_of(credentials.token) == TARGET


def test_a_chain_by_the_library_and_its_refusal(
    em: Emulator, request_to: ToEmulator, caller_of: Callable[[str], str]
) -> None:
    def acting(delegates: list[str] | None) -> Any:
        return google.auth.impersonated_credentials.Credentials(key(em), TARGET2, [CLOUD], delegates=delegates)

    credentials = acting([MIDDLE])
    credentials.refresh(request_to)
    assert caller_of(credentials.token) == TARGET2
    with pytest.raises(google.auth.exceptions.RefreshError, match=r"iam\.serviceAccounts\.getAccessToken"):
        acting(None).refresh(request_to)


def test_signing_by_iam_with_the_library(em: Emulator, request_to: ToEmulator) -> None:
    credentials = google.auth.impersonated_credentials.Credentials(key(em), TARGET, [CLOUD])
    credentials.refresh(request_to)
    signer = google.auth.iam.Signer(request_to, key(em), TARGET)
    assert len(signer.sign(b"hello")) == 256


DEFAULT_CREDENTIALS = """
import json, sys
import google.auth, google.auth.transport.urllib3, google.oauth2.id_token, urllib3
request = google.auth.transport.urllib3.Request(urllib3.PoolManager())
credentials, project = google.auth.default(scopes=[sys.argv[1]], request=request)
credentials.refresh(request)
identity = google.oauth2.id_token.fetch_id_token(request, sys.argv[2])
print(json.dumps([project, credentials.token, identity]))
"""


def test_default_credentials_of_an_unmodified_program_come_from_the_metadata_server(
    em: Emulator, caller_of: Callable[[str], str]
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NO_GCE_CHECK"} | em.env
    command = [sys.executable, "-c", DEFAULT_CREDENTIALS, CLOUD, f"{em.url}/functions/f"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    project, token, identity = json.loads(done.stdout)
    assert project == "emulator-project"
    assert caller_of(token) == DEFAULT
    assert good(call(em, "GET", "/functions/f", token=identity))["caller"]["email"] == DEFAULT
