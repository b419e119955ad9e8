"""GitHub Actions, GitLab and Azure without a file: what is asked there, and what is said where it cannot be."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gbearer.errors import BadCredentials, CredentialsNotFound, Unreachable
from sources.external.hands import AUDIENCE, POOL, Platform, document, find, made_up, platform, refusal, subject, write

PROVIDER = f"{POOL}/providers/elsewhere"
URL = "https%3A%2F%2Fiam.googleapis.com%2F" + PROVIDER.replace("/", "%2F")
TOKEN = made_up(repository="octo/repo", iss="https://token.actions.githubusercontent.com")
HERE: dict[str, Any] = {"provider": PROVIDER}


@pytest.fixture
def there() -> Iterator[Platform]:
    with platform() as server:
        yield server


def github(there: Platform, **more: str) -> Any:
    env = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{there.url}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-secret",
        **more,
    }
    return find(env, source="github", **HERE)


def test_github_is_asked_for_the_providers_own_audience(there: Platform) -> None:
    there.answer = 200, json.dumps({"value": TOKEN, "count": 1}).encode()
    source, look = github(there)
    assert subject(source) == TOKEN
    (asked,) = there.asked
    assert asked.target == f"/token?api-version=2.0&audience={URL}"
    assert asked.headers["authorization"] == "Bearer request-secret"
    assert source.name == "github"
    assert not look.remember
    identity = source.identify(None)
    assert identity.subject == "somebody"
    assert identity.groups == (("repository", "octo/repo"),)
    assert len(there.asked) == 1  # it is not asked twice for whom it speaks of


@pytest.mark.parametrize("name", ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
def test_a_github_job_without_the_permission(there: Platform, name: str) -> None:
    text = refusal(CredentialsNotFound, lambda: github(there, **{name: ""}))
    assert f"{name} is not set" in text
    assert "id-token: write" in text


def test_jobs_never_share_a_token(there: Platform) -> None:
    one = github(there)[0].fingerprint
    assert one == github(there)[0].fingerprint
    assert one != github(there, ACTIONS_ID_TOKEN_REQUEST_TOKEN="another")[0].fingerprint


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((403, b"no"), BadCredentials, "answered 403"),
        ((500, b""), Unreachable, "answered 500"),
        ((302, b""), Unreachable, "points to http://127.0.0.1:1"),
        ((200, b"{}"), BadCredentials, "in the field 'value'"),
        ((200, b"<html>"), BadCredentials, "it is no JSON"),
    ],
)
def test_what_github_may_answer(there: Platform, answer: tuple[int, bytes], kind: Any, said: str) -> None:
    there.answer = answer
    source, _ = github(there)
    text = refusal(kind, lambda: subject(source))
    assert said in text
    assert "request-secret" not in text


def test_the_secret_of_a_job_goes_nowhere_in_plain_http() -> None:
    env = {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://evil.example/x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s"}
    text = refusal(BadCredentials, lambda: find(env, source="github", **HERE))
    assert "ACTIONS_ID_TOKEN_REQUEST_URL" in text


@pytest.mark.parametrize("name", ["GITLAB_OIDC_TOKEN", "GBEARER_ID_TOKEN", "GCP_ID_TOKEN", "ID_TOKEN"])
def test_gitlab_has_its_token_in_a_variable(name: str) -> None:
    source, look = find({name: f"{TOKEN}\n"}, source="gitlab", **HERE)
    assert subject(source) == TOKEN
    assert source.federation is not None
    assert source.federation.audience == f"//iam.googleapis.com/{PROVIDER}"
    assert look.steps[-1].reason == f"{name} is set"


def test_a_gitlab_job_without_an_id_token() -> None:
    text = refusal(CredentialsNotFound, lambda: find({}, source="gitlab", **HERE))
    assert f"id_tokens: {{GITLAB_OIDC_TOKEN: {{aud: https://iam.googleapis.com/{PROVIDER}}}}}" in text


def test_a_gitlab_variable_that_holds_no_token() -> None:
    text = refusal(BadCredentials, lambda: find({"ID_TOKEN": "two words"}, source="gitlab", **HERE))
    assert "the variable ID_TOKEN" in text


def azure(env: dict[str, str]) -> Any:
    return find(env, source="azure", **HERE)


def test_azures_virtual_machines(there: Platform) -> None:
    there.answer = 200, json.dumps({"access_token": TOKEN}).encode()
    source, look = azure({"AZURE_POD_IDENTITY_AUTHORITY_HOST": there.url})
    assert subject(source) == TOKEN
    (asked,) = there.asked
    assert asked.target == f"/metadata/identity/oauth2/token?api-version=2018-02-01&resource={URL}"
    assert asked.headers["metadata"] == "true"
    assert not look.remember


def test_azures_app_service_and_a_chosen_identity(there: Platform) -> None:
    there.answer = 200, json.dumps({"access_token": TOKEN}).encode()
    env = {
        "IDENTITY_ENDPOINT": f"{there.url}/msi/token",
        "IDENTITY_HEADER": "a-secret",
        "AZURE_CLIENT_ID": "11-22",
        "GBEARER_AZURE_RESOURCE": "api://app",
    }
    assert subject(azure(env)[0]) == TOKEN
    (asked,) = there.asked
    assert asked.target == "/msi/token?api-version=2019-08-01&resource=api%3A%2F%2Fapp&client_id=11-22"
    assert asked.headers["x-identity-header"] == "a-secret"


def test_azure_without_a_managed_identity(there: Platform) -> None:
    there.answer = 400, b'{"error": "invalid_request", "error_description": "Identity not found"}'
    source, _ = azure({"AZURE_POD_IDENTITY_AUTHORITY_HOST": there.url})
    text = refusal(BadCredentials, lambda: subject(source))
    assert "Identity not found" in text
    assert "turn on a managed identity" in text


def test_the_usual_address_of_azure_is_not_sent_to_google() -> None:
    """The same address as Google's metadata server: neither its variables nor the emulator's lead it astray."""
    from gbearer import endpoints

    url = endpoints.parse("http://169.254.169.254/metadata/identity/oauth2/token?x")
    assert endpoints.route(url, {"GBEARER_EMULATOR_HOST": "127.0.0.1:1", "GCE_METADATA_HOST": "127.0.0.1:2"}) is url


def test_a_provider_may_be_written_with_its_host() -> None:
    env = {"ID_TOKEN": TOKEN}
    for form in (PROVIDER, f"//iam.googleapis.com/{PROVIDER}", f"https://iam.googleapis.com/{PROVIDER}"):
        source, _ = find(env, source="gitlab", provider=form)
        assert source.federation is not None
        assert source.federation.provider == PROVIDER


def test_a_subject_url_is_asked_with_the_files_headers(there: Platform, tmp_path: Any) -> None:
    there.answer = 200, json.dumps({"id": TOKEN}).encode()
    content = document(
        {
            "url": f"{there.url}/x?y=z",
            "headers": {"Metadata": "True"},
            "format": {"type": "json", "subject_token_field_name": "id"},
        },
        audience=AUDIENCE,
    )
    source, look = find({}, credentials=write(tmp_path / "fed.json", content))
    assert subject(source) == TOKEN
    (asked,) = there.asked
    assert (asked.method, asked.target, asked.headers["metadata"]) == ("GET", "/x?y=z", "True")
    assert not look.remember


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((404, b"gone"), BadCredentials, "answered 404"),
        ((503, b""), Unreachable, "answered 503"),
        ((200, b""), BadCredentials, "it is empty"),
        ((302, b""), Unreachable, "never sent on"),
    ],
)
def test_a_subject_url_that_gives_no_token(
    there: Platform, tmp_path: Any, answer: tuple[int, bytes], kind: Any, said: str
) -> None:
    there.answer = answer
    path = write(tmp_path / "fed.json", document({"url": f"{there.url}/x"}))
    source, _ = find({}, credentials=path)
    text = refusal(kind, lambda: subject(source))
    assert said in text
    assert path in text or there.url in text


def test_a_subject_url_where_nobody_listens(tmp_path: Any) -> None:
    path = write(tmp_path / "fed.json", document({"url": "http://127.0.0.1:1/x"}))
    source, _ = find({}, credentials=path)
    text = refusal(Unreachable, lambda: subject(source))
    assert "no subject token" in text
    assert path in text
