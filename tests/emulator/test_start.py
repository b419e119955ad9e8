"""Starting and stopping: the files in the directory, a second start on it, the process, the pytest plugin."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import jwt
import pytest
import urllib3

from emulator.hands import (
    CLOUD,
    FLAVOR,
    FORM,
    JWT_BEARER,
    TARGET,
    access_token,
    assertion,
    bearer,
    call,
    good,
    key_file,
    refresh,
    user_file,
    user_token,
)
from gbearer import emulator
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, UsageError

RUN = "import sys\nfrom gbearer import emulator\nemulator.run(int(sys.argv[1]), sys.argv[2], sys.stdout)\n"


def environment(**more: str) -> dict[str, str]:
    """This process's environment with the package importable and no plugin loaded behind our back."""
    path = os.pathsep.join((os.environ.get("PYTHONPATH", ""), str(Path(emulator.__file__).parents[2])))
    return {**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **more}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_and_its_files_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with emulator.running(dir=tmp_path / "new") as em:
            files = [path for path in em.dir.rglob("*") if path.is_file()]
            folders = [path for path in em.dir.rglob("*") if path.is_dir()]
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o700
    names = {path.name for path in files if path.parent == tmp_path / "new"}
    assert {name for name in names if not name.startswith("external-")} == {
        *(
            "key.json",
            "user.json",
            "impersonated.json",
            "client.json",
            "login-config.json",
            "workforce-user.json",
            "env.sh",
            "pools.json",
            "aws.sh",
            "ca.pem",
        ),
        *("emulator-keys.json", "emulator-tokens.jsonl", "emulator-grants.json"),
        *("key-universe.json", "gdch.json", "gdch-tls.json"),
    }
    assert {mode(path) for path in files} == {0o600}
    assert {mode(path) for path in folders} == {0o700}


def test_the_files_are_what_google_makes_and_carry_the_mark(em: Emulator) -> None:
    key, user = key_file(em), user_file(em)
    assert key["type"] == "service_account"
    assert key["token_uri"] == user["token_uri"] == f"{em.url}/token"
    assert key["private_key_id"].startswith("emulator-")
    assert user["type"] == "authorized_user"
    assert user["client_id"].startswith("emulator-")
    assert user["refresh_token"].startswith("emulator-")
    acting = json.loads(em.impersonated_file.read_text())
    assert acting["type"] == "impersonated_service_account"
    assert acting["source_credentials"] == user
    base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    assert acting["service_account_impersonation_url"] == f"{base}/{TARGET}:generateAccessToken"


def test_env_sh_exports_what_env_says(em: Emulator) -> None:
    script = f". '{em.dir}/env.sh' && {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    clean = {"PATH": os.environ["PATH"]}
    shown = subprocess.run(["/bin/sh", "-c", script], env=clean, capture_output=True, check=True, text=True).stdout
    assert em.env.items() - {("GBEARER_PROFILE", "none")} <= json.loads(shown).items()
    assert em.env["GBEARER_PROFILE"] == "none", "nobody's own profile counts in a test"
    assert em.env["GBEARER_EMULATOR_HOST"] == em.host
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
        assert em.env[name] == em.host
    assert em.env["CLOUDSDK_AUTH_TOKEN_HOST"] == f"{em.url}/token"
    assert em.env["CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"] == f"{em.url}/"


def test_a_restart_on_the_same_directory_knows_its_keys_and_tokens_again(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path) as em:
        old_key, old_user, old_url = key_file(em), user_file(em), em.url
        jwks = good(call(em, "GET", "/oauth2/v3/certs"))
        signing = good(call(em, "GET", f"/service_accounts/v1/metadata/jwk/{TARGET}"))
    with emulator.running(dir=tmp_path) as em:
        assert em.url != old_url or key_file(em) == old_key
        assert key_file(em)["private_key"] == old_key["private_key"]
        assert key_file(em)["token_uri"] == f"{em.url}/token"
        assert user_file(em)["refresh_token"] == old_user["refresh_token"]
        assert good(call(em, "GET", "/oauth2/v3/certs")) == jwks
        assert good(call(em, "GET", f"/service_accounts/v1/metadata/jwk/{TARGET}")) == signing
        assert good(bearer(em, assertion(em, {"scope": CLOUD})))
        assert good(refresh(em))


def test_without_its_own_memory_it_adopts_the_key_and_the_user_it_once_wrote(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path) as em:
        old_key, old_user = key_file(em), user_file(em)
    (tmp_path / "emulator-keys.json").unlink()
    with emulator.running(dir=tmp_path) as em:
        assert key_file(em)["private_key"] == old_key["private_key"]
        assert user_file(em)["refresh_token"] == old_user["refresh_token"]


@pytest.mark.parametrize("content", ['{"type": "service_account", "private_key_id": "8d1f"}', "precious", "[]"])
def test_somebody_elses_key_is_never_overwritten(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "key.json").write_text(content)
    with pytest.raises(BadCredentials, match="not written by an emulator"), emulator.running(dir=folder):
        pass
    assert (folder / "key.json").read_text() == content
    assert [path.name for path in folder.iterdir()] == ["key.json"]


def test_corrupt_memory_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "emulator-keys.json").write_text('{"keys": {"google": {}}}')
    with pytest.raises(BadCredentials, match=r"emulator-keys\.json"), emulator.running(dir=tmp_path):
        pass


def test_a_taken_port_is_a_usage_error(em: Emulator, tmp_path: Path) -> None:
    port = int(em.host.split(":")[1])
    with pytest.raises(UsageError, match=str(port)), emulator.running(dir=tmp_path, port=port):
        pass


