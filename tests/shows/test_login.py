"""Signing in as a person does: the real command, a real Chromium, the emulator's pages, and a token that works."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from browser import Chromium, Page, chromium
from gbearer.emulator import Emulator
from shows.conftest import GBEARER, Run
from shows.test_right_at_once import is_warm
from terminal import on_terminal

pytestmark = pytest.mark.program("chromium")
ADA, GRACE = "ada@example.com", "grace@example.com"
SHOTS = os.environ.get("GBEARER_SHOTS")
"""A folder for pictures of every page, for somebody to look at."""


class Login:
    """A `gbearer login` that is under way, and the page that it opened."""

    def __init__(self, process: subprocess.Popen[str], opened: Path, browser: Chromium) -> None:
        self.process = process
        self._opened = opened
        self._browser = browser
        self.out = self.err = ""

    @property
    def url(self) -> str:
        """What it asked the browser to open."""
        ends = time.monotonic() + 20
        while not self._opened.exists():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < ends, "no browser was asked for"
            time.sleep(0.02)
        return self._opened.read_text()

    def page(self) -> Page:
        """The sign-in page, in Chromium."""
        return self._browser.page(self.url)

    def end(self) -> int:
        """Its exit code."""
        self.out, self.err = self.process.communicate(timeout=30)
        assert "emulator-1//" not in self.out + self.err, "a refresh token was printed"
        assert "Traceback" not in self.err
        return self.process.returncode


Begin = Callable[..., Login]


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as made:
        yield made


@pytest.fixture
def env(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Nobody is signed in, no other credential, and a browser that notes what it is to open."""
    program = tmp_path / "browser"
    program.write_text('#!/bin/sh\nprintf %s "$1" > "$OPENED.new" && mv "$OPENED.new" "$OPENED"\n')
    program.chmod(0o700)
    env.pop("GOOGLE_APPLICATION_CREDENTIALS")
    return env | {"BROWSER": str(program)}


@pytest.fixture
def begin(env: dict[str, str], em: Emulator, tmp_path: Path, browser: Chromium) -> Iterator[Begin]:
    """Start `gbearer login` with these arguments besides; it is ended with the test."""
    begun: list[subprocess.Popen[str]] = []

    def login(*args: str, client: bool = True, **more: str) -> Login:
        opened = tmp_path / f"opened-{len(begun)}"
        file = ["--client-file", str(em.client_file)] if client else []
        process = subprocess.Popen(
            [GBEARER, "login", *file, *args], env=env | {"OPENED": str(opened)} | more, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        begun.append(process)
        return Login(process, opened, browser)

    yield login
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def signed_in(begin: Begin) -> Callable[..., Login]:
    """Go through a whole sign-in, in the browser; the page that it ended on is `.last`."""

    def sign_in(*args: str, account: str = ADA, client: bool = True, **more: str) -> Login:
        login = begin(*args, client=client, **more)
        walk(login.page(), account)
        assert login.end() == 0, login.err
        return login

    return sign_in


def walk(page: Page, account: str = ADA) -> None:
    """Choose the account, allow everything, end on gbearer's own page."""
    page.follow(f"button[name=account][value='{account}']")
    page.follow("button[name=decision][value=allow]")
    assert "You are signed in" in page.text


def refresh_token(env: dict[str, str], account: str = ADA) -> str:
    file = Path(env["HOME"]) / ".config" / "gbearer" / "emulator-logins" / f"{account}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    return str(json.loads(file.read_text())["refresh_token"])


def test_from_the_browser_to_a_token_that_a_service_accepts(
    begin: Begin, run: Run, em: Emulator, env: dict[str, str]
) -> None:
    login = begin()
    page = login.page()
    assert "Choose an account" in page.text
    walk(page)
    assert login.end() == 0
    assert login.out == f"signed in as {ADA}\n"
    assert ADA in page.text
    assert page.js("document.scripts.length") == 0
    called = run("request", "GET", f"{em.url}/v1/protected", "--auth", "access")
    assert called.returncode == 0, called.stderr
    assert ADA in called.stdout
    told = json.loads(run("whoami", "--format", "json").stdout)
    assert told["principal"] == ADA
    assert "login" in json.dumps(told["credential"])
    assert refresh_token(env).startswith("emulator-1//")
    assert page.url == f"{urllib.parse.unquote(re.findall('redirect_uri=([^&]+)', login.url)[0])}signed-in"
    assert page.visited[-1] == page.url, "the code and the state stand in no address bar"
    addresses = " ".join(page.visited)
    assert "emulator-1//" not in addresses
    assert "ya29." not in addresses
    assert "code_challenge_method=S256" in login.url
    assert "localhost" not in login.url, "RFC 8252 §8.3: the address itself"


def test_with_vv_nothing_secret_is_said(begin: Begin, em: Emulator, browser: Chromium) -> None:
    login = begin("-vv")
    answer = em.sign_in(login.url)
    assert "You are signed in" in browser.page(answer).text
    assert login.end() == 0
    assert "/token" in login.err, "the call is told"
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer).query)
    secret = json.loads(em.client_file.read_text())["installed"]["client_secret"]
    for each in (query["code"][0], secret, "ya29.", "code_verifier="):
        assert each not in login.err + login.out


