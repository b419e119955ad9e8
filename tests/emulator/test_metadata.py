"""The metadata server: headers both ways, listings, recursion, waiting, tokens that age, lenient audiences."""

import json
import time

import pytest

from emulator.hands import CLOUD, DEFAULT, EMAIL_SCOPE, FLAVOR, call, claims_of, good
from gbearer.emulator import Emulator

V1 = "/computeMetadata/v1"
ACCOUNT = f"{V1}/instance/service-accounts/default"


def read(em: Emulator, path: str) -> str:
    response = call(em, "GET", path, headers=FLAVOR)
    assert response.status == 200, response.data
    assert response.headers["Metadata-Flavor"] == "Google"
    return response.data.decode()


def test_the_ping_needs_no_header_and_shows_the_flavor(em: Emulator) -> None:
    response = call(em, "GET", "/")
    assert (response.status, response.data) == (200, b"computeMetadata/\n")
    assert response.headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize("headers", [{}, {"Metadata-Flavor": "Vanilla"}, {**FLAVOR, "X-Forwarded-For": "10.0.0.1"}])
def test_a_missing_flavor_or_a_forwarded_request_is_forbidden(em: Emulator, headers: dict[str, str]) -> None:
    response = call(em, "GET", f"{ACCOUNT}/token", headers=headers)
    assert response.status == 403
    assert response.headers["Metadata-Flavor"] == "Google"
    assert response.headers["Content-Type"] == "text/html; charset=UTF-8"


@pytest.mark.parametrize("host", ["", "metadata.google.internal", "169.254.169.254"])
def test_values_are_plain_text_whatever_the_host_is_called(em: Emulator, host: str) -> None:
    response = call(em, "GET", f"{V1}/project/project-id", headers=FLAVOR, host=host)
    assert response.data == b"emulator-project"
    assert response.headers["Content-Type"] == "application/text"
    assert len(response.headers["ETag"]) == 16
    assert read(em, f"{V1}/project/numeric-project-id") == "123456789012"
    assert read(em, f"{ACCOUNT}/email") == DEFAULT
    assert read(em, f"{ACCOUNT}/scopes").splitlines() == [CLOUD, EMAIL_SCOPE]
    assert read(em, f"{ACCOUNT}/aliases") == "default\n"


def test_directories_are_listed_with_a_slash_and_redirected_to_it(em: Emulator) -> None:
    assert read(em, f"{V1}/instance/service-accounts/") == f"default/\n{DEFAULT}/\n"
    assert "service-accounts/" in read(em, f"{V1}/instance/").splitlines()
    assert "zone" in read(em, f"{V1}/instance/").splitlines()
    response = call(em, "GET", f"{V1}/instance?alt=json", headers=FLAVOR)
    assert (response.status, response.headers["Location"]) == (301, f"{V1}/instance/?alt=json")


@pytest.mark.parametrize(
    "path", [f"{V1}/nothing", f"{V1}/project/nothing", f"{V1}/universe/universe-domain",
             f"{V1}/instance/service-accounts/other@x/token", "/computeMetadata/v2/"],
)  # fmt: skip
def test_an_unknown_path_and_the_universe_are_not_found(em: Emulator, path: str) -> None:
    response = call(em, "GET", path, headers=FLAVOR)
    assert response.status == 404
    assert response.headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize("name", ["default", DEFAULT])
def test_recursive_gives_the_account_as_json_without_tokens(em: Emulator, name: str) -> None:
    path = f"{V1}/instance/service-accounts/{name}/?recursive=true"
    response = call(em, "GET", path, headers=FLAVOR)
    assert response.headers["Content-Type"] == "application/json"
    assert good(response) == {"aliases": ["default"], "email": DEFAULT, "scopes": [CLOUD, EMAIL_SCOPE]}


def test_recursive_names_are_camel_case_and_alt_chooses_the_form(em: Emulator) -> None:
    project = json.loads(read(em, f"{V1}/project/?recursive=true"))
    assert project["projectId"] == "emulator-project"
    assert project["numericProjectId"] == 123456789012
    assert "serviceAccounts" in json.loads(read(em, f"{V1}/instance/?recursive=true"))
    assert json.loads(read(em, f"{V1}/project/project-id?alt=json")) == "emulator-project"
    assert "project-id emulator-project" in read(em, f"{V1}/project/?recursive=true&alt=text").splitlines()
    assert call(em, "GET", f"{V1}/project/project-id?alt=xml", headers=FLAVOR).status == 400


