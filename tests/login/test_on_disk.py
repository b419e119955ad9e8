"""The folder of the logins: what killed writers left is swept, and what others may have put there is not believed."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Ended
from gbearer.emulator import Emulator
from gbearer.sources import disk
from login.conftest import ADA, GRACE

Done = Callable[..., Ended]
HEX = "0123456789ab"
WRITER = """\
import sys
from gbearer.sources import disk
print("begun", flush=True)
while True:
    disk.write(sys.argv[1], b"1//secret" * 100000)
"""


def folder_of(home: Path) -> Path:
    return home / ".config/gbearer/emulator-logins"


def left(path: Path, *, seconds: float, text: str = "1//secret") -> Path:
    path.write_text(text)
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_every_write_sweeps_what_dead_writers_left_and_nothing_else(
    signed_in: Done, spawn: Done, own_environment: Path
) -> None:
    signed_in()
    folder = folder_of(own_environment)
    forms = [f"{ADA}.json.gbearer-999-{HEX}", f"active.gbearer-999-{HEX}", f"{ADA}.json.999-{HEX}", ".probe-999"]
    old = [left(folder / name, seconds=90) for name in forms]
    others = [left(folder / name, seconds=90) for name in (f"{ADA}.json.old", "notes.999", f"x.json.999-{HEX}.txt")]
    fresh = left(folder / f"{GRACE}.json.gbearer-998-{HEX}", seconds=5)
    assert spawn("login", "--list").code == 0
    assert [path for path in old if path.exists()] == []
    assert all(path.exists() for path in (*others, fresh))
    old = [left(folder / name, seconds=90) for name in forms]
    signed_in("--account", ADA)
    assert [path for path in old if path.exists()] == []
    assert all(path.exists() for path in (*others, fresh))


def test_logout_takes_the_leftovers_of_that_account_at_once(
    signed_in: Done, spawn: Done, own_environment: Path
) -> None:
    signed_in("--adc")
    folder, gcloud = folder_of(own_environment), own_environment / ".config/gcloud"
    mine = left(folder / f"{ADA}.json.gbearer-999-{HEX}", seconds=0)
    hers = left(folder / f"{GRACE}.json.gbearer-999-{HEX}", seconds=0)
    adc = gcloud / "application_default_credentials.json"
    same = left(adc.with_name(f"{adc.name}.gbearer-999-{HEX}"), seconds=0, text=adc.read_text())
    another = left(adc.with_name(f"{adc.name}.gbearer-998-{HEX}"), seconds=0, text="{")
    old = left(adc.with_name(f"{adc.name}.gbearer-997-{HEX}"), seconds=90, text="{")
    gclouds = left(adc.with_name(f"{adc.name}.999-{HEX}"), seconds=90)
    assert spawn("logout").code == 0
    assert [path.exists() for path in (mine, same, old, adc)] == [False] * 4
    assert [path.exists() for path in (hers, another, gclouds)] == [True] * 3


def test_a_writer_that_is_killed_leaves_a_whole_file_and_its_leftover_goes(tmp_path: Path) -> None:
    folder = tmp_path / "logins"
    folder.mkdir()
    file = folder / "ada.json"
    for turn in range(40):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.003 * turn)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if list(disk.left(str(folder))):
            break
    leftovers = [path for path, _ in disk.left(str(folder))]
    assert leftovers, "no writer was killed in the middle of its work"
    disk.write(str(file), b"new")
    assert all(os.path.exists(path) for path in leftovers)
    for path in leftovers:
        os.utime(path, (time.time() - 61,) * 2)
    disk.write(str(file), b"newer")
    assert (os.listdir(folder), file.read_bytes()) == (["ada.json"], b"newer")


@pytest.mark.parametrize("kind", ["pipe", "huge", "folder", "link"])
def test_what_is_no_file_hangs_nobody_and_is_told_as_a_login(
    signed_in: Done, spawn: Done, own_environment: Path, em: Emulator, kind: str
) -> None:
    signed_in()
    path = folder_of(own_environment) / f"{ADA}.json"
    text = path.read_text()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        path.write_text(text + " " * (1 << 20))
    elif kind == "folder":
        path.mkdir()
    else:
        (own_environment / "elsewhere.json").write_text(text)
        path.symlink_to(own_environment / "elsewhere.json")
    ended = spawn("token")
    assert (ended.code, ended.out) == (4, "")
    assert f"error: the login in {path} cannot be used" in ended.err
    assert f"fix: sign in anew: `gbearer login --account {ADA}`" in ended.err
    assert "GBEARER_CREDENTIALS" not in ended.err
    assert "broken" in spawn("login", "--list").out
    if kind == "folder":
        assert spawn("logout").code == 4
        return
    signed_in("--client-file", str(em.dir / "client.json"), "--account", ADA)
    assert stat.S_ISREG(path.lstat().st_mode)
    assert spawn("token").code == 0
    if kind == "pipe":
        path.unlink()
        os.mkfifo(path)
        assert spawn("logout").code == 7
        assert not os.path.lexists(path)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_login_that_others_may_write_is_not_believed(
    signed_in: Done, spawn: Done, own_environment: Path, what: str
) -> None:
    signed_in()
    path = folder_of(own_environment) / (f"{ADA}.json" if what == "file" else "")
    mode = stat.S_IMODE(path.stat().st_mode)
    for wrong in (mode | 0o020, mode | 0o002):
        path.chmod(wrong)
        ended = spawn("token")
        assert (ended.code, ended.out) == (4, "")
        assert "others may write it" in ended.err
        assert f"`chmod go-w {path}`" in ended.err
    path.chmod(mode)
    assert spawn("token").code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_login_of_another_user_is_not_believed(
    signed_in: Done, spawn: Done, own_environment: Path, what: str
) -> None:
    signed_in()
    path = folder_of(own_environment) / (f"{ADA}.json" if what == "file" else "")
    os.chown(path, 65534, -1)
    ended = spawn("token")
    assert (ended.code, ended.out) == (4, "")
    assert "it belongs to the user with the id 65534" in ended.err
    assert f"`sudo chown 0 {path}`" in ended.err


def test_folders_that_are_made_are_the_owners_alone_whatever_the_umask(signed_in: Done, own_environment: Path) -> None:
    old = os.umask(0)
    try:
        signed_in("--adc", XDG_CONFIG_HOME=str(own_environment / "a/b"))
    finally:
        os.umask(old)
    for name in ("a", "a/b", "a/b/gbearer", "a/b/gbearer/emulator-logins", ".config", ".config/gcloud"):
        assert stat.S_IMODE((own_environment / name).stat().st_mode) == 0o700, name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"refresh_token": None}, "it is no usable user credential: refresh_token is missing"),
        ({"type": "service_account"}, "it is not what `gbearer login` writes"),
        ({"client_id": 5}, "client_id is a number"),
    ],
)
def test_a_damaged_login_is_told_as_one(
    signed_in: Done, spawn: Done, own_environment: Path, change: dict[str, object], words: str
) -> None:
    signed_in()
    path = folder_of(own_environment) / f"{ADA}.json"
    info = json.loads(path.read_text()) | change
    path.write_text(json.dumps({name: value for name, value in info.items() if value is not None}))
    ended = spawn("token")
    assert (ended.code, ended.out) == (4, "")
    assert f"error: the login of {ADA} in {path} cannot be used" in ended.err
    assert words in ended.err
    assert f"fix: sign in anew: `gbearer login --account {ADA}`" in ended.err
