"""Which configuration of gcloud's is active, what it says, and what happens when it cannot be read."""

from pathlib import Path

import pytest

from gbearer.errors import BadCredentials, CredentialsNotFound, UsageError
from gbearer.sources.look import Look
from sources.gcloud.hands import ACCOUNTS, ADA, ROBOT, TARGET, configuration, database, session
from sources.hands import find, refusal


def account(env: dict[str, str], **options: str) -> str:
    return find(env, look=None, source="gcloud", **options)[0].principal


def test_the_active_configuration_selects_the_account_and_the_variable_goes_before_it(tmp_path: Path) -> None:
    env = session(tmp_path, ADA)
    configuration(tmp_path, "work", f"[core]\naccount = {ROBOT}\n")
    seen = [account(env), account(env | {"CLOUDSDK_ACTIVE_CONFIG_NAME": "work"})]
    (tmp_path / "active_config").write_text("work")
    seen.append(account(env))
    assert seen == [ADA, ROBOT, ROBOT]


def test_option_before_variable_before_configuration(tmp_path: Path) -> None:
    env = session(tmp_path, "nobody@example.com")
    assert account(env | {"CLOUDSDK_CORE_ACCOUNT": ADA}) == ADA
    assert account(env | {"CLOUDSDK_CORE_ACCOUNT": ADA}, account=ROBOT) == ROBOT


def test_an_empty_variable_hides_what_the_file_says_as_in_gcloud(tmp_path: Path) -> None:
    text = refusal(CredentialsNotFound, session(tmp_path) | {"CLOUDSDK_CORE_ACCOUNT": ""}, source="gcloud")
    assert "no account is selected" in text
    assert "CLOUDSDK_CORE_ACCOUNT" in text


def test_the_configuration_none_is_empty(tmp_path: Path) -> None:
    env = session(tmp_path) | {"CLOUDSDK_ACTIVE_CONFIG_NAME": "NONE"}
    assert "'NONE' selects none" in refusal(CredentialsNotFound, env, source="gcloud")
    assert account(env | {"CLOUDSDK_CORE_ACCOUNT": ADA}) == ADA


def test_the_installations_properties_come_last(tmp_path: Path) -> None:
    root = tmp_path / "sdk"
    (root / "bin").mkdir(parents=True)
    (root / ".install").mkdir()
    (root / "bin" / "gcloud").write_text("#!/bin/sh\nexit 9\n")
    (root / "bin" / "gcloud").chmod(0o755)
    (root / "properties").write_text(f"[core]\naccount = {ROBOT}\nproject = of-all\n")
    env = session(tmp_path / "conf", ADA)
    for more in ({"PATH": str(root / "bin")}, {"CLOUDSDK_ROOT_DIR": str(root)}):
        source, look = find(env | more, source="gcloud")
        assert (source.principal, source.project) == (ADA, "of-all")
        assert str(root / "properties") in look.files
    (tmp_path / "conf" / "configurations" / "config_default").write_text("")
    assert account(env | {"PATH": str(root / "bin")}) == ROBOT


def test_programs_beside_the_current_folder_are_not_gcloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "sdk"
    (root / "bin").mkdir(parents=True)
    (root / ".install").mkdir()
    (root / "bin" / "gcloud").write_text("")
    (root / "bin" / "gcloud").chmod(0o755)
    (root / "properties").write_text(f"[core]\naccount = {ROBOT}\n")
    monkeypatch.chdir(root / "bin")
    env = session(tmp_path / "conf", "", more="")
    refusal(CredentialsNotFound, env | {"PATH": ".:", "CLOUDSDK_ROOT_DIR": ".."}, source="gcloud")


def test_former_properties_count_until_gcloud_has_made_a_configuration_of_them(tmp_path: Path) -> None:
    database(tmp_path / "credentials.db", ACCOUNTS)
    former = f"[core]\naccount = {ROBOT}\n"
    (tmp_path / "properties").write_text(former)
    env = {"CLOUDSDK_CONFIG": str(tmp_path), "PATH": ""}
    assert account(env) == ROBOT
    (tmp_path / "properties").write_text(
        f"# This properties file has been superseded by named configurations.\n{former}"
    )
    refusal(CredentialsNotFound, env, source="gcloud")
    configuration(tmp_path, "default", f"[core]\naccount = {ADA}\n", active=True)
    assert account(env) == ADA


@pytest.mark.parametrize("named", ["wrok", "../../etc/passwd", "Work", "a b", "work\n"])
def test_an_unknown_configuration_is_named_with_those_that_there_are(tmp_path: Path, named: str) -> None:
    env = session(tmp_path)
    configuration(tmp_path, "work", "")
    text = refusal(BadCredentials, env | {"CLOUDSDK_ACTIVE_CONFIG_NAME": named}, source="gcloud")
    assert "default, work" in text
    assert "CLOUDSDK_ACTIVE_CONFIG_NAME" in text