def test_waiting_for_a_change_ends_at_once_for_another_etag_and_at_the_timeout_for_the_same(em: Emulator) -> None:
    path = f"{V1}/instance/maintenance-event"
    etag = call(em, "GET", path, headers=FLAVOR).headers["ETag"]
    began = time.monotonic()
    assert read(em, f"{path}?wait_for_change=true&last_etag=0") == "NONE"
    assert time.monotonic() - began < 1
    assert read(em, f"{path}?wait_for_change=true&timeout_sec=1&last_etag={etag}") == "NONE"
    assert time.monotonic() - began >= 1
    assert call(em, "GET", f"{path}?wait_for_change=true&timeout_sec=x", headers=FLAVOR).status == 400


def test_the_same_token_comes_back_with_less_life_until_shortly_before_its_end(em: Emulator) -> None:
    first = good(call(em, "GET", f"{ACCOUNT}/token", headers=FLAVOR))
    assert first["token_type"] == "Bearer"
    assert 3595 <= first["expires_in"] <= 3599
    em.fault({"clock_skew": 3300})
    second = good(call(em, "GET", f"{ACCOUNT}/token", headers=FLAVOR))
    assert second["access_token"] == first["access_token"]
    assert 295 <= second["expires_in"] <= 300
    em.fault({"clock_skew": 3600 - 235})
    third = good(call(em, "GET", f"{ACCOUNT}/token", headers=FLAVOR))
    assert third["access_token"] != first["access_token"]
    assert third["expires_in"] >= 3595


def test_scopes_limit_the_token_and_every_set_has_its_own(em: Emulator) -> None:
    storage = "https://www.googleapis.com/auth/devstorage.read_only"
    narrow = good(call(em, "GET", f"{ACCOUNT}/token?scopes={storage}", headers=FLAVOR))["access_token"]
    both = good(call(em, "GET", f"{ACCOUNT}/token?scopes={storage}%2C{CLOUD}", headers=FLAVOR))["access_token"]
    swapped = good(call(em, "GET", f"{ACCOUNT}/token?scopes={CLOUD},{storage}", headers=FLAVOR))["access_token"]
    assert narrow != both == swapped
    assert call(em, "GET", "/v1/protected?scope=cloud-platform", token=narrow).status == 403
    assert good(call(em, "GET", "/v1/protected?scope=cloud-platform", token=both))["caller"]["email"] == DEFAULT
    assert call(em, "GET", f"{ACCOUNT}/token?scopes=nonsense", headers=FLAVOR).status == 400


def test_a_post_for_a_bound_token_is_answered_and_other_posts_are_not(em: Emulator) -> None:
    body = {"certificate_chain": "-----BEGIN CERTIFICATE-----"}
    assert good(call(em, "POST", f"{ACCOUNT}/token", headers=FLAVOR, body=body))["access_token"]
    assert call(em, "POST", f"{V1}/project/project-id", headers=FLAVOR, body={}).status == 405


@pytest.mark.parametrize(
    "query",
    ["format=full&audience=https://aud/x?y=1", "audience=https%3A%2F%2Faud%2Fx%3Fy%3D1&format=full",
     "audience=https://aud/x?y=1&format=full&licenses=TRUE"],
)  # fmt: skip
def test_an_audience_is_understood_encoded_or_not(em: Emulator, query: str) -> None:
    response = call(em, "GET", f"{ACCOUNT}/identity?{query}", headers=FLAVOR)
    assert response.headers["Content-Type"] == "text/html"
    claims = claims_of(em, response.data.decode())
    assert claims["aud"] == "https://aud/x?y=1"
    assert claims["email"] == DEFAULT
    engine = claims["google"]["compute_engine"]
    assert engine["project_number"] == 123456789012
    assert isinstance(engine["instance_id"], str)
    assert ("license_id" in engine) is ("licenses" in query)


def test_an_un_encoded_audience_may_have_a_query_of_its_own(em: Emulator) -> None:
    token = read(em, f"{ACCOUNT}/identity?format=full&audience=https://aud/x?y=1&z=2")
    assert claims_of(em, token)["aud"] == "https://aud/x?y=1&z=2"


def test_the_standard_format_names_nothing_but_the_id_and_is_kept(em: Emulator) -> None:
    token = read(em, f"{ACCOUNT}/identity?audience=https://f.run.app")
    assert set(claims_of(em, token)) == {"aud", "azp", "exp", "iat", "iss", "sub"}
    assert read(em, f"{ACCOUNT}/identity?audience=https://f.run.app") == token
    assert read(em, f"{ACCOUNT}/identity?audience=https://g.run.app") != token


@pytest.mark.parametrize("query", ["", "?audience=", "?format=full", "?audience=x&format=odd"])
def test_an_identity_needs_an_audience_and_a_known_format(em: Emulator, query: str) -> None:
    response = call(em, "GET", f"{ACCOUNT}/identity{query}", headers=FLAVOR)
    assert response.status == 400
    if "odd" not in query:
        assert b"non-empty audience parameter required" in response.data