def test_cancelled(begin: Begin, run: Run) -> None:
    login = begin()
    page = login.page()
    page.follow(f"button[name=account][value='{ADA}']")
    page.follow("button[name=decision][value=deny]")
    assert login.end() == 5
    assert login.out == ""
    shown = re.search(r"error: (.*)", login.err)
    assert shown is not None
    assert shown[1].lower() in page.text.lower(), "the page says what the terminal says"
    assert run("token").returncode == 3, "nothing was kept"


def test_a_scope_that_is_not_ticked(begin: Begin, run: Run) -> None:
    login = begin("--scope", "cloud-platform,devstorage.read_only")
    page = login.page()
    page.follow(f"button[name=account][value='{ADA}']")
    page.click("input[name=scope][value$=devstorage\\.read_only]")
    page.follow("button[name=decision][value=allow]")
    assert login.end() == 5
    assert "devstorage.read_only" in login.err
    assert "devstorage.read_only" in page.text
    assert run("token").returncode == 3


def test_an_answer_to_another_sign_in_ends_nothing(begin: Begin, browser: Chromium) -> None:
    login = begin()
    page = login.page()
    back = re.search(r"redirect_uri=([^&]+)", login.url)
    assert back is not None
    address = urllib.parse.unquote(back[1])
    other = browser.page(f"{address}?state=of-somebody-else&code=4/stolen")
    assert "not the sign-in that was begun" in other.text
    assert login.process.poll() is None
    walk(page)
    assert login.end() == 0