def test_an_active_config_that_names_a_missing_one(tmp_path: Path) -> None:
    env = session(tmp_path)
    configuration(tmp_path, "work", "")
    (tmp_path / "active_config").write_text("wrok")
    text = refusal(BadCredentials, env, source="gcloud")
    assert f"{tmp_path}/active_config names it" in text
    assert "`gcloud config configurations activate work`" in text


def test_a_configuration_that_cannot_be_parsed_is_told_with_its_line_and_without_its_text(tmp_path: Path) -> None:
    env = session(tmp_path)
    for text in ("[core]\naccount = a@b.c\nMYSECRET\n", "MYSECRET = 1\n", "[core]\nx = 1\nx = MYSECRET\n"):
        configuration(tmp_path, "default", text)
        told = refusal(BadCredentials, env, source="gcloud")
        assert f"{tmp_path}/configurations/config_default cannot be parsed" in told
        assert "at line" in told
        assert "MYSECRET" not in told
    configuration(tmp_path, "default", "[core]\naccount = 10%\n")
    assert "percent" in refusal(BadCredentials, env, source="gcloud")


def test_a_configuration_that_may_not_be_read(tmp_path: Path) -> None:
    env = session(tmp_path)
    (tmp_path / "configurations" / "config_default").unlink()
    (tmp_path / "configurations" / "config_default").mkdir()
    assert "is a directory" in refusal(BadCredentials, env, source="gcloud")


def test_every_file_that_decides_is_noted_also_empty_and_absent_ones(tmp_path: Path) -> None:
    env = session(tmp_path)
    (tmp_path / "configurations" / "config_default").write_text("")
    _, look = find(env, source="gcloud", account=ADA)
    noted = {path: known is not None for path, known in look.files.items() if path.startswith(str(tmp_path))}
    assert noted == {
        f"{tmp_path}/active_config": True,
        f"{tmp_path}/configurations/config_default": True,
        f"{tmp_path}/credentials.db": True,
        f"{tmp_path}/credentials.db-journal": False,
        f"{tmp_path}/credentials.db-wal": False,
    }
    assert look.remember


def test_on_windows_the_folder_is_in_appdata(tmp_path: Path) -> None:
    session(tmp_path / "gcloud")
    look = Look({"APPDATA": str(tmp_path), "NO_GCE_CHECK": "true"}, system="win32")
    assert find({}, look=look, source="gcloud")[0].principal == ADA


def test_the_chain_of_the_property_gives_way_to_the_options(tmp_path: Path) -> None:
    more = f"[auth]\nimpersonate_service_account = middle@p.iam.gserviceaccount.com, {TARGET}\n"
    env = session(tmp_path, more=more)
    assert find(env, source="gcloud")[0].impersonate == ("middle@p.iam.gserviceaccount.com", TARGET)
    assert find(env, source="gcloud", impersonate=(ROBOT,))[0].impersonate == ()
    assert find(env | {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": ""}, source="gcloud")[0].impersonate == ()
    text = refusal(
        BadCredentials, env | {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": "not an account"}, source="gcloud"
    )
    assert "'not an account'" in text
    assert "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT" in text


PROJECTS = [
    ("project = p-one\n", "", ADA, "p-one", "p-one"),
    ("project = p-one\n", "", ROBOT, "p-one", None),
    ("", "", ADA, None, None),
    ("project = p-one\n", "[billing]\nquota_project = p-two\n", ADA, "p-one", "p-two"),
    ("project = p-one\n", "[billing]\nquota_project = p-two\n", ROBOT, "p-one", "p-two"),
    ("project = p-one\n", "[billing]\nquota_project = LEGACY\n", ADA, "p-one", None),
    ("project = p-one\n", "[billing]\nquota_project = CURRENT_PROJECT_WITH_FALLBACK\n", ADA, "p-one", "p-one"),
    ("project = p-one\n", f"[auth]\nimpersonate_service_account = {TARGET}\n", ADA, "p-one", None),
]


@pytest.mark.parametrize(("core", "more", "who", "project", "quota"), PROJECTS)
def test_project_and_quota_project_are_gclouds(
    tmp_path: Path, core: str, more: str, who: str, project: str | None, quota: str | None
) -> None:
    source, _ = find(session(tmp_path, who, more=core + more), source="gcloud")
    assert (source.project, source.quota_project) == (project, quota)


def test_a_project_that_is_none_never_becomes_a_header(tmp_path: Path) -> None:
    env = session(tmp_path) | {"CLOUDSDK_CORE_PROJECT": "p\r\nX-Evil: 1"}
    assert "which is no project id" in refusal(UsageError, env, source="gcloud")
