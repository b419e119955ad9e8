"""After anything that an answer rests on has changed, the very next answer is right; and the warm path stays light."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gbearer.emulator import Emulator
from shows.conftest import Run, tokens_made

PRINCIPALS = {"key": "robot@", "user": "ada@", "other": "robot@"}


@pytest.fixture
def key(em: Emulator, tmp_path: Path, env: dict[str, str]) -> Path:
    """A copy of the key that the test may replace, in the place of the emulator's own."""
    copy = tmp_path / "key.json"
    copy.write_bytes(em.key_file.read_bytes())
    env["GOOGLE_APPLICATION_CREDENTIALS"] = str(copy)
    return copy


@pytest.fixture
def warmed(run: Run, env: dict[str, str], settled: Callable[..., None], em: Emulator) -> Callable[..., str]:
    """A function that asks until the answer comes from the warm path, and returns it."""

    def ask(*args: str, **more: object) -> str:
        settled(Path(env["GOOGLE_APPLICATION_CREDENTIALS"]))
        first = run(*(args or ("token",)), **more)
        assert first.returncode == 0, first.stderr
        assert is_warm(env | dict(more.get("env", {})), *(args or ("token",)), cwd=more.get("cwd"))  # type: ignore[call-overload]
        em.reset()
        return first.stdout

    return ask


def modules(env: dict[str, str], *args: str, cwd: object = None) -> set[str]:
    """The modules that one run of the command has loaded at its end."""
    code = (
        "import sys; before = set(sys.modules); sys.argv[0] = 'gbearer'\n"
        "from gbearer.__main__ import main\n"
        "code = main()\n"
        "sys.stderr.write('\\n'.join(sorted(set(sys.modules) - before))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args], env=env, cwd=cwd, text=True, capture_output=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # type: ignore[call-overload]  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split("\n"))


def is_warm(env: dict[str, str], *args: str, cwd: object = None) -> bool:
    return "gbearer.cli" not in modules(env, *args, cwd=cwd)


@pytest.mark.parametrize(
    "args",
    [("token",), ("header",), ("header", "--audience", "https://x.run.app"), ("id-token", "--audience", "https://x.run.app"),
     ("token", "--format", "curl"), ("token", "--format", "env")],
    ids=" ".join,
)  # fmt: skip
def test_the_warm_path_loads_nothing(warmed: Callable[..., str], env: dict[str, str], args: tuple[str, ...]) -> None:
    warmed(*args)
    loaded = modules(env, *args)
    assert loaded <= {"gbearer", "gbearer.__main__", "gbearer._version", "gbearer.warm", "_blake2"}


def test_a_disk_hit_loads_no_third_party_module(run: Run, env: dict[str, str]) -> None:
    assert run("token").returncode == 0
    loaded = modules(env, "token", "--format", "json")
    assert "gbearer.cli" in loaded
    outside = {name.partition(".")[0] for name in loaded} & {
        "aiohttp", "certifi", "cryptography", "google", "jwt", "requests", "urllib3", "botocore",
    }  # fmt: skip
    assert not outside


def test_the_key_file_replaced_with_one_of_the_same_size(
    warmed: Callable[..., str], run: Run, key: Path, em: Emulator
) -> None:
    old = warmed()
    about = key.stat()
    text = key.read_text()
    other = text.replace('"project_id": "emulator-project"', '"project_id": "emulator-projecT"')
    assert len(other) == len(text)
    assert other != text
    key.write_text(other)
    os.utime(key, ns=(about.st_atime_ns, about.st_mtime_ns))  # as `cp -p` or a git checkout may leave it
    new = run("token")
    assert new.returncode == 0
    assert new.stdout != old
    assert tokens_made(em) == 1


def test_the_key_file_replaced_by_rename(warmed: Callable[..., str], run: Run, key: Path, em: Emulator) -> None:
    old = warmed()
    user = key.with_name("new.json")
    user.write_bytes(em.user_file.read_bytes())
    user.replace(key)
    assert run("token").stdout != old
    assert json.loads(run("token", "--format", "json").stdout)["source"] == str(key)


def test_the_key_file_replaced_while_a_mint_is_under_way(
    run: Run, key: Path, em: Emulator, settled: Callable[..., None]
) -> None:
    settled(key)
    em.fault({"match": {"path": "/token"}, "delay": 1.5})
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(run("token").stdout))
    slow.start()
    while not em.log() and slow.is_alive():
        time.sleep(0.02)
        if any(line["path"] == "/token" for line in em.log()):
            break
    time.sleep(0.3)
    key.write_bytes(em.user_file.read_bytes())
    slow.join(30)
    assert answers[0].startswith("ya29.c.")
    for _ in range(2):
        assert run("token").stdout.startswith("ya29.a0"), "the user's, not what the old key got"


