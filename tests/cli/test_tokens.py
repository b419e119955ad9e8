"""token, id-token and header: every format, each accepted where it belongs; and how bad questions end."""

import base64
import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from cli.conftest import Run
from gbearer.emulator import Emulator

TARGET = "target@emulator-project.iam.gserviceaccount.com"


def called(url: str, header: str) -> int:
    name, _, value = header.strip().partition(": ")
    with urllib.request.urlopen(urllib.request.Request(url, headers={name: value})) as answer:
        return int(answer.status)


def test_token_prints_a_token_that_the_api_accepts(run: Run, em: Emulator) -> None:
    ended = run("token")
    assert (ended.code, ended.err) == (0, "")
    assert called(f"{em.url}/v1/protected", f"Authorization: Bearer {ended.out.strip()}") == 200


def test_header_is_a_header_that_the_api_accepts(run: Run, em: Emulator) -> None:
    assert called(f"{em.url}/v1/protected", run("header").out) == 200


def test_id_token_is_accepted_by_the_function_it_is_for(run: Run, em: Emulator) -> None:
    url = f"{em.url}/functions/get_range"
    assert called(url, f"Authorization: Bearer {run('id-token', '--audience', url).out.strip()}") == 200
    assert called(url, run("header", "--audience", url).out) == 200


def test_a_self_signed_jwt_needs_no_network(run: Run, em: Emulator) -> None:
    ended = run("token", "--type", "jwt", "--audience", f"{em.url}/")
    assert ended.code == 0
    assert em.log() == []
    assert called(f"{em.url}/v1/protected", f"Authorization: Bearer {ended.out.strip()}") == 200


def test_json_tells_what_the_reference_promises(run: Run) -> None:
    shown = json.loads(run("token", "--format", "json", "--scope", "devstorage.read_only").out)
    assert set(shown) == {
        "access_token", "token_type", "kind", "expires_at", "expires_in", "principal", "source", "scopes",
        "quota_project",
    }  # fmt: skip
    assert shown["scopes"] == ["https://www.googleapis.com/auth/devstorage.read_only"]
    assert 3500 < shown["expires_in"] <= 3600
    assert shown["principal"] == "robot@emulator-project.iam.gserviceaccount.com"
    identity = json.loads(run("id-token", "--format", "json", "--audience", "https://f.example").out)
    assert identity["audience"] == "https://f.example"


def test_env_makes_variables(run: Run) -> None:
    ended = run("token", "--format", "env")
    done = subprocess.run(
        ["sh", "-c", ended.out + 'printf %s "$CLOUDSDK_AUTH_ACCESS_TOKEN"'], capture_output=True, text=True, check=True
    )
    assert done.stdout == run("token").out.strip()


def test_the_quota_project_of_option_beats_variable_beats_file(run: Run, em: Emulator, tmp_path: Path) -> None:
    file = json.loads(em.user_file.read_text()) | {"quota_project_id": "of-file"}
    path = tmp_path / "user.json"
    path.write_text(json.dumps(file))
    line = "x-goog-user-project: "
    given = ("header", "--credentials", str(path))
    assert line + "of-file\n" in run(*given).out
    assert line + "of-env\n" in run(*given, GOOGLE_CLOUD_QUOTA_PROJECT="of-env").out
    assert line + "of-option\n" in run(*given, "--quota-project", "of-option", GOOGLE_CLOUD_QUOTA_PROJECT="of-env").out


def test_impersonation_from_the_command_line(run: Run) -> None:
    ended = run("token", "--impersonate", TARGET, "--lifetime", "15m", "--format", "json")
    shown = json.loads(ended.out)
    assert shown["principal"] == TARGET
    assert 800 < shown["expires_in"] <= 900


def test_the_second_call_asks_nobody(run: Run, em: Emulator) -> None:
    first = run("token").out
    em.reset()
    assert run("token").out == first
    assert em.log() == []


def test_refresh_mints_anew_and_no_cache_leaves_nothing(run: Run, own_environment: Path) -> None:
    first = run("token", "--no-cache").out
    assert not (own_environment / "cache").exists()
    second = run("token").out
    third = run("token", "--refresh").out
    assert len({first, second, third}) == 3
    assert run("token").out == third


def test_credentials_on_stdin(run: Run, em: Emulator) -> None:
    ended = run("token", "--credentials", "-", stdin=em.key_file.read_bytes(), GOOGLE_APPLICATION_CREDENTIALS="")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("ya29.")


@pytest.mark.parametrize("stdin", [b"", b"key.json", b"[]", b"\xff\xfe\x00", b"{" + b"x" * (1 << 20)])
def test_what_is_no_credential_on_stdin(run: Run, stdin: bytes) -> None:
    ended = run("token", "--credentials", "-", stdin=stdin)
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("error: ")