def test_the_port_is_taken(begin: Begin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        login = begin("--port", str(port))
        assert login.end() == 2
    assert str(port) in login.err
    assert login.err.count("error:") == 1


def test_a_port_of_one_s_own(signed_in: Callable[..., Login]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    login = signed_in("--port", str(port))
    assert f"127.0.0.1%3A{port}" in login.url


def test_neither_browser_nor_terminal(begin: Begin, tmp_path: Path) -> None:
    began = time.monotonic()
    login = begin(BROWSER=str(tmp_path / "none"), PATH=str(tmp_path))
    assert login.end() == 6
    assert time.monotonic() - began < 20
    assert "--no-browser" in login.err
    assert login.out == ""


def test_nobody_signs_in_in_time(begin: Begin, run: Run) -> None:
    login = begin("--timeout", "1s")
    assert login.url
    assert login.end() == 6
    assert "--timeout" in login.err
    assert run("token").returncode == 3


@pytest.mark.parametrize(
    ("name", "says"),
    [("key.json", "service account key"), ("user.json", "user credential"), ("login-config.json", "--login-config"),
     ("external-file.json", "federation"), ("nowhere.json", "nowhere.json"), ("env.sh", "JSON")],
)  # fmt: skip
def test_a_client_file_of_the_wrong_kind(begin: Begin, em: Emulator, name: str, says: str) -> None:
    login = begin("--client-file", str(em.dir / name), client=False)
    assert login.end() == 4
    assert says in login.err
    assert name in login.err
    assert login.err.count("error:") == 1


def test_the_client_of_a_web_application_and_no_client_at_all(begin: Begin, em: Emulator, tmp_path: Path) -> None:
    web = tmp_path / "web.json"
    web.write_text(json.dumps({"web": json.loads(em.client_file.read_text())["installed"]}))
    login = begin("--client-file", str(web), client=False)
    assert (login.end(), "web application" in login.err) == (4, True)
    login = begin(client=False)
    assert login.end() == 6
    assert "gcloud auth application-default login" in login.err
    assert "Desktop app" in login.err


@pytest.mark.parametrize("how", ["revoked", "reauthentication", "expired"])
def test_a_login_that_ended_and_a_new_one_that_works_at_once(
    signed_in: Callable[..., Login], run: Run, em: Emulator, env: dict[str, str], how: str
) -> None:
    signed_in()
    assert run("token").returncode == 0
    if how == "revoked":
        urllib.request.urlopen(f"{em.url}/revoke", f"token={refresh_token(env)}".encode()).close()
    elif how == "reauthentication":
        assert em.require_reauth(ADA)
    else:
        em.fault({"match": {"path": "/token"}, "oauth_error": {"error": "invalid_grant"}})
    ended = run("token", "--refresh")
    assert (ended.returncode, ended.stdout) == (6, "")
    assert f"gbearer login --account {ADA}" in ended.stderr
    em.fault()
    signed_in("--account", ADA, client=False)
    new = run("token")
    assert new.returncode == 0, new.stderr
    assert run("request", "GET", f"{em.url}/v1/protected", "--auth", "access", "--fail").returncode == 0


def test_without_a_keyring_the_login_is_kept_all_the_same(
    signed_in: Callable[..., Login], run: Run, env: dict[str, str]
) -> None:
    login = signed_in("--keyring", PYTHON_KEYRING_BACKEND="keyring.backends.fail.Keyring")
    assert "keyring" in login.err
    assert refresh_token(env).startswith("emulator-1//")
    assert run("token").returncode == 0


def test_two_people_and_who_is_used(signed_in: Callable[..., Login], run: Run) -> None:
    signed_in()
    signed_in(account=GRACE)
    who = [
        json.loads(run("whoami", "--format", "json", *args).stdout)["principal"]
        for args in ((), ("--account", ADA), ("--account", GRACE))
    ]
    assert who == [GRACE, ADA, GRACE]
    assert run("login", "--use", ADA).returncode == 0
    assert json.loads(run("whoami", "--format", "json").stdout)["principal"] == ADA


def test_logout_revokes_and_forgets(
    signed_in: Callable[..., Login], run: Run, em: Emulator, env: dict[str, str], settled: Callable[..., None]
) -> None:
    signed_in()
    settled(*(Path(env["HOME"]) / ".config" / "gbearer" / "emulator-logins").iterdir())
    token = run("token").stdout.strip()
    assert is_warm(env, "token")
    assert run("logout").stdout == f"signed out: {ADA}\n"
    assert [line["path"] for line in em.log() if "revoke" in line["path"]] == ["/revoke"]
    assert run("token").returncode == 3
    named = run("token", "--source", "login")
    assert (named.returncode, named.stdout) == (6, "")
    assert "gbearer login" in named.stderr
    refused = urllib.request.Request(f"{em.url}/v1/protected", headers={"Authorization": f"Bearer {token}"})
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(refused)
    assert not list((Path(env["HOME"]) / ".config" / "gbearer" / "emulator-logins").glob("*.json"))
    assert run("logout").returncode == 3


def test_pasted_at_a_terminal(env: dict[str, str], em: Emulator, run: Run, tmp_path: Path) -> None:
    command = [GBEARER, "login", "--client-file", str(em.client_file), "--no-browser"]
    with on_terminal(command, env | {"SSH_CONNECTION": "192.0.2.1 5000 192.0.2.7 22"}, tmp_path) as terminal:
        url = terminal.until(r"(http://127\.0\.0\.1:\S+/o/oauth2/\S+)")[1]
        line = terminal.until(r"ssh -L (\d+):127\.0\.0\.1:(\d+) \S+192\.0\.2\.7")
        assert line[1] == line[2]
        terminal.until("paste")
        terminal.type("what is this\n")
        terminal.until("no answer to a sign-in")
        terminal.type(em.sign_in(url).replace("state=", "state=x") + "\n")
        terminal.until("another sign-in")
        terminal.type(em.sign_in(url) + "\n")
        terminal.until(f"signed in as {ADA}")
        assert terminal.end() == 0
    assert run("token").returncode == 0


def test_at_a_terminal_without_a_browser_it_can_be_opened_elsewhere(
    env: dict[str, str], em: Emulator, tmp_path: Path, browser: Chromium
) -> None:
    command = [GBEARER, "login", "--client-file", str(em.client_file)]
    with on_terminal(command, env | {"BROWSER": str(tmp_path / "none"), "PATH": str(tmp_path)}) as terminal:
        terminal.until("no browser could be opened")
        url = terminal.until(r"(http://127\.0\.0\.1:\S+/o/oauth2/\S+)")[1]
        walk(browser.page(url))
        terminal.until(f"signed in as {ADA}")
        assert terminal.end() == 0


def test_control_c_at_a_terminal(env: dict[str, str], em: Emulator, run: Run) -> None:
    command = [GBEARER, "login", "--client-file", str(em.client_file), "--no-browser"]
    with on_terminal(command, env) as terminal:
        terminal.until("paste")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.text
    assert run("token").returncode == 3


def test_a_workforce_pool_in_the_browser(begin: Begin, run: Run, em: Emulator) -> None:
    login = begin("--login-config", str(em.login_config_file))
    page = login.page()
    page.follow("button[name=account]")
    if "You are signed in" not in page.text:
        page.follow("button[name=decision][value=allow]")
    assert "You are signed in" in page.text
    assert login.end() == 0, login.err
    called = run("request", "GET", f"{em.url}/v1/protected", "--auth", "access", "--fail")
    assert called.returncode == 0, called.stderr
    assert "workforcePools" in called.stdout
    again = run("token", "--refresh")
    assert again.returncode == 0, again.stderr


def shoot(page: Page, name: str) -> None:
    """Light and dark, at a desk and on a phone: nothing sticks out, and the colours are others."""
    colours = set()
    for size, width in (("desktop", 1280), ("phone", 390)):
        for scheme in ("light", "dark"):
            page.look(scheme=scheme, width=width, height=844)
            assert page.js("document.documentElement.scrollWidth - innerWidth") <= 0, f"{name} sticks out, {size}"
            colours.add(page.js("getComputedStyle(document.body).backgroundColor"))
            if SHOTS:
                page.screenshot(Path(SHOTS) / f"{name}-{size}-{scheme}.png")
    assert len(colours) >= 2, f"{name} looks the same in the dark"
    page.look(scheme="light", width=1280)


def test_every_page_is_fit_to_be_looked_at(begin: Begin, em: Emulator) -> None:
    login = begin("--scope", "cloud-platform,devstorage.read_only")
    page = login.page()
    shoot(page, "sign-in")
    page.follow(f"button[name=account][value='{ADA}']")
    shoot(page, "consent")
    page.follow("button[name=decision][value=allow]")
    shoot(page, "success")
    assert login.end() == 0
    login = begin("--scope", "cloud-platform,devstorage.read_only")
    page = login.page()
    page.follow(f"button[name=account][value='{ADA}']")
    page.click("input[name=scope][value$=devstorage\\.read_only]")
    page.follow("button[name=decision][value=allow]")
    shoot(page, "failure")
    assert login.end() == 5
    login = begin("--login-config", str(em.login_config_file))
    page = login.page()
    shoot(page, "workforce")
