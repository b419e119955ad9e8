"""`gbearer preflight FILE`: a report on stdout, an error with exit code 4 when something will not work."""

import json
from pathlib import Path

import pytest

from cli.conftest import Run
from gbearer.emulator import Emulator

FILE = "external-file-impersonated.json"


def test_a_good_file(run: Run, em: Emulator) -> None:
    ended = run("preflight", str(em.dir / FILE))
    assert (ended.code, ended.err) == (0, "")
    assert "ok    token_url: sts.googleapis.com" in ended.out
    assert "gcloud iam service-accounts add-iam-policy-binding target@" in ended.out
    assert em.log() == []


def test_json(run: Run, em: Emulator) -> None:
    ended = run("preflight", "--format", "json", str(em.dir / FILE))
    told = json.loads(ended.out)
    assert told["file"] == str(em.dir / FILE)
    assert {each["level"] for each in told["findings"]} == {"ok", "note"}


def test_a_file_that_will_not_work(run: Run, em: Emulator, tmp_path: Path) -> None:
    document = json.loads((em.dir / FILE).read_text())
    path = tmp_path / "fed.json"
    path.write_text(json.dumps({**document, "token_url": "https://evil.example/v1/token"}))
    ended = run("preflight", str(path))
    assert ended.code == 4
    assert "bad   token_url: " in ended.out
    assert f"error: {path} will not work" in ended.err
    assert "https://evil.example" in ended.err
    assert run("preflight", "--trust-config", str(path)).code == 0


def test_stdin(run: Run, em: Emulator) -> None:
    ended = run("preflight", "-", stdin=(em.dir / FILE).read_bytes())
    assert ended.code == 0
    assert "ok    fields: complete" in ended.out


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("key.json", 4, "its type is 'service_account'"), ("nowhere.json", 4, "there is no file"), ("", 2, "is empty")],
)
def test_what_is_no_federation_file(run: Run, em: Emulator, name: str, code: int, said: str) -> None:
    ended = run("preflight", str(em.dir / name) if name else "")
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err


def test_usage(run: Run) -> None:
    assert run("preflight").code == 2
    assert run("preflight", "--format", "xml", "x").code == 2


def test_whoami_of_a_federation(run: Run, em: Emulator) -> None:
    ended = run("whoami", "--credentials", str(em.dir / "external-file.json"))
    assert ended.code == 0
    assert "subject     system:serviceaccount:default:emulator-workload (47 of 127 bytes)" in ended.out
    assert "/subject/system:serviceaccount:default:emulator-workload" in ended.out
    told = json.loads(run("whoami", "--format", "json", "--credentials", str(em.dir / FILE)).out)
    assert told["principal"].startswith("target@")
    assert told["federation"]["issuer"] == "https://issuer.emulator.example"
    assert json.loads(run("whoami", "--format", "json").out)["federation"] is None


def test_id_token_of_a_person_says_which_audience_there_is(run: Run, em: Emulator) -> None:
    client = json.loads(em.user_file.read_text())["client_id"]
    ended = run("id-token", "--credentials", str(em.user_file), "--audience", "https://x.run.app")
    assert ended.code == 5
    assert f"--audience {client}" in ended.err
    assert "--impersonate SERVICE_ACCOUNT" in ended.err
    assert run("id-token", "--credentials", str(em.user_file), "--audience", client).code == 0
