"""The token is where it belongs and nowhere else: not in argv, logs, representations, tracebacks or file names."""

import copy
import json
import os
import pickle
import subprocess
import threading
import traceback
from pathlib import Path

import pytest

import gbearer
from gbearer.emulator import Emulator
from shows.conftest import GBEARER, Run


def command_lines() -> list[bytes]:
    """The arguments of every process of this machine, as anybody may read them."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append(Path("/proc", entry, "cmdline").read_bytes())
            except OSError:
                continue
    return found


@pytest.mark.program("curl")
def test_curl_runs_without_the_token_in_any_command_line(env: dict[str, str], run: Run, em: Emulator) -> None:
    token = run("token").stdout.strip()
    em.fault({"match": {"path": "/v1/protected"}, "delay": 1.5})
    child = subprocess.Popen(
        [GBEARER, "curl", "--", "-s", "-X", "POST", "--data-binary", "@-", f"{em.url}/v1/protected"],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    seen: list[bytes] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.extend(command_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, err = child.communicate(b"what stdin says", timeout=30)
    done.set()
    watcher.join()
    assert child.returncode == 0, err
    answer = json.loads(out)
    assert answer["caller"]["email"].startswith("robot@"), "the token arrived"
    assert answer["body"] == "what stdin says", "and stdin stayed curl's own"
    assert any(b"curl" in line and b"/v1/protected" in line for line in seen), "curl was seen running"
    assert not any(token.encode() in line for line in seen)


@pytest.mark.parametrize("command", [("token",), ("id-token", "--audience", "https://x.run.app"), ("whoami",)])
@pytest.mark.parametrize("credentials", ["key.json", "user.json", "impersonated.json"])
def test_no_secret_in_what_is_logged(run: Run, em: Emulator, command: tuple[str, ...], credentials: str) -> None:
    done = run(*command, "-vv", "--refresh", "--credentials", str(em.dir / credentials))
    secrets = [done.stdout.strip()] if command[0] != "whoami" else []
    file = json.loads((em.dir / credentials).read_text())
    for part in (file, file.get("source_credentials", {})):
        secrets += [part[name] for name in ("private_key", "refresh_token", "client_secret") if name in part]
    secrets += [line for secret in secrets for line in secret.splitlines() if len(line) > 40]
    assert done.stderr, "-vv says something"
    for secret in filter(None, secrets):
        assert secret not in done.stderr
    for shape in ("ya29.", "eyJ", "PRIVATE KEY", "assertion="):
        assert shape not in done.stderr


def test_no_secret_in_a_token_that_is_shown(env: dict[str, str]) -> None:
    client = gbearer.Client(env=env)
    token = client.token()
    shown = [repr(token), str(token), "%s" % token, repr([token]), repr(client), repr({"t": token})]  # noqa: UP031
    assert all(token.value not in text for text in shown)
    with pytest.raises(TypeError, match="value"):
        f"{token}"
    with pytest.raises(TypeError):
        "{}".format(token)  # noqa: UP032
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(TypeError):
        json.dumps({"token": token})
    with pytest.raises(TypeError):
        iter(token)  # type: ignore[call-overload]
    assert copy.deepcopy(token) is token


def test_no_secret_in_a_traceback(env: dict[str, str], em: Emulator) -> None:
    file = json.loads(em.user_file.read_text())
    em.fault({"match": {"path": "/token"}, "oauth_error": {"error": "invalid_grant"}})
    client = gbearer.Client(credentials=em.user_file, env=env)
    with pytest.raises(gbearer.LoginRequired) as caught:
        client.token()
    text = "".join(traceback.format_exception(caught.value))
    assert file["refresh_token"] not in text
    assert file["client_secret"] not in text


def test_what_lies_in_the_cache(run: Run, env: dict[str, str], em: Emulator) -> None:
    """Mode 0600 in 0700 under umask 000; no key, no refresh token; no token in a name."""
    args = [GBEARER, "token", "--credentials", str(em.user_file)]
    done = subprocess.run(
        args, env=env, umask=0, text=True, capture_output=True, check=True, timeout=60, stdin=subprocess.DEVNULL
    )
    folder = Path(env["GBEARER_CACHE"])
    assert folder.stat().st_mode & 0o777 == 0o700
    entries = list(folder.iterdir())
    assert entries
    file = json.loads(em.user_file.read_text())
    for entry in entries:
        assert entry.stat().st_mode & 0o777 == 0o600
        assert done.stdout.strip() not in entry.name
        for secret in (file["refresh_token"], file["client_secret"]):
            assert secret.encode() not in entry.read_bytes()
    listed = run("cache", "list")
    assert done.stdout.strip() not in listed.stdout
    assert "ada@" in listed.stdout or "access" in listed.stdout