def test_credentials_as_json_on_the_command_line_work_with_a_warning(spawn: Run, em: Emulator) -> None:
    text = em.key_file.read_text()
    for given in (text, base64.b64encode(text.encode()).decode()):
        ended = spawn("token", "--credentials", given)
        assert ended.code == 0
        assert ended.out.startswith("ya29.")
        assert "warning: others on this machine can read" in ended.err


def test_verbose_tells_chain_and_emulator_and_no_secret(run: Run, em: Emulator) -> None:
    ended = run("token", "-vv", "--refresh")
    token = ended.out.strip()
    assert ended.code == 0
    assert "GBEARER_EMULATOR_HOST is set" in ended.err
    assert "found: GOOGLE_APPLICATION_CREDENTIALS" in ended.err
    assert "POST https://oauth2.googleapis.com/token" in ended.err or "/token" in ended.err
    secrets = [token, json.loads(em.key_file.read_text())["private_key"].splitlines()[1], "eyJ"]
    assert [secret for secret in secrets if secret in ended.err] == []


def test_every_contradiction_is_said_at_once(run: Run, em: Emulator) -> None:
    ended = run(
        "token", "--type", "jwt", "--audience", "a b", "--scope", "x", "--subject", "nobody", "--lifetime", "soon",
        "--min-ttl", "later", "--format", "yaml", "--delegate", "x@y.example", "--source", "cloud",
    )  # fmt: skip
    assert (ended.code, ended.out) == (2, "")
    for said in (
        "audience or scopes", "'a b' has spaces", "'nobody' is no email", "--lifetime 'soon'", "--min-ttl 'later'",
        "no format 'yaml'", "--delegate needs a target", "no source 'cloud'",
    ):  # fmt: skip
        assert said in ended.err
    assert em.log() == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["id-token"], "an ID token needs an audience"),
        (["id-token", "--audience", ""], "the audience is empty"),
        (["header", "--audience", ""], "the audience is empty"),
        (["token", "--audience", "https://f.example"], "an access token has scopes, not an audience"),
        (["token", "--lifetime", "13h", "--impersonate", TARGET], "outside 1 to 43200 s"),
        (["token", "--credentials", ""], "--credentials is empty"),
        (["token", "--cred", "x"], "--cred"),
        (["token", "--scope"], "expected one argument"),
        (["token", "extra"], "extra"),
        (["tokn"], "no command 'tokn'"),
        (["-v", "token"], "does not know the option -v"),
        (["token", "--quota-project", "a\nb"], "is no project id"),
    ],
)
def test_a_bad_command_line_ends_with_2_and_the_three_lines(run: Run, argv: list[str], said: str) -> None:
    ended = run(*argv)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert "\n  fix: " in ended.err
    assert "usage:" not in ended.err


def test_nothing_found_is_3_and_lists_every_place(run: Run) -> None:
    ended = run("token", GOOGLE_APPLICATION_CREDENTIALS="")
    assert (ended.code, ended.out) == (3, "")
    for place in ("GBEARER_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "application_default_credentials.json"):
        assert place in ended.err


def test_a_real_key_is_refused_while_the_emulator_is_set(run: Run, em: Emulator, tmp_path: Path) -> None:
    real = json.loads(em.key_file.read_text()) | {"private_key_id": "0123456789abcdef0123456789abcdef01234567"}
    path = tmp_path / "real.json"
    path.write_text(json.dumps(real))
    ended = run("token", "--credentials", str(path))
    assert (ended.code, ended.out) == (4, "")
    assert em.log() == []


def test_an_emulator_variable_that_is_not_loopback_is_refused(run: Run) -> None:
    ended = run("token", GBEARER_EMULATOR_HOST="emulator.example:80")
    assert (ended.code, ended.out) == (2, "")


def test_denied_is_5_and_names_the_line_to_type(run: Run) -> None:
    ended = run("token", "--impersonate", "target2@emulator-project.iam.gserviceaccount.com")
    assert (ended.code, ended.out) == (5, "")
    assert "gcloud iam service-accounts add-iam-policy-binding target2@" in ended.err


def test_an_answer_that_is_not_understood_is_7(run: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/token"}, "garbage": True})
    ended = run("token")
    assert (ended.code, ended.out) == (7, "")
    assert ended.err.count("error: ") == 1


def test_a_token_typed_by_mistake_is_not_shown_again(run: Run) -> None:
    for argv in (
        ["ya29.c.secret"],
        ["token", "ya29.c.secret"],
        ["-x=ya29.c.secret"],
        ["curl", "-H", "Bearer ya29.c.secret"],
    ):
        ended = run(*argv)
        assert (ended.code, ended.out) == (2, "")
        assert "secret" not in ended.err.replace("<secret>", "")


def test_escape_sequences_in_an_error_reach_no_terminal(run: Run, tmp_path: Path) -> None:
    ended = run("token", "--credentials", str(tmp_path / "a\x1b[2Jb.json"))
    assert (ended.out, "there is no file" in ended.err) == ("", True)
    assert "\x1b" not in ended.err
    assert "\\x1b" in ended.err
