"""The order of the places, and what each `--source` looks at."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gbearer.errors import BadCredentials, CredentialsNotFound, Error, LoginRequired, UsageError
from gbearer.sources import Look
from sources.hands import IMPERSONATED, KEY, TARGET, USER, find, refusal, write

GCLOUD = ".config/gcloud/application_default_credentials.json"


def test_auto_takes_the_first_of_its_places_that_has_a_credential(tmp_path: Path) -> None:
    env = {
        "HOME": str(tmp_path),
        "GBEARER_CREDENTIALS": write(tmp_path / "own.json", KEY | {"client_email": "own@x.com"}),
        "GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "env.json", KEY | {"client_email": "env@x.com"}),
        "NO_GCE_CHECK": "",
        "METADATA_SERVER_DETECTION": "assume-present",
    }
    write(tmp_path / GCLOUD, KEY | {"client_email": "gcloud@x.com"})
    won = []
    for without in ("GBEARER_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS", "HOME"):
        source, look = find(env)
        won.append((source.name, source.principal))
        assert look.steps[-1].found
        assert not any(step.found for step in look.steps[:-1])
        env[without] = ""
    assert won == [("file", "own@x.com"), ("adc", "env@x.com"), ("adc", "gcloud@x.com")]
    source, _ = find(env | {"HOME": "/nowhere"})
    assert source.name == source.kind == "metadata"


def test_adc_is_googles_order_and_does_not_see_our_own_variable(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "GBEARER_CREDENTIALS": write(tmp_path / "own.json", KEY)}
    write(tmp_path / GCLOUD, USER)
    source, look = find(env, source="adc")
    assert source.kind == "authorized_user"
    assert [step.place.partition(" ")[0] for step in look.steps] == ["GOOGLE_APPLICATION_CREDENTIALS", "gcloud's"]


def test_nothing_found_lists_every_place_with_its_reason_and_a_command() -> None:
    text = refusal(CredentialsNotFound, {"HOME": "/nowhere"})
    for place in ("GBEARER_CREDENTIALS: not set", "GOOGLE_APPLICATION_CREDENTIALS: not set", "gbearer login: not"):
        assert place in text
    assert "/nowhere/.config/gcloud/application_default_credentials.json: no such file" in text
    assert "metadata server: NO_GCE_CHECK=true" in text
    assert "gcloud auth application-default login" in text
    assert CredentialsNotFound.code == 3


@pytest.mark.parametrize("name", ["GOOGLE_APPLICATION_CREDENTIALS", "GBEARER_CREDENTIALS"])
def test_a_variable_that_names_a_missing_file_stops_the_search(tmp_path: Path, name: str) -> None:
    write(tmp_path / GCLOUD, USER)
    text = refusal(BadCredentials, {"HOME": str(tmp_path), name: "/nowhere/key.json"})
    assert "/nowhere/key.json" in text
    assert name in text


def test_a_broken_file_stops_the_search_though_the_next_place_is_good(tmp_path: Path) -> None:
    write(tmp_path / GCLOUD, USER)
    env = {"HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "broken.json", b"{")}
    assert "broken.json is not JSON" in refusal(BadCredentials, env)


def test_a_variable_that_names_gclouds_own_file_counts_as_that_place(tmp_path: Path) -> None:
    path = write(tmp_path / GCLOUD, USER)
    source, look = find({"HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": path}, source="adc")
    assert source.gcloud
    assert not look.steps[0].found


@pytest.mark.parametrize(
    ("system", "env", "folder"),
    [
        ("linux", {"HOME": "/h"}, "/h/.config/gcloud"),
        ("darwin", {"HOME": "/h"}, "/h/.config/gcloud"),
        ("win32", {"APPDATA": "/appdata"}, "/appdata/gcloud"),
        ("win32", {"SystemDrive": "D:"}, "D:\\/gcloud"),
        ("linux", {"HOME": "/h", "CLOUDSDK_CONFIG": "/conf"}, "/conf"),
        ("linux", {"HOME": "/h", "CLOUDSDK_CONFIG": ""}, "/h/.config/gcloud"),
        ("win32", {"APPDATA": "/appdata", "CLOUDSDK_CONFIG": "/conf"}, "/conf"),
    ],
)
def test_gclouds_folder_on_each_system(system: str, env: dict[str, str], folder: str) -> None:
    look = Look({"NO_GCE_CHECK": "true", **env}, system=system)
    with pytest.raises(CredentialsNotFound):
        find({}, look=look, source="adc")
    looked = [path for path in look.files if path.endswith("application_default_credentials.json")]
    assert [path.removesuffix("/application_default_credentials.json") for path in looked] == [
        folder if os.path.isabs(folder) else os.path.join(os.getcwd(), folder)
    ]


def test_each_named_source_looks_there_and_nowhere_else(tmp_path: Path) -> None:
    env = {"GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "k.json", KEY), "CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.x"}
    assert find(env)[0].kind == "service_account"  # a ready-made token is never taken unless it is named
    source, look = find(env, source="env")
    assert (source.kind, source.fingerprint, look.remember) == ("token", None, False)
    assert find(env, source="metadata")[0].kind == "metadata"  # named: not detected, though NO_GCE_CHECK says no
    assert "--credentials" in refusal(UsageError, env, source="file")
    assert "nobody is signed in with gbearer" in refusal(LoginRequired, env, source="login")
    for vouched in ("aws", "github", "gitlab", "azure"):
        assert f"--source {vouched} needs a provider" in refusal(UsageError, env, source=vouched)


def test_the_ready_made_token_is_checked() -> None:
    assert "is not set" in refusal(CredentialsNotFound, {}, source="env")
    text = refusal(BadCredentials, {"CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.secret\r\nX-Evil: 1"}, source="env")
    assert "secret" not in text


def test_credentials_take_a_path_the_json_or_its_base64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(KEY | {"project_id": "project-??>>"[:7]}, indent=2)
    path = write(tmp_path / "sub/key.json", text.encode())
    monkeypatch.chdir(tmp_path)
    packed = base64.encodebytes(text.encode()).decode()
    urlsafe = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    for given, pinned in ((path, True), ("sub/key.json", True), (text, False), (packed, False), (urlsafe, False)):
        for source, look in (find({}, credentials=given), find({"GBEARER_CREDENTIALS": given})):
            assert source.principal == KEY["client_email"]
            assert source.name == "file"
            assert look.remember is pinned
            assert source.fingerprint == find({}, credentials=path)[0].fingerprint


def test_a_file_is_noted_as_it_was_opened_with_its_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "key.json", KEY)
    monkeypatch.chdir(tmp_path)
    _, look = find({"HOME": str(tmp_path)}, credentials="key.json")
    about = os.stat("key.json")
    identity = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    assert look.files == {str(tmp_path / "key.json"): identity}
    (tmp_path / "key.json").unlink()
    _, look = find({"HOME": str(tmp_path), "CLOUDSDK_AUTH_ACCESS_TOKEN": "t"}, source="env")
    assert look.files == {}


def test_absent_files_are_noted_too(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "NO_GCE_CHECK": "", "METADATA_SERVER_DETECTION": "assume-present"}
    _, look = find(env)
    assert look.files == dict.fromkeys(str(tmp_path / place) for place in (".config/gbearer/logins/active", GCLOUD))


def test_the_tilde_is_the_home_folder_for_our_own_option_only(tmp_path: Path) -> None:
    write(tmp_path / "key.json", KEY)
    env = {"HOME": str(tmp_path)}
    assert find(env, credentials="~/key.json")[0].principal == KEY["client_email"]
    refusal(BadCredentials, {**env, "GOOGLE_APPLICATION_CREDENTIALS": "~/key.json"})


def test_a_path_that_happens_to_be_base64_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "e2e/fixtures/somekey", KEY)
    monkeypatch.chdir(tmp_path)
    assert find({}, credentials="e2e/fixtures/somekey")[0].principal == KEY["client_email"]


def test_a_secret_in_place_of_a_path_is_not_shown() -> None:
    packed = base64.b64encode(json.dumps(KEY).encode()).decode()
    for text in (packed[:-8], packed.replace("e", "!", 3)):
        with pytest.raises(Error) as caught:
            find({}, credentials=text)
        assert packed[60:90] not in str(caught.value)


def test_another_users_home_is_passed_over_and_a_file_that_is_named_there_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "h" / GCLOUD, USER)
    env = {"HOME": str(tmp_path / "h"), "NO_GCE_CHECK": "", "METADATA_SERVER_DETECTION": "assume-present"}
    (tmp_path / "h").chmod(0)
    was = os.geteuid()
    try:
        if was == 0:
            os.seteuid(65534)  # root may look everywhere
        source, look = find(env)
        text = refusal(BadCredentials, env, credentials=path)
    finally:
        os.seteuid(was)
        (tmp_path / "h").chmod(0o700)
    assert source.kind == "metadata"
    assert look.steps[-2].reason == "its folder may not be looked into"
    assert "permission denied" in text


def test_json_in_googles_variable_is_told_apart_from_a_path() -> None:
    text = refusal(UsageError, {"GOOGLE_APPLICATION_CREDENTIALS": json.dumps(KEY)})
    assert "holds a credential itself" in text
    assert "MADEUP" not in text


def test_an_impersonation_file_brings_its_chain_and_what_is_beneath(tmp_path: Path) -> None:
    middle = "middle@my-project.iam.gserviceaccount.com"
    document = IMPERSONATED | {
        "delegates": [f"projects/-/serviceAccounts/{middle}"],
        "quota_project_id": "quota-project",
        "scopes": ["https://www.googleapis.com/auth/devstorage.read_only"],
    }
    source, look = find({}, credentials=write(tmp_path / "i.json", document))
    assert (source.kind, source.impersonate, source.quota_project) == (
        "authorized_user",
        (middle, TARGET),
        "quota-project",
    )
    assert look.steps[-1].reason == f"user credential, acting as {TARGET}"


def test_looking_loads_no_library(tmp_path: Path) -> None:
    path = write(tmp_path / "i.json", IMPERSONATED | {"source_credentials": KEY})
    code = (
        "import sys; from gbearer import sources, exchange; from gbearer.model import Ask; "
        f"look = sources.Look({{}}); source = sources.locate(Ask(credentials={path!r}), look, None); "
        "exchange.needs_base(Ask()); "
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('google', 'urllib3', 'cryptography', 'requests', 'hashlib', 'argparse', 'pathlib', 'subprocess')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
