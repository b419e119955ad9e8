"""curl: the token reaches the server and no argument; stdin and exit code are curl's; nobody else gets the token."""

import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from cli.conftest import GBEARER, Run
from gbearer.cli import curl_args
from gbearer.cli.curl_args import CONFIG
from gbearer.emulator import Emulator
from gbearer.errors import UsageError

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def test_curl_calls_with_the_right_token_and_keeps_its_stdin(spawn: Run, em: Emulator) -> None:
    ended = spawn("curl", "--", "-sS", f"{em.url}/functions/f", "-d", "@-", stdin=b"from stdin")
    assert (ended.code, ended.err) == (0, "")
    shown = json.loads(ended.out)
    assert (shown["body"], shown["audience"]) == ("from stdin", f"{em.url}/functions/f")
    assert json.loads(spawn("curl", "--", "-sS", f"{em.url}/v1/protected").out)["caller"]["email"].startswith("robot@")


def test_each_part_between_next_gets_the_header(spawn: Run, em: Emulator) -> None:
    url = f"{em.url}/v1/protected"
    ended = spawn("curl", "--", "-s", url, "--next", "-s", url, "-:", "-s", url)
    assert ended.code == 0
    assert [line["status"] for line in em.log() if line["path"] == "/v1/protected"] == [200, 200, 200]


def test_the_exit_code_is_curls(spawn: Run, em: Emulator) -> None:
    assert spawn("curl", "--auth", "access", "--", "-sf", f"{em.url}/nothing").code == 22
    assert spawn("curl", "--auth", "access", "--", "-s", "http://127.0.0.1:1/").code == 7


def test_quota_project_goes_along(spawn: Run, em: Emulator) -> None:
    ended = spawn("curl", "--quota-project", "charged", "--", "-s", f"{em.url}/v1/protected")
    assert json.loads(ended.out)["quota_project"] == "charged"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_the_token_is_in_no_argument_and_no_environment(env: dict[str, str], em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "delay": 1.0})
    token = subprocess.run([GBEARER, "token"], env=env, capture_output=True, text=True, check=True).stdout.strip()
    child = subprocess.Popen(
        [GBEARER, "curl", "--", "-sS", f"{em.url}/v1/protected"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    seen = set()
    while child.poll() is None:
        for name in filter(str.isdigit, os.listdir("/proc")):
            for file in ("cmdline", "environ"):
                try:
                    seen.add(Path("/proc", name, file).read_bytes())
                except OSError:
                    pass
    assert child.stdout is not None
    assert json.loads(child.stdout.read())["caller"]
    child.stdout.close()
    assert any(b"curl\0-q\0--config\0/dev/fd/" in each for each in seen)  # it was looked at while curl ran
    assert not [each for each in seen if token.encode() in each]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["curl", "EMULATOR/v1/protected"], "fix: gbearer curl -- http://127.0.0.1:"),
        (["curl", "-sS", "EMULATOR/v1/protected"], "fix: gbearer curl -- -sS http://127.0.0.1:"),
        (
            ["curl", "--scope", "x", "--subject", "y", "--", "EMULATOR/functions/f", "EMULATOR/v1/protected"],
            "'y' is no",
        ),
        (["curl", "--"], "no URL"),
        (["curl", "--", "-s"], "no URL"),
        (["curl", "--", "service.run.app"], "is not a URL"),
        (["curl", "--", "http://{a,b}.example/"], "is not a URL"),
        (["curl", "--", "http://[1-9].example/"], "is not a URL"),
        (["curl", "--", "http://u:p@127.0.0.1/"], "is not a URL"),
        (["curl", "--auth", "access", "--", "http://192.0.2.1/"], "a token is not sent to"),
        (["curl", "--", "https://service-abc.run.app/"], "cannot be led to the emulator"),
        (["curl", "--auth", "access", "--", "EMULATOR/x", "http://127.0.0.1:1/"], "one token, and 2 hosts"),
        (["curl", "--auth", "access", "--", "EMULATOR/x", "--url", "http://127.0.0.1:1/"], "one token, and 2 hosts"),
        (["curl", "--auth", "access", "--", "EMULATOR/x", "--next", "http://127.0.0.1:1/"], "one token, and 2 hosts"),
        (["curl", "--auth", "access", "--", "-s", "--", "EMULATOR/x", "http://127.0.0.1:1/"], "one token, and 2 hosts"),
        (["curl", "--", "EMULATOR/v1/protected", "EMULATOR/functions/f"], "different tokens"),
        (["curl", "--", "EMULATOR/functions/{a,b}"], "several services"),
        (["curl", "--", "EMULATOR/v1/protected", "-K", "file"], "--config is not read"),
        (["curl", "--", "EMULATOR/v1/protected", "-sKfile"], "--config is not read"),
        (["curl", "--", "EMULATOR/v1/protected", "--conf", "file"], "no option --conf"),
        (["curl", "--", "EMULATOR/v1/protected", "--expand-url", "http://127.0.0.1:1/"], "no option --expand-url"),
        (["curl", "--", "EMULATOR/v1/protected", "--location-trusted"], "--location-trusted"),
        (["curl", "--", "EMULATOR/v1/protected", "-x", "http://127.0.0.1:1"], "--proxy could lead"),
        (["curl", "--", "EMULATOR/v1/protected", "--socks5", "127.0.0.1:1"], "--socks5 could lead"),
        (["curl", "--", "EMULATOR/v1/protected", "--noproxy", ""], "--noproxy could lead"),
        (["curl", "--", "EMULATOR/v1/protected", "--connect-to", "::127.0.0.1:1"], "--connect-to could lead"),
        (["curl", "--", "EMULATOR/v1/protected", "--resolve", "localhost:80:192.0.2.1"], "--resolve could lead"),
        (["curl", "--", "EMULATOR/v1/protected", "-H", "authorization: Bearer x"], "an Authorization header already"),
        (["curl", "--", "EMULATOR/v1/protected", "-HHost: evil.example"], "Host header leads the token"),
        (["curl", "--", "EMULATOR/v1/protected", "-o"], "needs a value"),
        (["curl", "--credentials", "-", "--", "EMULATOR/v1/protected"], "both want stdin"),
        (["curl", "--", "@file", "--url", "@urls"], "is not a URL"),
    ],
)
def test_what_could_give_the_token_to_others_is_refused(spawn: Run, em: Emulator, argv: list[str], said: str) -> None:
    ended = spawn(*(word.replace("EMULATOR", em.url) for word in argv))
    assert (ended.code, ended.out) == (2, ""), ended.err
    assert said in ended.err
    assert em.log() == []