def test_without_a_directory_a_temporary_one_is_used_and_removed() -> None:
    with emulator.running() as em:
        assert em.key_file.exists()
    assert not em.dir.exists()


def test_it_listens_on_loopback_alone(em: Emulator) -> None:
    port = int(em.host.split(":")[1])
    with socket.socket() as other:  # would fail if it had bound every address
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        other.bind(("127.0.0.2", port))


@contextlib.contextmanager
def process_on(directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The emulator as a process of its own, and the line it printed."""
    command = [sys.executable, "-c", RUN, "0", str(directory)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_says_ready_and_ends_cleanly(tmp_path: Path, number: int) -> None:
    with process_on(tmp_path) as (process, line):
        assert line.startswith("ready http://127.0.0.1:")
        key = json.loads((tmp_path / "key.json").read_text())
        assert key["token_uri"] == f"{line.split()[1]}/token"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, which shows a process's memory")
def test_two_hundred_megabytes_pass_through_without_being_held(tmp_path: Path) -> None:
    with process_on(tmp_path) as (process, line):
        url = line.split()[1]
        key = json.loads((tmp_path / "key.json").read_text())
        info = {"iss": key["client_email"], "aud": f"{url}/token", "target_audience": f"{url}/functions/f"}
        now = int(time.time())
        signed = jwt.encode({**info, "iat": now, "exp": now + 600}, key["private_key"], "RS256")
        form = urlencode({"grant_type": JWT_BEARER, "assertion": signed})
        with urllib3.PoolManager(retries=False) as http:
            answer = http.request("POST", f"{url}/token", body=form, headers={"Content-Type": FORM}).json()
            sent = {"Authorization": f"Bearer {answer['id_token']}"}
            block = b"x" * 1_000_000
            echo = http.request("POST", f"{url}/functions/f", body=(block for _ in range(200)), headers=sent).json()
            big = http.request("GET", f"{url}/functions/f?size=200000000", headers=sent, preload_content=False)
            received = sum(len(chunk) for chunk in big.stream(1_000_000))
        peak = next(x for x in Path(f"/proc/{process.pid}/status").read_text().splitlines() if x.startswith("VmHWM"))
    assert (echo["body_length"], received) == (200_000_000, 200_000_000)
    assert int(peak.split()[1]) < 120_000  # kB; the server itself takes 50 MB


def test_importing_the_package_loads_no_server() -> None:
    check = "import sys, gbearer.emulator; sys.exit('aiohttp' in sys.modules or 'jwt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], env=environment(), check=False).returncode == 0


def test_the_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')")
    check = "import gbearer.errors\nfrom gbearer import emulator\ntry:\n    emulator.running\n"
    check += "except gbearer.errors.UsageError as error:\n    print(error)\n"
    path = f"{tmp_path}{os.pathsep}{environment()['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-c", check], env=environment(PYTHONPATH=path), capture_output=True, text=True, check=True
    )
    assert "gbearer[serve]" in done.stdout


def test_the_pytest_plugin_gives_every_test_a_clean_emulator(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        textwrap.dedent(
            """
            import urllib.request

            def visit(emulator, path):
                request = urllib.request.Request(emulator.url + path, headers={"Metadata-Flavor": "Google"})
                return urllib.request.urlopen(request).read()

            def test_one(gbearer_emulator):
                gbearer_emulator.fault({"status": 500, "count": None, "match": {"path": "/token"}})
                assert visit(gbearer_emulator, "/computeMetadata/v1/project/project-id") == b"emulator-project"
                assert len(gbearer_emulator.log()) == 1

            def test_two(gbearer_emulator):
                assert gbearer_emulator.log() == []
                assert gbearer_emulator.env["GBEARER_EMULATOR_HOST"] == gbearer_emulator.host
            """
        )
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "gbearer.emulator.pytest_plugin", str(tmp_path)]
    proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY"), "")
    done = subprocess.run(
        command, env=environment(**proxies), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_a_stopping_emulator_does_not_wait_for_requests_that_hang(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path) as em:
        host, port = em.host.split(":")
        em.fault({"hang": True})
        hanging = socket.create_connection((host, int(port)), timeout=10)
        hanging.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert call(em, "GET", "/computeMetadata/v1/project/project-id", headers=FLAVOR).status == 200
    with hanging:
        assert hanging.recv(1) == b""


def test_a_request_without_a_host_is_answered_but_controls_nothing(em: Emulator) -> None:
    def ask(line: bytes) -> bytes:
        host, port = em.host.split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(line + b" HTTP/1.0\r\nMetadata-Flavor: Google\r\n\r\n")
            got = b""
            while chunk := connection.recv(65536):
                got += chunk
        return got

    assert ask(b"GET /computeMetadata/v1/project/project-id").endswith(b"emulator-project")
    assert b" 403 " in ask(b"GET /_emulator/log").splitlines()[0]


def test_a_token_outlives_a_restart_and_lies_nowhere_in_clear(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path / "dir") as first:
        token, user = access_token(first), user_token(first)
        call(first, "POST", f"/revoke?token={user}")
    for file in (tmp_path / "dir").rglob("*"):
        assert not file.is_file() or token.encode() not in file.read_bytes()
    assert (tmp_path / "dir" / "emulator-tokens.jsonl").stat().st_mode & 0o777 == 0o600
    with emulator.running(dir=tmp_path / "dir") as second:
        assert call(second, "GET", "/v1/protected", token=token).status == 200
        assert call(second, "GET", "/v1/protected", token=user).status == 401, "what was revoked stays revoked"
        assert call(second, "GET", "/v1/protected", token=token + "x").status == 401
