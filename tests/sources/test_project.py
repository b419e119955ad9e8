"""Which project is meant: google-auth's order, and gcloud's configuration read as gcloud reads it."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gbearer import sources
from gbearer.emulator import Emulator
from gbearer.transport import Transport
from sources.hands import IMPERSONATED, KEY, USER, find, write


def project(env: dict[str, str], **options: Any) -> str | None:
    source, look = find(env, **options)
    return sources.project(look, source, Transport(look.env))


def test_variables_come_first_then_the_file(tmp_path: Path) -> None:
    env = {"GOOGLE_CLOUD_PROJECT": "one", "GCLOUD_PROJECT": "two", "GBEARER_CREDENTIALS": write(tmp_path / "k", KEY)}
    seen = [project(env)]
    for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        env[name] = ""
        seen.append(project(env))
    assert seen == ["one", "two", "my-project"]


def test_user_and_impersonation_files_name_no_project(tmp_path: Path) -> None:
    env = {"CLOUDSDK_CORE_PROJECT": "of-gcloud"}  # gcloud's word counts for gcloud's own file only
    assert project(env, credentials=write(tmp_path / "u", USER)) is None
    assert project(env, credentials=write(tmp_path / "i", IMPERSONATED | {"source_credentials": KEY})) is None


def gcloud(folder: Path, *, active: str = "", configurations: dict[str, str], env: dict[str, str]) -> str | None:
    write(folder / "application_default_credentials.json", USER)
    if active:
        write(folder / "active_config", active.encode())
    for name, text in configurations.items():
        write(folder / f"configurations/config_{name}", text.encode())
    return project({"CLOUDSDK_CONFIG": str(folder), **env}, source="adc")


CASES: list[tuple[str, dict[str, str], dict[str, str], str | None]] = [
    ("", {}, {}, None),
    ("default", {"default": "[core]\nproject = one\n"}, {}, "one"),
    ("", {"default": "[core]\nproject = one\n"}, {}, None),
    ("work", {"default": "[core]\nproject = one\n", "work": "[core]\nproject = two\n"}, {}, "two"),
    ("work", {"work": "[core]\nproject=two"}, {}, "two"),
    ("work", {"work": "[core]\nproject = two\n", "third": "[core]\nproject = three\n"},
     {"CLOUDSDK_ACTIVE_CONFIG_NAME": "third"}, "three"),
    ("default", {"default": "[core]\nproject = one\n"}, {"CLOUDSDK_CORE_PROJECT": "four"}, "four"),
    ("default", {"default": "[core]\naccount = ada@example.com\n[compute]\nproject = no\n"}, {}, None),
    ("default", {"default": "not an ini file"}, {}, None),
    ("../x", {"default": "[core]\nproject = one\n"}, {}, None),
    ("default", {"default": "[core]\nproject = bad project\r\nX: 1\n"}, {}, None),
    ("missing", {"default": "[core]\nproject = one\n"}, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("active", "configurations", "env", "expected"), CASES)
def test_gclouds_configuration(
    tmp_path: Path, active: str, configurations: dict[str, str], env: dict[str, str], expected: str | None
) -> None:
    assert gcloud(tmp_path / "c", active=active, configurations=configurations, env=env) == expected


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
def test_gcloud_itself_says_the_same(tmp_path: Path) -> None:
    for number, (active, configurations, env, expected) in enumerate(CASES[:7]):
        folder = tmp_path / str(number)
        assert gcloud(folder, active=active, configurations=configurations, env=env) == expected
        quiet = {"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1", "CLOUDSDK_CORE_CHECK_GCE_METADATA": "0"}
        done = subprocess.run(
            ["gcloud", "config", "get", "project", "--quiet"],
            env={**os.environ, "CLOUDSDK_CONFIG": str(folder), **quiet, **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout.strip() or None) == expected, done.stderr


def test_the_metadata_server_names_the_project(gbearer_emulator: Emulator) -> None:
    env = {"GBEARER_EMULATOR_HOST": gbearer_emulator.host}
    assert project(env, source="metadata") == "emulator-project"
    assert [entry["path"] for entry in gbearer_emulator.log()] == ["/computeMetadata/v1/project/project-id"]


def test_a_project_that_cannot_be_found_out_is_unknown_and_no_error(gbearer_emulator: Emulator) -> None:
    gbearer_emulator.fault({"status": 404, "match": {"path": "/computeMetadata"}})
    assert project({"GBEARER_EMULATOR_HOST": gbearer_emulator.host}, source="metadata") is None