def test_all_hosts_sends_it_to_each(spawn: Run, em: Emulator) -> None:
    other = em.url.replace("127.0.0.1", "localhost")
    ended = spawn(
        "curl", "--auth", "access", "--all-hosts", "--", "-s", f"{em.url}/v1/protected", f"{other}/v1/protected"
    )
    assert ended.code == 0
    assert [line["status"] for line in em.log() if line["path"] == "/v1/protected"] == [200, 200]


def test_location_leaves_the_token_behind_on_another_port(spawn: Run, em: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        got: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                got.append(connection.recv(1 << 16))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        em.fault({"match": {"path": "/v1/protected"}, "redirect": f"http://127.0.0.1:{server.getsockname()[1]}/"})
        assert spawn("curl", "--", "-sSL", f"{em.url}/v1/protected").code == 0
        thread.join(timeout=5)
    assert got[0].startswith(b"GET / ")
    assert b"earer" not in got[0]


def test_proxy_variables_and_curlrc_cannot_divert_a_loopback_call(
    spawn: Run, em: Emulator, own_environment: Path
) -> None:
    (own_environment / ".curlrc").write_text('proxy = "http://127.0.0.1:1"\nurl = "http://127.0.0.1:1/"\n')
    proxied = {"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    ended = spawn("curl", "--", "-sS", f"{em.url}/v1/protected", **proxied)
    assert (ended.code, ended.err) == (0, "")


def test_showing_options_are_warned_about(spawn: Run, em: Emulator) -> None:
    assert "--verbose shows the token" in spawn("curl", "--", "-sv", f"{em.url}/v1/protected").err
    assert "nobody knows who gets the token" in spawn("curl", "--", "-sk", f"{em.url}/v1/protected").err


def test_without_curl_it_says_so(run: Run, em: Emulator, tmp_path: Path) -> None:
    ended = run("curl", "--", f"{em.url}/v1/protected", PATH=str(tmp_path))
    assert (ended.code, ended.out) == (2, "")
    assert "curl is not installed" in ended.err


def known() -> curl_args.Known:
    shown = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True, check=True).stdout
    return curl_args.Known(shown)


def test_the_installed_curls_options_are_read_right() -> None:
    takes, letters = known().takes, known().letters
    for name in ("data", "header", "output", "proxy", "preproxy", "url", "user", "config", "write-out", "cert", "form"):
        assert takes[name], name
    for name in ("silent", "location", "next", "fail", "insecure", "get", "head", "no-buffer", "verbose", "disable"):
        assert not takes[name], name
    assert (letters["K"], letters[":"], letters["x"], letters["d"]) == ("config", "next", "proxy", "data")


@pytest.mark.parametrize(
    ("words", "urls", "args"),
    [
        (["-sSL", "u"], ["u"], [CONFIG, "-sSL", "u"]),
        (["-XPOST", "u", "-d", "-x"], ["u"], [CONFIG, "-XPOST", "u", "-d", "-x"]),
        (["-dhttp://no", "u"], ["u"], [CONFIG, "-dhttp://no", "u"]),
        (["-sd", "no", "u"], ["u"], [CONFIG, "-sd", "no", "u"]),
        (["--url", "u", "--data", "--next", "v"], ["u", "v"], [CONFIG, "--url", "u", "--data", "--next", "v"]),
        (["u", "--next", "v"], ["u", "v"], [CONFIG, "u", "--next", CONFIG, "v"]),
        (["u", "-s:s", "v"], ["u", "v"], [CONFIG, "u", "-s:s", CONFIG, "v"]),
        (["u", "-HA: b", "--", "-s", "--next"], ["u", "-s", "--next"], [CONFIG, "u", "-HA: b", "--", "-s", "--next"]),
        (["--no-silent", "--buffer", "u"], ["u"], [CONFIG, "--no-silent", "--buffer", "u"]),
        (["-"], ["-"], [CONFIG, "-"]),
    ],
)  # fmt: skip
def test_arguments_are_read_as_curl_reads_them(words: list[str], urls: list[str], args: list[str]) -> None:
    read = curl_args.read(words, known())
    assert (read.urls, read.args) == (urls, args)


def test_a_help_that_is_not_understood_is_an_error() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        curl_args.Known("Usage: curl\n -d, --data <data>  HTTP POST data\n")
