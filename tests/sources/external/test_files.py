"""Federation files: every field that can be wrong is named, nothing is sent, and the subject's file is read in full."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from gbearer.errors import BadCredentials, UsageError
from sources.external.hands import (
    AUDIENCE,
    IMPERSONATION,
    POOL,
    TARGET,
    TYPE,
    document,
    find,
    made_up,
    refusal,
    subject,
    write,
)

TOKEN = made_up()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


def load(tmp_path: Path, content: object, **options: Any) -> Any:
    return find(options.pop("env", {}), credentials=write(tmp_path / "fed.json", content), **options)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"audience": None}, "audience is missing"),
        ({"audience": 7}, "audience is a number"),
        ({"subject_token_type": None}, "subject_token_type is missing"),
        ({"subject_token_type": f"{TYPE}nothing"}, "subject_token_type"),
        ({"token_url": None}, "token_url is missing"),
        ({"credential_source": None}, "credential_source is missing"),
        ({"credential_source": {}}, "credential_source is missing"),
        ({"credential_source": "file"}, "credential_source is no object"),
        ({"credential_source": {"elsewhere": 1}}, "none of file, url, executable, certificate"),
        ({"credential_source": {"file": "/x", "url": "https://x.example"}}, "file and url"),
        ({"credential_source": {"file": 7}}, "credential_source.file is no path"),
        ({"credential_source": {"file": "/x", "format": {"type": "xml"}}}, "not text or json"),
        ({"credential_source": {"file": "/x", "format": {"type": "json"}}}, "subject_token_field_name is missing"),
        ({"service_account_impersonation": {"token_lifetime_seconds": "900"}}, "is no whole number"),
        ({"service_account_impersonation": {"token_lifetime_seconds": True}}, "is no whole number"),
        ({"service_account_impersonation": {"token_lifetime_seconds": 599}}, "outside 600 to 43200"),
        ({"service_account_impersonation": {"token_lifetime_seconds": 43201}}, "outside 600 to 43200"),
        ({"workforce_pool_user_project": "some-project"}, "workforce_pool_user_project is for workforce pools"),
        ({"quota_project_id": "a b"}, "quota_project_id"),
        ({"service_account_impersonation_url": IMPERSONATION.replace(TARGET, "me")}, "names no service account"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, token_file: Path, change: dict[str, object], named: str) -> None:
    content = document({"file": str(token_file)}, **change)
    assert named in refusal(BadCredentials, lambda: load(tmp_path, content))


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        (f"//iam.googleapis.com/{POOL}", "is a pool, not a provider"),
        (AUDIENCE.replace("123456789012", "my-project"), "gcloud projects describe my-project"),
        (f"https:{AUDIENCE}", "does not begin with //iam.googleapis.com/projects/NUMBER/"),
        (AUDIENCE.removeprefix("//iam.googleapis.com/"), "does not begin with"),
        (AUDIENCE.replace("emulator-pool", "${POOL}"), "a variable in it that was not filled in"),
        ("//iam.googleapis.com/elsewhere", "is no provider"),
    ],
)
def test_an_audience_that_names_no_provider(tmp_path: Path, token_file: Path, audience: str, said: str) -> None:
    content = document({"file": str(token_file)}, audience=audience)
    assert said in refusal(BadCredentials, lambda: load(tmp_path, content))


@pytest.mark.parametrize(
    ("audience", "principal"),
    [
        (AUDIENCE, f"principal://iam.googleapis.com/{POOL}/subject/somebody"),
        (
            "//iam.googleapis.com/locations/global/workforcePools/my-pool/providers/my-provider",
            "principal://iam.googleapis.com/locations/global/workforcePools/my-pool/subject/somebody",
        ),
        ("identitynamespace:fleet.svc.id.goog:https://gkehub.googleapis.com/projects/fleet/x", ""),
    ],
)
def test_workload_pools_workforce_pools_and_fleets(
    tmp_path: Path, token_file: Path, audience: str, principal: str
) -> None:
    source, _ = load(tmp_path, document({"file": str(token_file)}, audience=audience))
    assert source.federation.audience == audience
    assert source.federation.principal("somebody") == principal


def test_what_the_file_says_beside_the_exchange(tmp_path: Path, token_file: Path) -> None:
    content = document(
        {"file": str(token_file)},
        service_account_impersonation_url=IMPERSONATION,
        service_account_impersonation={"token_lifetime_seconds": 2800},
        quota_project_id="charged",
    )
    source, look = load(tmp_path, content)
    assert source.impersonate == (TARGET,)
    assert (source.lifetime, source.quota_project) == (2800, "charged")
    assert source.name == "file"
    assert look.steps[-1].reason == f"federation, acting as {TARGET}"


@pytest.mark.parametrize(
    "content",
    [TOKEN, f"{TOKEN}\n", f"\ufeff{TOKEN}\r\n\r\n", f"  {TOKEN}\t"],
    ids=["bare", "newline", "windows", "blanks"],
)
def test_white_space_around_the_subject_token_does_not_count(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    source, _ = load(tmp_path, document({"file": str(path)}))
    assert subject(source) == TOKEN


def test_the_field_of_a_json_document(tmp_path: Path) -> None:
    path = write(tmp_path / "token.json", {"access_token": TOKEN, "expires_in": 3600})
    form = {"type": "json", "subject_token_field_name": "access_token"}
    source, _ = load(tmp_path, document({"file": path, "format": form}))
    assert subject(source) == TOKEN


@pytest.mark.parametrize(
    ("content", "form", "said"),
    [
        (None, None, "there is no subject token file"),
        (b"", None, "is empty"),
        (b" \n", None, "holds no subject token"),
        (b'{"id_token": "x"}', None, "it looks like JSON"),
        (b"two words", None, "holds is no token"),
        (b"\xff\xfe\x00", None, "holds is no token"),
        (b"not json", "id_token", "it is no JSON"),
        (b'["list"]', "id_token", "it is no JSON"),
        (b'{"other": "x", "more": 1}', "id_token", "its fields are 'other', 'more'"),
        (b'{"id_token": 7}', "id_token", "id_token is no text"),
        (b'{"id_token": ""}', "id_token", "holds no subject token"),
    ],
)
def test_a_subject_token_file_that_holds_none(
    tmp_path: Path, content: bytes | None, form: str | None, said: str
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    named: dict[str, object] = {"file": str(path)}
    if form:
        named["format"] = {"type": "json", "subject_token_field_name": form}
    text = refusal(BadCredentials, lambda: load(tmp_path, document(named)))
    assert said in text
    assert str(path) in text


def test_a_subject_token_that_ended_long_ago_is_not_sent(tmp_path: Path) -> None:
    path = write(tmp_path / "token", made_up(exp=int(time.time()) - 3600))
    text = refusal(BadCredentials, lambda: load(tmp_path, document({"file": path})))
    assert "has ended 60 min ago" in text
    late = write(tmp_path / "late", made_up(exp=int(time.time()) - 60))  # a clock may be wrong by that
    load(tmp_path, document({"file": late}))


def test_a_saml_response_is_read_for_its_subject(tmp_path: Path) -> None:
    xml = (
        '<samlp:Response xmlns:samlp="p"><saml:Issuer>https://idp.example</saml:Issuer><saml:Assertion><saml:Subject>'
        '<saml:NameID Format="x">ada@example.com</saml:NameID></saml:Subject></saml:Assertion></samlp:Response>'
    )
    path = write(tmp_path / "saml", base64.b64encode(xml.encode()).decode() + "\n")
    source, _ = load(tmp_path, document({"file": path}, subject_token_type=f"{TYPE}saml2"))
    identity = source.identify(None)
    assert identity.subject == "ada@example.com"
    assert dict(identity.rows) == {"issuer": "https://idp.example", "subject": "ada@example.com (15 of 127 bytes)"}


def test_the_fingerprint_follows_the_identity_and_not_the_token(tmp_path: Path) -> None:
    """A rotated token is the same identity; another subject in the same place, as on another machine, is not."""
    path = tmp_path / "token"
    prints = []
    for claims in ({"exp": 9999999999}, {"exp": 9999999998, "iat": 7}, {"sub": "another"}, {"repository": "other"}):
        path.write_text(made_up(**claims))
        prints.append(load(tmp_path, document({"file": str(path)}))[0].fingerprint)
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
    acting = load(tmp_path, document({"file": str(path)}, service_account_impersonation_url=IMPERSONATION))[0]
    assert acting.fingerprint not in prints


def test_the_subject_token_file_is_among_the_files_that_the_warm_path_watches(tmp_path: Path) -> None:
    path = write(tmp_path / "token", TOKEN)
    _, look = load(tmp_path, document({"file": path}))
    assert look.remember
    assert path in look.files


def test_inline_federation_is_never_remembered(tmp_path: Path) -> None:
    path = write(tmp_path / "token", TOKEN)
    _, look = find({}, credentials=json.dumps(document({"file": path})))
    assert not look.remember


def test_a_real_provider_is_not_spoken_of_to_an_emulator(tmp_path: Path) -> None:
    path = write(tmp_path / "token", TOKEN)
    content = document({"file": path}, audience=AUDIENCE.replace("emulator-pool", "real-pool"))
    text = refusal(BadCredentials, lambda: load(tmp_path, content, env={"GBEARER_EMULATOR_HOST": "127.0.0.1:1"}))
    assert "holds a real provider" in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "github"}, "--source github needs a provider"),
        ({"source": "aws"}, "add --provider projects/NUMBER/"),
        ({"provider": POOL}, "--provider needs to know who vouches"),
        ({"source": "azure", "provider": POOL}, "is a pool, not a provider"),
        ({"source": "azure", "provider": AUDIENCE.replace("123456789012", "id")}, "gcloud projects describe id"),
        ({"expect_role": "admin"}, "is no ARN of AWS"),
    ],
)
def test_options_that_do_not_make_a_federation(options: dict[str, Any], said: str) -> None:
    assert said in refusal(UsageError, lambda: find({}, **options), why=False)


def test_the_roles_of_aws_are_for_aws(tmp_path: Path, token_file: Path) -> None:
    content = document({"file": str(token_file)})
    role = "arn:aws:iam::123456789012:role/app"
    refusal(UsageError, lambda: load(tmp_path, content, expect_role=role))


def test_a_federation_file_is_found_by_the_usual_variable(tmp_path: Path, token_file: Path) -> None:
    env = {"GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "adc.json", document({"file": str(token_file)}))}
    source, _ = find(env, source="adc")
    assert source.name == "adc"
