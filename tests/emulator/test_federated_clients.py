"""google-auth and gcloud, unchanged, with the files in clients/: each federated source, direct and impersonating."""

import importlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import google.auth.transport.requests
import pytest

from emulator.federated import PRINCIPAL, SUBJECT, document, introspected, who
from emulator.hands import TARGET
from gbearer.emulator import Emulator

OWN_ARN = "arn:aws:sts::123456789012:assumed-role/emulator-role/emulator-session"
MODULES = {"aws": "aws", "executable": "pluggable"}
SUBJECTS = {
    "file": SUBJECT,
    "url": SUBJECT,
    "executable": SUBJECT,
    "aws": OWN_ARN,
    "saml": "emulator-workload@example.com",
    "x509": "emulator-workload",
}


def aws_environment(em: Emulator) -> dict[str, str]:
    """What `. aws.sh` sets."""
    lines = (em.dir / "aws.sh").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))


@pytest.mark.parametrize("kind", SUBJECTS)
@pytest.mark.parametrize("acting", ["", "-impersonated"], ids=["direct", "impersonated"])
def test_googles_library_with_the_file_as_it_is(
    em: Emulator, kind: str, acting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws_environment(em).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(em.dir / "ca.pem"))
    info = document(em, f"clients/external-{kind}{acting}.json")
    module = importlib.import_module(f"google.auth.{MODULES.get(kind, 'identity_pool')}")
    credentials: Any = module.Credentials.from_info(info, scopes=["https://www.googleapis.com/auth/cloud-platform"])
    request = google.auth.transport.requests.Request()
    credentials.refresh(request)
    request.session.close()
    caller = who(em, credentials.token)
    if acting:
        assert caller["email"] == TARGET
    else:
        assert caller == {"principal": f"{PRINCIPAL}/{SUBJECTS[kind]}", "sub": SUBJECTS[kind]}
    assert {entry["host"] for entry in em.log()} == {em.host}


def test_the_files_at_googles_hosts_differ_in_their_hosts_alone(em: Emulator) -> None:
    for kind in SUBJECTS:
        for acting in ("", "-impersonated"):
            name = f"external-{kind}{acting}.json"
            ours, clients = document(em, name), document(em, f"clients/{name}")
            hosts = {field for field in ours if ours[field] != clients[field]}
            assert hosts == {"token_url", "service_account_impersonation_url" if acting else "token_info_url"}
            sts = "sts.mtls" if kind == "x509" else "sts"
            assert ours["token_url"] == f"https://{sts}.googleapis.com/v1/token"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_gcloud_logs_in_with_the_file_and_introspects_what_it_got(em: Emulator, tmp_path: Path) -> None:
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME")},
        **em.env,
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing listens there: Google itself is out of reach
    }

    def gcloud(*arguments: str) -> str:
        done = subprocess.run(
            ["gcloud", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    gcloud("auth", "login", f"--cred-file={em.dir}/clients/external-file.json")
    assert gcloud("config", "get", "account") == f"{PRINCIPAL}/{SUBJECT}"
    assert any(entry["path"] == "/v1/introspect" and entry["status"] == 200 for entry in em.log())
    token = gcloud("auth", "print-access-token")
    assert who(em, token)["sub"] == SUBJECT
    assert introspected(em, token)["active"] is True
    gcloud("auth", "login", f"--cred-file={em.dir}/clients/external-url-impersonated.json")
    assert who(em, gcloud("auth", "print-access-token"))["email"] == TARGET
