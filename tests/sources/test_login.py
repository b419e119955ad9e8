"""gbearer's own logins as a source: where they lie, what pins them, and new refresh tokens that are kept, or not."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from gbearer.errors import BadCredentials, CredentialsNotFound, LoginRequired, UsageError
from gbearer.sources import Look, logins, wellknown
from sources.hands import KEY, USER, find, refusal, write

ADA = "ada@example.com"


def put(home: Path, account: str = ADA, *, active: bool = True, **more: Any) -> Path:
    folder = home / ".config/gbearer/logins"
    info = USER | {"account": account, "gbearer": {"id": "0" * 32, "keyring": False}} | more
    path = Path(logins.path(str(folder), account))
    write(path, info)
    path.chmod(0o600)
    folder.chmod(0o700)
    if active:
        write(folder / "active", account.encode())
    return path


@pytest.mark.parametrize(
    ("system", "env", "folder"),
    [
        ("linux", {"HOME": "/h"}, "/h/.config/gbearer"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/gbearer"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "relative"}, "/h/.config/gbearer"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": ""}, "/h/.config/gbearer"),
        ("darwin", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/h/Library/Application Support/gbearer"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/gbearer"),
        ("win32", {"USERPROFILE": "/u"}, "/u/AppData/Roaming/gbearer"),
    ],
)
def test_where_the_configuration_is(system: str, env: dict[str, str], folder: str) -> None:
    look = Look(env, system=system)
    assert wellknown.config_folder(look) == folder
    assert logins.folder(look) == f"{folder}/logins"
    emulated = Look(env | {"GBEARER_EMULATOR_HOST": "127.0.0.1:1"}, system=system)
    assert logins.folder(emulated) == f"{folder}/emulator-logins"


def test_no_two_accounts_share_a_file_and_no_name_leaves_the_folder() -> None:
    accounts = [
        ADA, "ada%40example.com", "ada@example.co", "../ada@example.com", "a/b", "A/b", "a%2Fb", ".", "..", "é", "",
        "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/Ada",
        "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/ada",
        "x" * 300, "x" * 301,
    ]  # fmt: skip
    paths = [logins.path("/folder", account) for account in accounts]
    assert len({path.lower() for path in paths}) == len(accounts)
    for path in paths:
        folder, _, name = path.rpartition("/")
        assert folder == "/folder"
        assert len(name) < 250
    assert logins.path("/f", "Ada@Example.com") == logins.path("/f", ADA)


def test_auto_takes_the_active_login_before_gclouds_file_and_after_the_variables(tmp_path: Path) -> None:
    write(tmp_path / ".config/gcloud/application_default_credentials.json", USER)
    put(tmp_path)
    source, look = find({"HOME": str(tmp_path)})
    assert (source.name, source.principal) == ("login", ADA)
    assert look.steps[-1].place == "gbearer login"
    key = write(tmp_path / "key.json", KEY)
    assert find({"HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": key})[0].name == "adc"
    assert find({"HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": key}, source="login")[0].name == "login"
    assert find({"HOME": str(tmp_path)}, source="adc")[0].name == "adc"


def test_every_file_that_was_looked_at_is_noted_the_absent_ones_too(tmp_path: Path) -> None:
    active = str(tmp_path / ".config/gbearer/logins/active")
    with pytest.raises(CredentialsNotFound):
        find({"HOME": str(tmp_path)}, look=(look := Look({"HOME": str(tmp_path), "NO_GCE_CHECK": "true"})))
    assert look.files[active] is None
    path = put(tmp_path)
    _, look = find({"HOME": str(tmp_path)})
    assert look.files[active] is not None
    assert look.files[str(path)] is not None
    assert look.remember


def test_what_pins_a_login_is_its_sign_in_and_not_the_bytes_of_its_file(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    put(tmp_path)
    first = find(env)[0].fingerprint
    put(tmp_path, refresh_token="1//another")
    assert find(env)[0].fingerprint == first
    put(tmp_path, gbearer={"id": "1" * 32})
    assert find(env)[0].fingerprint not in (first, None)


def test_an_account_chooses_among_logins_and_needs_a_place_that_has_some(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    put(tmp_path)
    put(tmp_path, "grace@example.com", active=False)
    assert find(env, account="Grace@example.com")[0].principal == "grace@example.com"
    text = refusal(LoginRequired, env, account="eve@example.com", source="login")
    assert "gbearer login --account eve@example.com" in text
    assert "grace@example.com" in text
    assert "no accounts" in refusal(UsageError, env, account=ADA, source="adc")


def test_nobody_signed_in_is_told_with_the_command(tmp_path: Path) -> None:
    assert "gbearer login --client-file" in refusal(LoginRequired, {"HOME": str(tmp_path)}, source="login")
    assert LoginRequired.code == 6


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", json.dumps(USER).encode(), json.dumps(KEY).encode()])
def test_a_login_that_is_damaged_stops_the_search(tmp_path: Path, text: bytes) -> None:
    put(tmp_path).write_bytes(text)
    said = refusal(BadCredentials, {"HOME": str(tmp_path)})
    assert f"gbearer login --account {ADA}" in said
    assert "made-up" not in said


def test_a_new_refresh_token_is_kept_for_the_same_login_only(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path)}
    path = put(tmp_path)
    source, _ = find(env)
    assert source.rotated is not None
    assert source.current is not None
    source.rotated("1//second")
    assert json.loads(path.read_text())["refresh_token"] == source.current() == "1//second"
    assert path.stat().st_mode & 0o777 == 0o600
    put(tmp_path, refresh_token="1//of-a-new-sign-in", gbearer={"id": "1" * 32})
    source.rotated("1//third")
    assert json.loads(path.read_text())["refresh_token"] == "1//of-a-new-sign-in"
    path.unlink()
    source.rotated("1//fourth")
    assert not path.exists()
    assert not [name for name in path.parent.iterdir() if "1" in name.name]


def test_a_new_refresh_token_that_cannot_be_kept_fails_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path)
    source, _ = find({"HOME": str(tmp_path)})
    path.write_text("{")
    assert source.rotated is not None
    source.rotated("1//secret-that-is-not-shown")
    said = capfd.readouterr().err
    assert "could not be kept" in said
    assert "secret-that" not in said


def rotate(home: str, number: int) -> None:
    source, _ = find({"HOME": home})
    assert source.rotated is not None
    for turn in range(20):
        source.rotated(f"1//{number}-{turn}")


def test_many_who_keep_new_refresh_tokens_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    path = put(tmp_path)
    many = multiprocessing.get_context("spawn")
    workers = [many.Process(target=rotate, args=(str(tmp_path), number)) for number in range(4)]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert json.loads(path.read_bytes())["account"] == ADA
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert json.loads(path.read_text())["refresh_token"] in {f"1//{number}-19" for number in range(4)}
    assert {name.name for name in path.parent.iterdir()} == {path.name, "active", ".lock"}


def test_a_folder_of_somebody_else_is_passed_over_as_absent(tmp_path: Path) -> None:
    _, look = find({"HOME": "/nowhere", "GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "k.json", KEY)})
    assert look.steps[-1].found
    text = refusal(CredentialsNotFound, {"HOME": "/nowhere"})
    assert "gbearer login: not signed in" in text
