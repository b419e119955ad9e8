"""gbearer profile: list, show, set, unset, use; the rest of the file stays as it was, also with many at once."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from cli.conftest import GBEARER, Run
from gbearer.emulator import Emulator

TARGET = "target@emulator-project.iam.gserviceaccount.com"


@pytest.fixture
def config(own_environment: Path) -> Path:
    return own_environment / ".config" / "gbearer" / "config.ini"


@pytest.fixture(autouse=True)
def here(own_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = own_environment / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def ok(run: Run, *argv: str, **more: str) -> str:
    ended = run("profile", *argv, **more)
    assert (ended.code, ended.err) == (0, "")
    return ended.out


def test_a_profile_is_made_shown_used_and_taken_away(run: Run, config: Path, em: Emulator) -> None:
    assert ok(run, "set", "work", "credentials", str(em.key_file)) == ""
    ok(run, "set", "work", "Impersonate", TARGET)
    ok(run, "set", "home", "scope", "email", "openid")
    assert config.read_text() == (
        f"[profile work]\ncredentials = {em.key_file}\nimpersonate = {TARGET}\n\n"
        "[profile home]\nscope = email, openid\n"
    )
    assert ok(run, "show") == "no profile is in force: nothing chooses one\n"
    ok(run, "use", "work")
    assert ok(run, "list") == (
        f"* work  credentials={em.key_file}  impersonate={TARGET}\n  home  scope=email, openid\n"
    )
    assert ok(run, "show") == (
        f"work, chosen by gbearer profile use\n  credentials  {em.key_file}  ({config}:2)\n"
        f"  impersonate  {TARGET}  ({config}:3)\n"
    )
    assert json.loads(run("token", "--format", "json").out)["principal"] == TARGET
    ok(run, "unset", "work", "impersonate")
    assert json.loads(run("token", "--format", "json").out)["principal"].startswith("robot@")
    ok(run, "unset", "work")
    assert config.read_text() == "[profile home]\nscope = email, openid\n\n[gbearer]\n"
    ok(run, "use", "home")
    ok(run, "use", "--none")
    assert ok(run, "show") == "no profile is in force: nothing chooses one\n"


def test_json_says_the_same(run: Run, config: Path, here: Path) -> None:
    assert json.loads(ok(run, "list", "--format", "json")) == {"file": str(config), "chosen_by": None, "profiles": []}
    ok(run, "set", "work", "source", "gcloud")
    ok(run, "set", "home", "no-cache", "true")
    (here / ".gbearer.ini").write_text("[gbearer]\nprofile = work\n")
    by = str(here / ".gbearer.ini")
    assert json.loads(ok(run, "list", "--format", "json")) == {
        "file": str(config), "chosen_by": by, "profiles": [
            {"name": "work", "active": True, "values": {"source": "gcloud"}},
            {"name": "home", "active": False, "values": {"no-cache": "true"}},
        ],
    }  # fmt: skip
    assert json.loads(ok(run, "show", "--format", "json")) == {
        "profile": "work", "chosen_by": by, "file": str(config), "values": {"source": {"value": "gcloud", "line": 2}},
    }  # fmt: skip
    assert json.loads(ok(run, "show", "home", "--format", "json"))["chosen_by"] is None
    assert json.loads(ok(run, "show", "--format", "json", GBEARER_PROFILE="none"))["profile"] is None


OWN = """\
# the profiles of this machine
; kept by hand

[profile work]   # the first
  Quota_Project = p1
# scope comes next
scope=email

