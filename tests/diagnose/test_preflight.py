"""Every check of a federation file, offline: what is well, what will not work and why, and the names it will have."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbearer.diagnose import preflight
from gbearer.diagnose.finding import Finding
from gbearer.emulator import Emulator
from sources.external.hands import AUDIENCE, IMPERSONATION, POOL, TARGET, TYPE, document, made_up, write
from sources.external.test_certificate import KEY, LEAF, pem

AWS = {
    "environment_id": "aws1",
    "region_url": "http://169.254.169.254/latest/meta-data/placement/availability-zone",
    "url": "http://169.254.169.254/latest/meta-data/iam/security-credentials",
    "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
}
AWS_TYPE = "urn:ietf:params:aws:token-type:aws4_request"
ROLE = "arn:aws:iam::123456789012:role/team/app"
MTLS = "https://sts.mtls.googleapis.com/v1/token"


def examine(content: dict[str, Any], env: dict[str, str] | None = None, **options: Any) -> list[Finding]:
    return preflight.examine(content, "fed.json", env or {}, **options)


def bad(found: list[Finding]) -> dict[str, str]:
    return {each.about: each.text for each in found if each.level == "bad"}


def notes(found: list[Finding]) -> dict[str, str]:
    return {each.about: f"{each.text} {each.fix}" for each in found if each.level == "note"}


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    return write(tmp_path / "token", made_up(aud=f"https:{AUDIENCE}"))


def test_the_files_of_the_emulator_are_well(gbearer_emulator: Emulator, traffic: Callable[[], list[str]]) -> None:
    """All kinds, direct and acting as an account; nothing is sent, no name is looked up, no program is run."""
    env = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1", "PATH": os.environ["PATH"]}
    paths = sorted(gbearer_emulator.dir.glob("external-*.json"))
    assert len(paths) >= 12
    for path in paths:
        found = examine(json.loads(path.read_text()), env)
        assert bad(found) == {}, path
        assert ("binding" in notes(found)) == ("impersonated" in path.name)
    assert traffic() == []


def test_a_good_file_says_whose_token_it_is_and_the_right_it_needs(token_file: str) -> None:
    found = examine(document({"file": token_file}, service_account_impersonation_url=IMPERSONATION))
    assert bad(found) == {}
    principal = f"principal://iam.googleapis.com/{POOL}/subject/somebody"
    assert principal in notes(found)["principal"]
    line = f"add-iam-policy-binding {TARGET} --role=roles/iam.workloadIdentityUser --member={principal}"
    assert line in notes(found)["binding"]
    assert set(notes(found)) == {"principal", "binding"}


@pytest.mark.parametrize(
    ("change", "about", "said"),
    [
        ({"audience": f"//iam.googleapis.com/{POOL}"}, "audience", "is a pool, not a provider"),
        (
            {"audience": AUDIENCE.replace("123456789012", "my-project")},
            "audience",
            "gcloud projects describe my-project",
        ),
        ({"token_url": "https://evil.example/v1/token"}, "token_url", "https://evil.example"),
        ({"token_info_url": "https://evil.example/v1/i"}, "token_info_url", "https://evil.example"),
        (
            {"service_account_impersonation_url": "https://evil.example/v1"},
            "service_account_impersonation_url",
            "https://evil.example",
        ),
        ({"token_url": None}, "fields", "token_url is missing"),
        ({"subject_token_type": "urn:none"}, "fields", "subject_token_type is 'urn:none'"),
        ({"workforce_pool_user_project": "p-123456"}, "fields", "for workforce pools only"),
        ({"universe_domain": "evil.example"}, "universe_domain", "evil.example"),
        (
            {"service_account_impersonation": {"token_lifetime_seconds": 5}},
            "service_account_impersonation",
            "outside 600 to 43200",
        ),
        ({"credential_source": None}, "credential_source", "missing"),
        ({"credential_source": {"file": "/x", "url": "https://x"}}, "credential_source", "exactly one"),
        ({"credential_source": {"file": "/nowhere/token"}}, "credential_source.file", "no subject token file"),
        ({"credential_source": {"url": "http://evil.example/"}}, "credential_source.url", "http://evil.example"),
        ({"subject_token_type": AWS_TYPE}, "subject_token_type", "does not go with credential_source.file"),
    ],
)
def test_each_thing_that_is_wrong_is_found(token_file: str, change: dict[str, Any], about: str, said: str) -> None:
    found = examine(document({"file": token_file}, **change))
    assert said in bad(found)[about]


def test_everything_wrong_is_told_at_once(token_file: str) -> None:
    change = {
        "audience": "//iam.googleapis.com/x",
        "token_url": "https://evil.example",
        "service_account_impersonation": {"token_lifetime_seconds": 5},
        "credential_source": {"file": "/nowhere"},
    }
    found = bad(examine(document({"file": token_file}, **change)))
    assert set(found) == {"audience", "token_url", "service_account_impersonation", "credential_source.file"}


def test_trust_config_goes_for_hosts(token_file: str) -> None:
    content = document({"file": token_file}, token_url="https://sts.company.example/v1/token")
    assert set(bad(examine(content))) == {"token_url"}
    assert bad(examine(content, trust=True)) == {}


@pytest.mark.parametrize(
    ("seconds", "acting", "said"), [(7200, True, "LifetimeExtension"), (1200, False, "counts only")]
)
def test_lifetimes_that_need_something_more(token_file: str, seconds: int, acting: bool, said: str) -> None:
    url = IMPERSONATION if acting else None
    lifetime = {"token_lifetime_seconds": seconds}
    content = document(
        {"file": token_file}, service_account_impersonation_url=url, service_account_impersonation=lifetime
    )
    assert said in notes(examine(content))["service_account_impersonation"]


def test_a_token_for_another_audience_is_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "token", made_up(aud="https://elsewhere.example"))
    assert "allowedAudiences" in notes(examine(document({"file": path})))["allowed audiences"]


def test_a_file_that_holds_no_jwt_and_a_subject_that_is_too_long(tmp_path: Path) -> None:
    path = write(tmp_path / "token", "no-jwt")
    assert "no JWT" in bad(examine(document({"file": path})))[f"credential_source.file {path}"]
    path = write(tmp_path / "long", made_up(sub="s" * 128, aud=f"https:{AUDIENCE}"))
    assert "128 bytes" in bad(examine(document({"file": path})))["google.subject"]


def test_programs_are_looked_for_and_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    env = {"PATH": os.environ["PATH"], "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    source: dict[str, Any] = {"executable": {"command": f"touch {proof}", "output_file": "/nowhere/at/all/out"}}
    found = examine(document(source), env)
    assert list(bad(found)) == ["credential_source.executable.output_file"]
    assert not proof.exists()
    del source["executable"]["output_file"]
    assert bad(examine(document(source), env)) == {}
    assert "is not 1" in bad(examine(document(source), {"PATH": env["PATH"]}))["permission"]
    missing = document({"executable": {"command": "no-such-program-here --x"}})
    assert "no-such-program-here" in bad(examine(missing, env))["credential_source.executable"]
    slow = document({"executable": {"command": "true", "timeout_millis": 1}})
    assert "timeout_millis" in bad(examine(slow, env))["credential_source.executable"]


def test_certificates_are_matched_with_their_keys_and_hosts(tmp_path: Path) -> None:
    paths = {
        "cert_path": write(tmp_path / "cert.pem", LEAF),
        "key_path": write(tmp_path / "key.pem", pem(KEY)),
    }
    config = write(tmp_path / "config.json", {"version": 1, "cert_configs": {"workload": paths}})
    source = {"certificate": {"certificate_config_location": config}}
    content = document(source, subject_token_type=f"{TYPE}mtls", token_url=MTLS)
    found = examine(content)
    assert bad(found) == {}
    assert f"principal://iam.googleapis.com/{POOL}/subject/a-workload" in notes(found)["principal"]
    plain = {**content, "token_url": "https://sts.googleapis.com/v1/token"}
    assert "asks for no client certificate" in bad(examine(plain))["token_url"]
    (tmp_path / "key.pem").write_text("nothing")
    assert "no private key" in bad(examine(content))["credential_source.certificate"]


def test_the_names_of_an_aws_role_are_worked_out() -> None:
    content = document(AWS, subject_token_type=AWS_TYPE, service_account_impersonation_url=IMPERSONATION)
    found = examine(content, role=ROLE)
    assert bad(found) == {}
    members = f"principalSet://iam.googleapis.com/{POOL}/attribute.aws_role/arn:aws:sts::123456789012:assumed-role/app"
    assert members in notes(found)["principal"]
    assert members in notes(found)["binding"]
    left = next(each.text for each in found if each.about == "google.subject")
    assert "84 bytes are left for the name of the session" in left
    assert "arn:aws:sts::ACCOUNT:assumed-role/ROLE" in notes(examine(content))["principal"]
    long = examine(content, role="arn:aws:iam::123456789012:role/" + "r" * 64)
    assert "23 bytes are left" in notes(long)["google.subject"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "http://evil.example/latest/meta-data"),
        ("region_url", "http://169.254.169.254.evil.example/"),
        ("imdsv2_session_token_url", "https://169.254.169.254/latest/api/token"),
        ("regional_cred_verification_url", "https://sts.evil.example?Action=GetCallerIdentity&Version=2011-06-15"),
        ("environment_id", "aws2"),
    ],
)
def test_an_aws_file_that_leads_elsewhere(field: str, value: str) -> None:
    found = bad(examine(document({**AWS, field: value}, subject_token_type=AWS_TYPE)))
    assert len(found) == 1
    assert field in " ".join(found.values())
