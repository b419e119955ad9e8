"""A workforce login from sign-in to a call; its refresh token changes at every refresh and is never lost."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

from gbearer.emulator import Emulator
from shows.conftest import GBEARER, Run

KILLS = 100
AT_ONCE = 20
SPENT = 10
"""Kills of a hundred, at least, that come after the server has changed the refresh token: else they show little."""
SCOPES = ("cloud-platform", "bigquery", "devstorage.read_only", "pubsub")
BROWSER = "#!{python}\nimport sys\nwith open({note!r}, 'w') as note:\n    note.write(sys.argv[1])\n"


@pytest.fixture
def signed_in(em: Emulator, env: dict[str, str], own_environment: Path) -> dict[str, str]:
    """The environment after `gbearer login` with the pool's login config, through the emulator's pages."""
    note, browser = own_environment / "opened", own_environment / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, note=str(note)))
    browser.chmod(0o755)
    del env["GOOGLE_APPLICATION_CREDENTIALS"]
    env["BROWSER"] = str(browser)
    files = ["--client-file", str(em.client_file), "--login-config", str(em.login_config_file)]
    login = subprocess.Popen(
        [GBEARER, "login", *files],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not (note.exists() and note.read_text()):
        assert login.poll() is None, login.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    back = em.sign_in(note.read_text())
    answer = urllib3.request("GET", back)
    _, err = login.communicate(timeout=20)
    assert (answer.status, login.returncode) == (200, 0), err
    em.reset()
    return env


def refreshes(em: Emulator) -> int:
    """How often the token service has given out a token, and with it a new refresh token."""
    return sum(1 for line in em.log() if line["path"] == "/v1/oauthtoken" and line["status"] == 200)


def kept(env: dict[str, str]) -> str:
    """The refresh token in the one login file there is."""
    (file,) = Path(env["HOME"]).rglob("*logins/*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    token: str = json.loads(file.read_text())["refresh_token"]
    return token


def test_from_signing_in_to_a_call_and_out_again(em: Emulator, signed_in: dict[str, str], run: Run) -> None:
    who = json.loads(run("whoami", "--format", "json", env=signed_in).stdout)
    assert who["principal"].startswith("principal://iam.googleapis.com/locations/global/workforcePools/")
    called = run("request", "--fail", "GET", f"{em.url}/v1/protected", env=signed_in)
    assert called.returncode == 0, called.stderr
    assert who["principal"] in called.stdout
    before = kept(signed_in)
    assert run("token", "--refresh", env=signed_in).returncode == 0
    assert kept(signed_in) != before
    denied = run("id-token", "--audience", "https://service.run.app", env=signed_in)
    assert (denied.returncode, denied.stdout) == (5, "")
    assert "--impersonate" in denied.stderr


def test_the_emulators_own_file_is_used_and_never_written_to(em: Emulator, env: dict[str, str], run: Run) -> None:
    del env["GOOGLE_APPLICATION_CREDENTIALS"]
    before = em.workforce_user_file.read_bytes()
    for _ in range(3):
        done = run("token", "--refresh", "--credentials", str(em.workforce_user_file), env=env)
        assert (done.returncode, done.stderr) == (0, "")
    assert refreshes(em) == 3
    assert em.workforce_user_file.read_bytes() == before


@pytest.mark.slow
def test_nothing_is_lost_when_a_process_is_killed_around_its_refresh(
    em: Emulator, signed_in: dict[str, str], run: Run
) -> None:
    """Kill -9 at a moment of chance, a hundred times; each time the next process gets its token."""
    command = [GBEARER, "token", "--refresh"]
    took = []
    for _ in range(3):
        begun = time.monotonic()
        assert run("token", "--refresh", env=signed_in).returncode == 0
        took.append(time.monotonic() - begun)
    whole = min(took)
    chance = random.Random(20261122)
    spent = killed = number = 0
    while killed < KILLS:
        number += 1
        before, served = kept(signed_in), refreshes(em)
        process = subprocess.Popen(command, env=signed_in, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait = chance.uniform(0.3, 1.0) * whole
        if number % 2:  # every second time: from the moment in which the server has answered
            until = time.monotonic() + 10
            while refreshes(em) == served and process.poll() is None and time.monotonic() < until:
                time.sleep(0.0002)
            wait = chance.uniform(0.0, 0.005)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        spent += refreshes(em) > served and kept(signed_in) == before
        after = run("token", "--refresh", env=signed_in)
        assert (after.returncode, after.stderr) == (0, ""), f"after kill {killed} of {number} starts"
        assert after.stdout.startswith("ya29.")
    assert spent >= SPENT, f"{spent} of {KILLS}"
    assert not [line for line in em.log() if line["path"] == "/v1/oauthtoken" and line["status"] >= 400]
    print(f"{killed} killed, {spent} of them between the server's new refresh token and its being kept")


@pytest.mark.slow
def test_twenty_processes_that_want_different_tokens_of_one_login_lose_nothing(
    em: Emulator, signed_in: dict[str, str], run: Run
) -> None:
    """Four questions, so four entries of the cache, and without a cache: the login alone makes them take turns."""
    for cache in (signed_in["GBEARER_CACHE"], "off"):
        em.reset()
        env = signed_in | {"GBEARER_CACHE": cache}
        started = [
            subprocess.Popen(
                [GBEARER, "token", "--refresh", "--scope", SCOPES[number % len(SCOPES)]],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(AT_ONCE)
        ]
        for process in started:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            assert out.startswith("ya29.")
        lines = [line for line in em.log() if line["path"] == "/v1/oauthtoken"]
        assert len(lines) >= (AT_ONCE if cache == "off" else len(SCOPES))
        assert {line["status"] for line in lines} == {200}
        assert run("token", "--refresh", env=env).returncode == 0