[gbearer]
# which one
profile = work
[profile last]
no-cache = on
"""


def test_comments_order_and_everything_else_stay(run: Run, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(OWN)
    ok(run, "set", "work", "quota-project", "p2")
    ok(run, "set", "work", "lifetime", "15m")
    ok(run, "use", "last")
    assert config.read_text() == (
        OWN.replace("= p1", "= p2")
        .replace("scope=email\n", "scope=email\nlifetime = 15m\n")
        .replace("= work\n", "= last\n")
    )
    config.write_bytes(OWN.replace("\n", "\r\n").encode())
    ok(run, "set", "last", "scope", "openid")
    assert config.read_bytes() == (OWN + "scope = openid\n").replace("\n", "\r\n").encode()
    config.write_text(OWN)
    ok(run, "unset", "work")
    left = OWN.replace("[profile work]   # the first\n  Quota_Project = p1\n", "").replace("scope=email\n", "")
    assert config.read_text().split() == left.replace("profile = work\n", "").split()
    assert "work" not in ok(run, "list")


def test_a_path_is_kept_from_where_it_was_typed(run: Run, config: Path, here: Path) -> None:
    (here / "key.json").touch()
    ok(run, "set", "work", "credentials", "key.json")
    assert f"credentials = {here}/key.json\n" in config.read_text()
    ended = run("profile", "set", "work", "boundary", "~/none.json")
    assert (ended.code, ended.err) == (0, "warning: there is no file ~/none.json yet\n")
    assert "boundary = ~/none.json\n" in config.read_text()


def test_what_is_written_is_read_back_and_kept_to_oneself(run: Run, config: Path) -> None:
    old = os.umask(0)
    try:
        for value in (" spaced ", '"quoted"', "'", "#no comment", "a=b;c", "ä"):
            ok(run, "set", "work", "prefix", value)
            assert json.loads(ok(run, "show", "work", "--format", "json"))["values"]["prefix"]["value"] == value
    finally:
        os.umask(old)
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert [path.name for path in config.parent.iterdir()] == ["config.ini"]


def test_a_link_to_the_file_stays_one(run: Run, config: Path, own_environment: Path) -> None:
    config.parent.mkdir(parents=True)
    (own_environment / "dotfiles").mkdir()
    kept = own_environment / "dotfiles" / "config.ini"
    kept.write_text("# mine\n")
    config.symlink_to(kept)
    ok(run, "set", "work", "scope", "email")
    assert config.is_symlink()
    assert kept.read_text() == "# mine\n\n[profile work]\nscope = email\n"


BAD = {
    ("set", "work", "credentails", "x"): (2, "there is no such option"),
    ("set", "work", "lifetime", "soon"): (2, "is not a duration"),
    ("set", "work", "credentials", '{"type": "service_account"}'): (2, "holds a credential itself"),
    ("set", "work", "source", "gcloud", "adc"): (2, "has one value"),
    ("set", "work", "prefix", "a\nb"): (2, "control characters"),
    ("set", "work", "prefix", ""): (2, "has no value"),
    ("set", "a b", "scope", "x"): (2, "no name for a profile"),
    ("set", "none", "scope", "x"): (2, "no name for a profile"),
    ("set", "../x", "scope", "x"): (2, "no name for a profile"),
    ("set", "x]\n[gbearer", "scope", "x"): (2, "no name for a profile"),
    ("set", "work"): (2, "takes other words"),
    ("set",): (2, "takes more words"),
    ("use", "hoome"): (2, "there is no profile 'hoome'"),
    ("use",): (2, "takes more words"),
    ("use", "home", "--none"): (2, "takes other words"),
    ("show", "hoome"): (2, "gbearer profile show home"),
    ("show", "a", "b"): (2, "takes other words"),
    ("unset", "home", "scopes"): (2, "the profile home has no scopes"),
    ("unset", "work"): (2, "there is no profile 'work'"),
    ("list", "x"): (2, "takes other words"),
    ("list", "--none"): (2, "--none goes with use"),
    ("list", "--format", "yaml"): (2, "no format 'yaml'"),
    ("lst",): (2, "no action 'lst'"),
}


@pytest.mark.parametrize("argv", BAD, ids=lambda argv: " ".join(argv)[:40].replace("\n", "|"))
def test_what_cannot_be_done_changes_nothing(run: Run, config: Path, argv: tuple[str, ...]) -> None:
    code, said = BAD[argv]
    ok(run, "set", "home", "scope", "email")
    before = config.read_bytes()
    ended = run("profile", *argv)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "  fix: " in ended.err
    assert config.read_bytes() == before


def test_a_file_that_cannot_be_parsed_is_not_written_to(run: Run, config: Path) -> None:
    config.parent.mkdir(parents=True)
    config.write_text("[profile work\nscope = email\n")
    for argv in (("set", "work", "scope", "x"), ("use", "work"), ("unset", "work"), ("list",), ("show",)):
        ended = run("profile", *argv)
        assert (ended.code, ended.out) == (4, "")
        assert f"{config} cannot be used: line 1, column 14" in ended.err
    assert config.read_text() == "[profile work\nscope = email\n"


def test_a_folder_that_cannot_be_written_is_one_clear_error(run: Run, config: Path) -> None:
    config.parent.parent.mkdir()
    config.parent.write_text("a file where the folder belongs")
    ended = run("profile", "set", "work", "scope", "x")
    assert (ended.code, ended.out) == (4, "")
    assert f"{config} cannot be written" in ended.err


def test_list_works_where_the_choice_is_wrong(run: Run) -> None:
    ok(run, "set", "home", "scope", "email")
    ended = run("profile", "list", GBEARER_PROFILE="hoome")
    assert (ended.code, ended.out) == (0, "  home  scope=email\n")
    assert "GBEARER_PROFILE chooses it" in ended.err


def test_use_says_when_something_else_goes_before_it(run: Run, here: Path) -> None:
    ok(run, "set", "home", "scope", "email")
    ok(run, "set", "work", "scope", "email")
    (here / ".gbearer.ini").write_text("[gbearer]\nprofile = work\n")
    ended = run("profile", "use", "home")
    assert ended.code == 0
    assert f"here {here}/.gbearer.ini goes before it, and chooses work" in ended.err


def test_forty_at_once_lose_nothing(env: dict[str, str], config: Path) -> None:
    children = [
        subprocess.Popen([GBEARER, "profile", "set", f"p{n % 8}", key, value], env=env, stderr=subprocess.PIPE)
        for n in range(40)
        for key, value in [[("scope", f"s{n}"), ("audience", f"a{n}"), ("prefix", f"x{n}"), ("bucket", f"b{n}"),
                            ("account", f"u{n}")][n // 8]]
    ]  # fmt: skip
    assert [child.communicate(timeout=60)[1] for child in children] == [b""] * 40
    assert {child.returncode for child in children} == {0}
    text = config.read_text()
    assert [
        text.count(f"= {letter}{n}\n") for n, letter in enumerate(f"{'s' * 8}{'a' * 8}{'x' * 8}{'b' * 8}{'u' * 8}")
    ] == [1] * 40
    assert text.count("[profile ") == 8
    assert [path.name for path in config.parent.iterdir()] == ["config.ini"]


# --- in the other commands


def test_the_profile_s_format_is_the_default_of_commands_that_print_a_token(run: Run) -> None:
    ok(run, "set", "work", "format", "env")
    assert run("token", "--profile", "work").out.startswith("export GOOGLE_OAUTH_ACCESS_TOKEN=")
    assert run("header", "--profile", "work").out.startswith("export ")
    assert run("token", "--profile", "work", "--format", "raw").out.startswith("ya29.")
    assert run("token").out.startswith("ya29.")
    assert run("whoami", "--profile", "work").out.startswith("who ")


def test_the_profile_s_audience_makes_id_tokens(run: Run, em: Emulator) -> None:
    url = f"{em.url}/functions/f"
    ok(run, "set", "work", "audience", url)
    ok(run, "set", "work", "scope", "email")
    assert run("request", "GET", url, "--profile", "work").code == 0
    for argv in (("id-token",), ("header",)):
        shown = json.loads(run(*argv, "--profile", "work", "--format", "json").out)
        assert (shown["kind"], shown["audience"]) == ("id", url)
    assert json.loads(run("token", "--profile", "work", "--format", "json").out)["kind"] == "access"
    assert run("request", "GET", f"{em.url}/v1/protected", "--auth", "access", "--profile", "work").code == 0


def test_whoami_says_which_profile_and_what_chose_it(run: Run, config: Path, here: Path) -> None:
    ok(run, "set", "work", "scope", "email")
    assert json.loads(run("whoami", "--format", "json").out)["profile"] is None
    assert "profile" not in run("whoami").out
    (here / ".gbearer.ini").write_text("[gbearer]\nprofile = work\n")
    shown = json.loads(run("whoami", "--format", "json").out)
    assert shown["profile"] == {"name": "work", "chosen_by": f"{here}/.gbearer.ini", "file": str(config)}
    assert f"profile     work of {config}, chosen by {here}/.gbearer.ini\n" in run("whoami").out
    ended = run("whoami", GOOGLE_APPLICATION_CREDENTIALS="")
    assert ended.code == 3
    assert f"the profile work of {config} is in force, chosen by {here}/.gbearer.ini" in ended.err


def test_an_error_says_that_a_profile_is_in_force(run: Run, config: Path) -> None:
    ok(run, "set", "work", "source", "env")
    for argv in (("token",), ("request", "GET", "https://storage.googleapis.com/")):
        ended = run(*argv, GBEARER_PROFILE="work")
        assert ended.code == 3
        assert f"the profile work of {config} is in force, chosen by GBEARER_PROFILE" in ended.err


def test_a_typed_credential_is_not_trusted_because_the_profile_s_is(run: Run, em: Emulator, here: Path) -> None:
    ok(run, "set", "work", "trust-config", "yes")
    elsewhere = json.loads(em.user_file.read_text()) | {"token_uri": "https://evil.example/token"}
    (here / "user.json").write_text(json.dumps(elsewhere))
    ended = run("token", "--profile", "work", "--credentials", "user.json")
    assert (ended.code, ended.out) == (4, "")
    assert "evil.example" in ended.err
    assert em.log() == []


def test_the_tour_goes_past_whatever_chooses_a_profile(spawn: Run, here: Path) -> None:
    (here / ".gbearer.ini").write_text("[gbearer]\nprofile = gone\n")
    ended = spawn("demo", GBEARER_PROFILE="gone too")
    assert (ended.code, "FAILED" in ended.out) == (0, False)


def test_verbose_tells_the_profile(run: Run) -> None:
    ok(run, "set", "work", "scope", "email")
    assert "gbearer: profile work, chosen by --profile\n" in run("token", "-v", "--profile", "work").err


@pytest.mark.parametrize("command", ["token", "id-token", "header", "request", "curl", "whoami"])
def test_every_command_with_a_token_takes_the_new_options(run: Run, command: str) -> None:
    told = run(command, "--help").out
    for option in ("--profile", "--account", "--boundary", "--bucket", "--prefix", "--role"):
        assert f"  {option} " in told


def test_a_profile_holds_options_of_one_command_as_well(run: Run, em: Emulator) -> None:
    """`auth` counts for request; a typed --auth or --audience goes before it; whoami says whose option it was."""
    assert run("profile", "set", "work", "credentials", str(em.key_file)).code == 0
    assert run("profile", "set", "work", "auth", "access").code == 0
    elsewhere = "https://service.example.com/"
    told = run("request", "GET", elsewhere, "--profile", "work", "--auth", "auto")
    assert told.code == 2
    assert "--auth" in told.err
    assert run("request", "GET", f"{em.url}/v1/protected", "--profile", "work").code == 0
    function = f"{em.url}/functions/f"
    refused = run("request", "GET", function, "--profile", "work", "--fail")
    assert refused.code == 22, "an access token, as the profile says"
    assert run("request", "GET", function, "--profile", "work", "--fail", "--audience", function).code == 0
    whose = run("whoami", "--profile", "work").out
    assert "found   credentials of the profile work: service account key" in whose
    assert run("profile", "set", "work", "auth", "acess").code == 2