def test_another_variable_another_home_another_folder(
    warmed: Callable[..., str], run: Run, env: dict[str, str], em: Emulator, tmp_path: Path
) -> None:
    robot = warmed()
    user = run("token", env=env | {"GOOGLE_APPLICATION_CREDENTIALS": str(em.user_file)}).stdout
    assert user != robot
    assert run("token").stdout == robot
    for name, file in (("a", em.key_file), ("b", em.user_file)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "c.json").write_bytes(file.read_bytes())
    relative = env | {"GOOGLE_APPLICATION_CREDENTIALS": "c.json"}
    for _ in range(2):
        assert run("token", env=relative, cwd=tmp_path / "a").stdout == robot
        assert run("token", env=relative, cwd=tmp_path / "b").stdout == user


def test_home_changed(run: Run, env: dict[str, str], em: Emulator, tmp_path: Path) -> None:
    del env["GOOGLE_APPLICATION_CREDENTIALS"]
    homes = {}
    for name, file in (("one", em.key_file), ("two", em.user_file)):
        folder = tmp_path / name / ".config" / "gcloud"
        folder.mkdir(parents=True)
        (folder / "application_default_credentials.json").write_bytes(file.read_bytes())
        homes[name] = tmp_path / name
    answers = [run("token", env=env | {"HOME": str(homes[name])}).stdout for name in ("one", "two", "one", "two")]
    assert answers[0].startswith("ya29.c.")
    assert answers[1].startswith("ya29.a0")
    assert answers[:2] == answers[2:]


def test_the_adc_file_appears_and_goes(
    run: Run, env: dict[str, str], em: Emulator, own_environment: Path, settled: Callable[..., None]
) -> None:
    del env["GOOGLE_APPLICATION_CREDENTIALS"], env["NO_GCE_CHECK"]
    adc = own_environment / ".config" / "gcloud" / "application_default_credentials.json"
    assert run("token").stdout.startswith("ya29."), "the emulator's metadata server"
    adc.parent.mkdir(parents=True)
    adc.write_bytes(em.user_file.read_bytes())
    assert run("token").stdout.startswith("ya29.a0")
    settled(adc)
    run("token")
    assert is_warm(env, "token")
    adc.unlink()
    assert not run("token").stdout.startswith("ya29.a0")
    assert json.loads(run("token", "--format", "json").stdout)["principal"].startswith("default@")


def test_the_emulator_set_and_unset(warmed: Callable[..., str], run: Run, env: dict[str, str]) -> None:
    warmed()
    without = {name: value for name, value in env.items() if name != "GBEARER_EMULATOR_HOST"}
    refused = run("token", env=without)
    assert refused.returncode == 4
    assert refused.stdout == ""
    assert "GBEARER_EMULATOR_HOST" in refused.stderr
    assert run("token").returncode == 0


def test_the_clock_set_back(warmed: Callable[..., str], env: dict[str, str], em: Emulator) -> None:
    """Entries written by a clock that was an hour ahead are not believed."""
    old = warmed()
    em.fault({"clock_skew": -7200})
    behind = (
        "import sys, time; real = time.time; time.time = lambda: real() - 7200; sys.argv = ['gbearer', 'token']\n"
        "import datetime\n"
        "from gbearer.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", behind],
        env=env,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout != old, done.stderr


def test_cache_clear(warmed: Callable[..., str], run: Run, em: Emulator) -> None:
    old = warmed()
    assert run("cache", "clear").returncode == 0
    assert run("token").stdout != old
    assert tokens_made(em) == 1


def test_refresh_elsewhere(warmed: Callable[..., str], run: Run, env: dict[str, str], em: Emulator) -> None:
    old = warmed()
    new = run("token", "--refresh").stdout
    assert new != old
    assert is_warm(env, "token")
    assert run("token").stdout == new
    assert run("header").stdout == f"Authorization: Bearer {new}"
    assert tokens_made(em) == 1


def test_a_token_inside_min_ttl(warmed: Callable[..., str], run: Run, em: Emulator) -> None:
    old = warmed("token", "--min-ttl", "50m")
    assert run("token", "--min-ttl", "50m").stdout == old
    impossible = run("token", "--min-ttl", "2h")
    assert (impossible.returncode, impossible.stdout) == (2, "")
    assert "--min-ttl" in impossible.stderr
    assert tokens_made(em) == 1, "minted once, then an error"


@pytest.mark.parametrize("flag", ["--refresh", "--no-cache", "-v"])
def test_what_bypasses_it(warmed: Callable[..., str], env: dict[str, str], flag: str) -> None:
    warmed()
    assert not is_warm(env, "token", flag)
    assert not is_warm(env, "token", flag)


def test_a_file_just_written_is_not_believed(run: Run, env: dict[str, str], key: Path) -> None:
    key.touch()
    run("token")
    assert not is_warm(env, "token")


def test_credentials_given_inline_are_never_remembered(run: Run, env: dict[str, str], em: Emulator) -> None:
    text = em.key_file.read_text()
    for more in ({"GBEARER_CREDENTIALS": text}, {"GBEARER_CREDENTIALS": str(em.key_file)}):
        run("token", env=env | more)
    assert not is_warm(env | {"GBEARER_CREDENTIALS": text}, "token")
    entries = b"".join(path.read_bytes() for path in Path(env["GBEARER_CACHE"]).iterdir())
    assert b"PRIVATE KEY" not in entries
