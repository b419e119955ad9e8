"""The properties of an installation decide as well: which gcloud is on PATH is known to the warm path too."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gbearer.emulator import Emulator
from gbearer.sources.gcloud import installed
from gbearer.sources.look import Look
from sources.gcloud.hands import ADA, GCLOUD_USER, configuration, database

ROBOT = "robot@emulator-project.iam.gserviceaccount.com"
TARGET = "target@emulator-project.iam.gserviceaccount.com"
RUN = (
    "import sys; from gbearer.__main__ import main; code = main()\n"
    "print(sys.modules.get('gbearer.cli') is None, file=sys.stderr); sys.exit(code)"
)


def sdk(folder: Path, properties: str | None) -> Path:
    """An installation, with or without properties of its own; the folder of its program."""
    (folder / "bin").mkdir(parents=True)
    (folder / ".install").mkdir()
    (folder / "bin" / "gcloud").write_text("#!/bin/sh\nexit 9\n")
    (folder / "bin" / "gcloud").chmod(0o755)
    if properties is not None:
        (folder / "properties").write_text(properties)
    return folder / "bin"


class Session:
    """A session in which the configuration selects nobody: the installation does."""

    def __init__(self, em: Emulator, folder: Path, settled: Callable[..., None]) -> None:
        self.folder, self.settled = folder, settled
        user = GCLOUD_USER | json.loads(em.user_file.read_text()) | {"token_uri": GCLOUD_USER["token_uri"]}
        database(folder / "gcloud" / "credentials.db", {ADA: user, ROBOT: json.loads(em.key_file.read_text())})
        configuration(folder / "gcloud", "default", "", active=True)
        self.env = {name: os.environ[name] for name in ("PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK", "HOME")}
        self.env |= {"GBEARER_EMULATOR_HOST": em.host, "GBEARER_CACHE": str(folder / "cache")}
        self.env |= {"CLOUDSDK_CONFIG": str(folder / "gcloud"), "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false"}

    def asks(self, *path: Path) -> tuple[str, bool]:
        """(the token, whether it came by the warm path) with these folders as PATH."""
        env = self.env | {"PATH": os.pathsep.join(map(str, path))}
        done = subprocess.run(
            [sys.executable, "-c", RUN, "token", "--source", "gcloud"], env=env, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip(), done.stderr.splitlines()[-1] == "True"

    def warmed(self, *path: Path) -> str:
        self.settled(*[each for each in self.folder.rglob("*") if "cache" not in each.parts])
        first = self.asks(*path)[0]
        assert self.asks(*path) == (first, True)
        return first


@pytest.fixture
def person(gbearer_emulator: Emulator, tmp_path: Path, settled: Callable[..., None]) -> Session:
    return Session(gbearer_emulator, tmp_path, settled)


def test_another_path_is_another_installation_and_another_account(person: Session, tmp_path: Path) -> None:
    one = sdk(tmp_path / "one", f"[core]\naccount = {ADA}\n")
    two = sdk(tmp_path / "two", f"[core]\naccount = {ROBOT}\n")
    first, second = person.warmed(one), person.warmed(two)
    assert first != second
    assert person.asks(one) == (first, True)
    assert person.asks(two, one) == (second, False)


def test_an_installation_in_an_earlier_folder_counts_at_once(person: Session, tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.mkdir()
    one = sdk(tmp_path / "one", f"[core]\naccount = {ADA}\n")
    two = sdk(tmp_path / "two", f"[core]\naccount = {ROBOT}\n")
    first = person.warmed(early, one)
    (early / "gcloud").symlink_to(two / "gcloud")
    second, was_warm = person.asks(early, one)
    assert (second == first, was_warm) == (False, False)
    (early / "gcloud").unlink()
    assert person.asks(early, one) == (first, False)


def test_the_first_installation_counts_at_once(person: Session, tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.mkdir()
    configuration(tmp_path / "gcloud", "default", f"[core]\naccount = {ROBOT}\n")
    acting = sdk(tmp_path / "acting", f"[auth]\nimpersonate_service_account = {TARGET}\n")
    first = person.warmed(early)
    (early / "gcloud").symlink_to(acting / "gcloud")
    second, was_warm = person.asks(early)
    assert (second == first, was_warm) == (False, False)


def test_properties_that_an_installation_gets_count_at_once(person: Session, tmp_path: Path) -> None:
    configuration(tmp_path / "gcloud", "default", "")
    bare = sdk(tmp_path / "bare", None)
    person.env["CLOUDSDK_CORE_ACCOUNT"] = ADA
    first = person.warmed(bare)
    (tmp_path / "bare" / "properties").write_text(f"[auth]\nimpersonate_service_account = {TARGET}\n")
    second, was_warm = person.asks(bare)
    assert (second == first, was_warm) == (False, False)


def test_every_place_up_to_the_first_gcloud_is_noted_and_none_after_it(tmp_path: Path) -> None:
    one, two = sdk(tmp_path / "one", ""), sdk(tmp_path / "two", "")
    absent = tmp_path / "absent"
    look = Look({"PATH": os.pathsep.join(["", ".", "relative", str(absent), str(one), str(two)])})
    assert installed.properties(look) == str(tmp_path / "one" / "properties")
    noted = {path: known is not None for path, known in look.files.items()}
    assert noted == {
        f"{absent}/gcloud": False,
        f"{one}/gcloud": True,
        f"{tmp_path}/one/.install": True,
    }
    assert look.remember


def test_of_a_closed_folder_on_path_what_closes_it_is_noted(tmp_path: Path) -> None:
    code = (
        "import os; from gbearer import warm; from gbearer.sources.gcloud import installed\n"
        "from gbearer.sources.look import Look\n"
        f"look = Look({{'PATH': {str(tmp_path / 'closed' / 'bin')!r}}})\n"
        "os.geteuid() or os.setuid(65534)\n"  # to root nothing is closed
        "print(installed.program(look) == '', look.remember, *look.files)\n"
        "assert all(known is not None and warm.identity(path) == known for path, known in look.files.items())"
    )
    (tmp_path / "closed" / "bin").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    (tmp_path / "closed").chmod(0o700)
    assert done.returncode == 0, done.stderr
    none, remember, noted = done.stdout.split()
    assert (none, remember) == ("True", "True")
    assert noted in map(str, (tmp_path / "closed").parents) or noted == str(tmp_path / "closed")
