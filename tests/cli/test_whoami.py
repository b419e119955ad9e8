"""whoami: which credential won and why the others did not, as whom, for which project; exit 3 where there is none."""

import json
from pathlib import Path

from cli.conftest import Run
from gbearer.emulator import Emulator

ROBOT = "robot@emulator-project.iam.gserviceaccount.com"
TARGET = "target@emulator-project.iam.gserviceaccount.com"


def told(run: Run, *argv: str, **more: str) -> dict[str, object]:
    ended = run("whoami", "--format", "json", *argv, **more)
    assert (ended.code, ended.err) == (0, "")
    shown: dict[str, object] = json.loads(ended.out)
    return shown


def test_the_first_seed_program_prints_the_project(run: Run, em: Emulator) -> None:
    ended = run("whoami")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].split() == ["who", ROBOT]
    assert "project     emulator-project" in lines
    assert f"emulator    {em.url} stands in for Google (GBEARER_EMULATOR_HOST is set)" in lines
    assert "  absent  GBEARER_CREDENTIALS: not set" in lines
    assert any(line.startswith("  found   GOOGLE_APPLICATION_CREDENTIALS: ") for line in lines)
    assert "ya29" not in ended.out


def test_json_says_the_same(run: Run, em: Emulator) -> None:
    shown = told(run)
    assert (shown["principal"], shown["project"], shown["emulator"]) == (ROBOT, "emulator-project", em.url)
    assert shown["scopes"] == ["https://www.googleapis.com/auth/cloud-platform"]
    chain = shown["chain"]
    assert isinstance(chain, list)
    assert [step["found"] for step in chain] == [False, True]


def test_a_user_is_asked_for_by_header_and_never_by_url(run: Run, em: Emulator) -> None:
    assert told(run, "--credentials", str(em.user_file), "--scope", "email")["principal"] == "ada@example.com"
    (asked,) = [line for line in em.log() if "tokeninfo" in line["path"]]
    assert (asked["method"], asked["query"]) == ("POST", "")


def test_a_user_that_google_does_not_name_is_unknown(run: Run, em: Emulator) -> None:
    em.fault({"count": 9, "match": {"path": "/tokeninfo"}, "status": 400})
    ended = run("whoami", "--credentials", str(em.user_file), "--scope", "cloud-platform")
    assert ended.code == 0
    assert ended.out.startswith("who         unknown\n")


def test_impersonation_shows_chain_and_target(run: Run) -> None:
    shown = told(run, "--impersonate", TARGET)
    assert (shown["principal"], shown["impersonate"]) == (TARGET, [TARGET])


def test_the_metadata_server_names_account_and_project(run: Run, em: Emulator) -> None:
    host = em.host
    shown = told(run, "--source", "metadata", GCE_METADATA_HOST=host, NO_GCE_CHECK="")
    assert shown["project"] == "emulator-project"
    assert str(shown["principal"]).startswith("default@")


def test_a_ready_made_token_is_looked_up(run: Run, em: Emulator) -> None:
    token = run("token").out.strip()
    shown = told(run, "--source", "env", CLOUDSDK_AUTH_ACCESS_TOKEN=token)
    assert shown["scopes"] == ["https://www.googleapis.com/auth/cloud-platform"]
    assert isinstance(shown["expires_in"], int)
    assert 3000 < shown["expires_in"] <= 3600
    assert not [line for line in em.log() if token in line["query"]]


def test_nothing_found_is_3_with_the_chain_on_stderr(run: Run) -> None:
    ended = run("whoami", GOOGLE_APPLICATION_CREDENTIALS="")
    assert (ended.code, ended.out) == (3, "")
    assert "  absent  GOOGLE_APPLICATION_CREDENTIALS: not set" in ended.err
    assert "error: no Google credentials were found" in ended.err
    assert "  fix: " in ended.err


def test_a_broken_credential_shows_how_far_the_search_went(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    ended = run("whoami", GOOGLE_APPLICATION_CREDENTIALS=str(tmp_path / "broken.json"))
    assert (ended.code, ended.out) == (4, "")
    assert "  absent  GBEARER_CREDENTIALS: not set" in ended.err


def test_there_is_no_other_format(run: Run) -> None:
    ended = run("whoami", "--format", "raw")
    assert (ended.code, ended.out) == (2, "")


def test_a_distributed_cloud_is_asked_for_an_audience(run: Run, em: Emulator) -> None:
    gdch = str(em.gdch_file)
    assert run("whoami", "--credentials", gdch).code == 2
    told = run("whoami", "--credentials", gdch, "--audience", f"{em.url}/gdch/stock")
    assert (told.code, told.err) == (0, "")
    assert "system:serviceaccount:" in told.out
