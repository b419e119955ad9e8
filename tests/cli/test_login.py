"""A login in use: warm, renewed by a new sign-in, ended by logout, by the organisation or by Google."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from cli.conftest import Ended
from gbearer.emulator import Emulator
from login.conftest import ADA, GRACE, em, env, login, signed_in, spawn

__all__ = ["em", "env", "login", "signed_in", "spawn"]

Done = Callable[..., Ended]


def file_of(home: Path, account: str = ADA) -> Path:
    return home / f".config/gbearer/emulator-logins/{account}.json"


def refreshes(em: Emulator) -> int:
    return sum(line["grant_type"] == "refresh_token" for line in em.log())


def test_a_warm_header_reads_no_third_party_module_and_asks_nobody(
    signed_in: Done, spawn: Done, em: Emulator, own_environment: Path, settled: Callable[..., None]
) -> None:
    signed_in()
    settled(file_of(own_environment), file_of(own_environment).parent / "active")
    first = spawn("header")
    second = spawn("header")
    loaded = spawn("header", PYTHONPROFILEIMPORTTIME="1")
    assert first.out == second.out == loaded.out
    assert first.out.startswith("Authorization: Bearer ya29.")
    assert refreshes(em) == 1
    modules = {line.rpartition("|")[2].strip() for line in loaded.err.splitlines() if "|" in line}
    assert "gbearer.warm" in modules
    assert not {name for name in modules if name.startswith(("google", "urllib3", "argparse", "json", "gbearer.cli"))}


def test_a_new_sign_in_counts_at_once_for_a_call_that_was_warm(
    signed_in: Done, spawn: Done, own_environment: Path, settled: Callable[..., None]
) -> None:
    signed_in()
    settled(file_of(own_environment), file_of(own_environment).parent / "active")
    before = [spawn("header").out for _ in range(2)]
    signed_in("--account", ADA)
    after = spawn("header").out
    assert before[0] == before[1] != after
    signed_in(account=GRACE)
    assert spawn("header").out not in (before[0], after)
    assert spawn("header", "--account", ADA).out == after


def test_reauthentication_is_6_with_the_command_and_its_next_call_works(
    signed_in: Done, spawn: Done, em: Emulator
) -> None:
    signed_in()
    em.require_reauth(ADA)
    for _ in range(2):
        ended = spawn("token")
        assert (ended.code, ended.out) == (6, "")
        assert "needs reauthentication" in ended.err
        assert f"fix: run `gbearer login --account {ADA}`" in ended.err
    signed_in("--account", ADA)
    assert spawn("token").code == 0


def test_a_consent_that_was_revoked_is_6_with_the_command(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in()
    path = file_of(own_environment)
    kept = path.read_text()
    assert spawn("logout").code == 0
    path.write_text(kept)  # as if Google had been told by somebody else
    path.chmod(0o600)
    (path.parent / "active").write_text(ADA)
    ended = spawn("token")
    assert (ended.code, ended.out) == (6, "")
    assert "has ended" in ended.err
    assert f"gbearer login --account {ADA}" in ended.err


def test_a_client_that_was_deleted_is_4(signed_in: Done, spawn: Done, em: Emulator) -> None:
    signed_in()
    em.fault({"count": 1, "match": {"path": "/token"}, "status": 401, "body": '{"error": "deleted_client"}'})
    ended = spawn("token")
    em.reset()
    assert (ended.code, ended.out) == (4, "")
    assert "--client-file FILE" in ended.err


def test_a_scope_that_the_login_lacks_names_the_command(signed_in: Done, spawn: Done) -> None:
    signed_in()
    ended = spawn("token", "--scope", "drive.readonly")
    assert (ended.code, ended.out) == (2, "")
    assert f"gbearer login --account {ADA} --scope cloud-platform,https://" in ended.err


def test_logout_revokes_forgets_and_stops_at_once(
    signed_in: Done, spawn: Done, em: Emulator, own_environment: Path, settled: Callable[..., None]
) -> None:
    signed_in()
    info = json.loads(file_of(own_environment).read_text())
    settled(file_of(own_environment), file_of(own_environment).parent / "active")
    token = spawn("token").out.strip()
    impersonated = spawn("token", "--impersonate", "target@emulator-project.iam.gserviceaccount.com")
    assert impersonated.code == 0
    assert spawn("token").out.strip() == token
    assert len(spawn("cache", "list").out.splitlines()) >= 2
    ended = spawn("logout")
    assert (ended.code, ended.out) == (0, f"signed out: {ADA}\n")
    (revoked,) = [line for line in em.log() if line["path"] == "/revoke"]
    assert (revoked["method"], revoked["query"], revoked["status"]) == ("POST", "", 200)
    assert info["refresh_token"] not in json.dumps(em.log())
    assert not list(file_of(own_environment).parent.glob("*json*"))
    assert not list((own_environment / "cache").glob("t-*"))
    for argv in (["token"], ["token", "--account", ADA]):
        again = spawn(*argv)
        assert (again.code, again.out) == (3, "")
    assert spawn("token", "--source", "login").code == 6
    refused = spawn("request", "GET", f"{em.url}/v1/protected", "--fail", "--source", "env",
                    CLOUDSDK_AUTH_ACCESS_TOKEN=token)  # fmt: skip
    assert refused.code == 22


def test_logout_leaves_other_logins_and_their_tokens(signed_in: Done, spawn: Done) -> None:
    signed_in(account=ADA)
    signed_in(account=GRACE)
    ada = spawn("token", "--account", ADA).out
    assert spawn("token").code == 0
    ended = spawn("logout")
    assert (ended.code, ended.out) == (0, f"signed out: {GRACE}\n")
    assert f"{ADA} is used from now on" in ended.err
    assert spawn("token").out == ada
    assert spawn("token", "--account", GRACE, "--source", "login").code == 6


def test_logout_all(signed_in: Done, spawn: Done) -> None:
    signed_in(account=ADA)
    signed_in(account=GRACE)
    ended = spawn("logout", "--all")
    assert (ended.code, sorted(ended.out.splitlines())) == (0, [f"signed out: {ADA}", f"signed out: {GRACE}"])
    again = spawn("logout", "--all")
    assert (again.code, again.out) == (0, "")


def test_logout_of_nobody_is_3(signed_in: Done, spawn: Done) -> None:
    ended = spawn("logout")
    assert (ended.code, ended.out) == (3, "")
    signed_in()
    ended = spawn("logout", "--account", GRACE)
    assert (ended.code, ended.out) == (3, "")
    assert f"signed in are {ADA}" in ended.err
    assert spawn("logout", "--all", "--account", ADA).code == 2


def test_logout_without_google_forgets_here_says_so_and_is_7(
    signed_in: Done, spawn: Done, em: Emulator, own_environment: Path
) -> None:
    signed_in()
    em.fault({"count": 9, "match": {"path": "/revoke"}, "status": 503})
    ended = spawn("logout")
    em.reset()
    assert (ended.code, ended.out) == (7, "")
    assert f"error: signed out on this machine only: {ADA}" in ended.err
    assert "https://myaccount.google.com/connections" in ended.err
    assert not file_of(own_environment).exists()


def test_what_was_revoked_elsewhere_is_signed_out_all_the_same(signed_in: Done, spawn: Done, em: Emulator) -> None:
    signed_in()
    em.fault({"count": 1, "match": {"path": "/revoke"}, "status": 400, "body": '{"error": "invalid_token"}'})
    ended = spawn("logout")
    em.reset()
    assert (ended.code, ended.out) == (0, f"signed out: {ADA}\n")


def test_a_damaged_login_is_4_and_can_be_signed_in_anew(
    signed_in: Done, spawn: Done, own_environment: Path, em: Emulator
) -> None:
    signed_in()
    for text in ("", "{", "[]", '{"type": "authorized_user"}', em.key_file.read_text(), em.user_file.read_text()):
        file_of(own_environment).write_text(text)
        ended = spawn("token")
        assert (ended.code, ended.out) == (4, ""), text
        assert f"gbearer login --account {ADA}" in ended.err
    signed_in("--client-file", str(em.dir / "client.json"))
    assert spawn("token").code == 0
    file_of(own_environment).write_text("{")
    assert spawn("logout").code == 7
    assert not file_of(own_environment).exists()


def test_a_damaged_choice_is_4_and_can_be_made_anew(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in()
    (file_of(own_environment).parent / "active").write_text("")
    ended = spawn("token")
    assert (ended.code, ended.out) == (4, "")
    assert "gbearer login --use ACCOUNT" in ended.err
    assert spawn("login", "--list").out.split()[0] == ADA
    assert spawn("login", "--use", ADA).code == 0
    assert spawn("token").code == 0


def test_no_choice_at_all_is_told(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in()
    (file_of(own_environment).parent / "active").unlink()
    ended = spawn("token", "--source", "login")
    assert (ended.code, ended.out) == (6, "")
    assert f"gbearer login --use {ADA}" in ended.err


def test_a_real_login_is_never_sent_to_an_emulator(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in()
    path = file_of(own_environment)
    path.write_text(path.read_text().replace("emulator-1//0", "1//0"))
    ended = spawn("token", "--refresh")
    assert (ended.code, ended.out) == (4, "")
    assert "holds a real refresh token" in ended.err


def test_whoever_has_accounts_only_is_asked_for_one(signed_in: Done, spawn: Done, em: Emulator) -> None:
    signed_in()
    key = str(em.key_file)
    ended = spawn("whoami", "--account", GRACE, GOOGLE_APPLICATION_CREDENTIALS=key)
    assert ended.code != 0
    assert f"absent  gbearer login: {GRACE} is not signed in" in ended.err
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in ended.err
    shown = spawn("whoami", "--account", ADA, GOOGLE_APPLICATION_CREDENTIALS=key)
    assert f"who         {ADA}" in shown.out


def test_the_time_of_a_sign_in_is_told(signed_in: Done, spawn: Done) -> None:
    signed_in()
    row = json.loads(spawn("login", "--list", "--format", "json").out)[0]
    assert row["signed_in"].startswith(time.strftime("%Y-%m-%dT", time.gmtime()))
    assert row["scopes"][0] == "openid"
