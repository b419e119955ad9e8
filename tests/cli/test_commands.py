"""The command line itself: help, version, streams that are closed or full, cache, emulator, demo, imports."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cli.conftest import GBEARER, Run
from gbearer import cli
from gbearer._version import __version__
from gbearer.emulator import Emulator


def test_help_lists_every_command_and_each_has_its_own(run: Run) -> None:
    overview = run("--help")
    assert (overview.code, run().out, run("-h").out) == (0, overview.out, overview.out)
    for name in cli.COMMANDS:
        assert f"\n  {name} " in overview.out
        ended = run(name, "--help")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(f"usage: gbearer {name} [options]")


def test_version(run: Run) -> None:
    assert run("--version").out == f"gbearer {__version__}\n"


def test_in_process_and_as_a_process_it_says_the_same(run: Run, spawn: Run) -> None:
    for argv in (["token"], ["header", "--audience", "https://f.example"], ["token", "--source", "nowhere"]):
        assert run(*argv) == spawn(*argv)


def test_the_emulator_is_not_called_again_by_the_warm_path(spawn: Run, em: Emulator) -> None:
    first = spawn("header").out
    em.reset()
    assert (spawn("header").out, em.log()) == (first, [])


def test_nobody_reads_on(env: dict[str, str]) -> None:
    out, into = os.pipe()
    os.close(out)
    done = subprocess.run([GBEARER, "token"], env=env, stdout=into, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(into)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_an_error(env: dict[str, str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([GBEARER, "token"], env=env, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the answer cannot be written")
    assert done.stderr.count(b"\n") == 3


def test_a_closed_stdout_is_an_error(env: dict[str, str]) -> None:
    command = f'exec "{GBEARER}" token >&-'
    done = subprocess.run(["sh", "-c", command], env=env, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: the answer cannot be written")


def test_an_interrupt_is_130_without_a_traceback(env: dict[str, str], em: Emulator) -> None:
    em.fault({"match": {"path": "/token"}, "hang": True})
    child = subprocess.Popen([GBEARER, "token"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not em.log():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def test_a_bug_is_told_without_its_secrets(run: Run, own_environment: Path) -> None:
    """An environment that raises what no code expects stands for a bug of ours."""

    class Broken(dict[str, str]):
        def get(self, *_: object) -> str:
            raise RuntimeError("Bearer ya29.c.secret and eyJhbGciOi.eyJpc3Mi.c2ln")

    for argv, traceback in ((["token"], False), (["token", "-v"], True)):
        out, err = own_environment / "out", own_environment / "err"
        with out.open("w") as stdout, err.open("w") as stderr:
            assert cli.main(argv, stdout=stdout, stderr=stderr, env=Broken()) == 1
        said = err.read_text()
        assert out.read_text() == ""
        assert "error: gbearer has a bug: RuntimeError" in said
        assert ("Traceback" in said) == traceback
        assert "secret" not in said
        assert "c2ln" not in said
    assert run("--version").code == 0


def test_cache_dir_list_and_clear(run: Run, own_environment: Path) -> None:
    assert run("cache", "dir").out == f"{own_environment / 'cache'}\n"
    assert run("cache", "list") == (0, "", "")
    assert run("cache", "clear").out == "0 tokens deleted\n"
    token = run("token").out.strip()
    run("id-token", "--audience", "https://f.example")
    listed = run("cache", "list").out
    assert len(listed.splitlines()) == 2
    assert "robot@emulator-project.iam.gserviceaccount.com  https://f.example" in listed
    assert "min left" in listed
    assert token not in listed
    assert "eyJ" not in listed
    assert run("cache", "clear").out == "2 tokens deleted\n"
    assert run("cache", "list").out == ""


def test_a_cache_that_cannot_be_used_is_8(run: Run, own_environment: Path) -> None:
    (own_environment / "file").write_text("")
    for action in ("list", "clear"):
        ended = run("cache", action, GBEARER_CACHE=str(own_environment / "file"))
        assert (ended.code, ended.out) == (8, "")
    assert run("cache", "dir", GBEARER_CACHE="off").code == 8
    assert run("cache", "empty").code == 2
    assert run("token", GBEARER_CACHE=str(own_environment / "file")).code == 0


def test_the_emulator_serves_until_it_is_stopped(env: dict[str, str], tmp_path: Path) -> None:
    child = subprocess.Popen([GBEARER, "emulator", "--dir", tmp_path / "d"], env=env, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    ready, _, url = child.stdout.readline().strip().partition(" ")
    assert ready == "ready"
    with urllib.request.urlopen(f"{url}/_emulator/log") as answer:
        assert json.load(answer) == []
    script = f'. "{tmp_path}/d/env.sh"; exec "{GBEARER}" token --credentials "{tmp_path}/d/key.json"'
    done = subprocess.run(["sh", "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout[:5], done.stderr) == (0, "ya29.", "")
    child.terminate()
    assert child.communicate(timeout=30)[0] == ""
    assert child.returncode == 0


def test_the_emulator_without_a_folder_leaves_nothing(env: dict[str, str], tmp_path: Path) -> None:
    child = subprocess.Popen(
        [GBEARER, "emulator"],
        env=env | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("ready http://127.0.0.1:")
    (folder,) = tmp_path.glob("gbearer-emulator-*")
    child.terminate()
    assert str(folder) in child.communicate(timeout=30)[1]
    assert not folder.exists()


@pytest.mark.parametrize("argv", [["--port", "x"], ["--port", "99999"], ["--dir", ""], ["--port", "-1"]])
def test_an_emulator_that_cannot_be_started_is_2(run: Run, argv: list[str]) -> None:
    assert run("emulator", *argv).code == 2


def test_a_taken_port_is_said(spawn: Run, em: Emulator, tmp_path: Path) -> None:
    ended = spawn("emulator", "--port", em.host.rpartition(":")[2], "--dir", str(tmp_path / "d"))
    assert (ended.code, ended.out) == (2, "")
    assert "cannot be used" in ended.err


def test_the_demo_makes_places_and_has_accepted(spawn: Run, own_environment: Path) -> None:
    ended = spawn("demo", GBEARER_CREDENTIALS="/nonexistent", GOOGLE_APPLICATION_CREDENTIALS="/nonexistent")
    assert (ended.code, ended.err) == (0, "")
    assert "FAILED" not in ended.out
    assert ended.out.count("\n  ok: ") >= 6
    assert "HTTP/1.1 200 OK" in ended.out
    assert "HTTP/1.1 401 Unauthorized" in ended.out
    assert "\x1b" not in ended.out
    assert not [line for line in ended.out.splitlines() if "ya29." in line and len(line) > 20]
    assert list(own_environment.iterdir()) == []


def imported(env: dict[str, str], *argv: str) -> set[str]:
    """The modules that a command imported, by name."""
    code = (
        "import sys; from gbearer import cli; code = cli.main(sys.argv[1:]); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stderr.split())


def test_a_token_from_the_disk_imports_nothing_of_others_and_nothing_heavy(env: dict[str, str]) -> None:
    for argv in (["header"], ["token"], ["id-token", "--audience", "https://f.example"]):
        imported(env, *argv)
        modules = imported(env, *argv)
        tops = {name.partition(".")[0] for name in modules}
        ours = {"gbearer", "sitecustomize", "__main__"}
        others = {name for name in tops - ours - set(sys.stdlib_module_names) if not name.startswith("_")}
        assert others == set()
        heavy = "dataclasses logging pathlib subprocess importlib.metadata http.client ssl shutil hashlib"
        assert modules & set(heavy.split()) == set()
