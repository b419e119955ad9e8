"""What the tests of signing in share: commands as real processes, and a browser that BROWSER names."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from cli.conftest import GBEARER, Ended
from gbearer.emulator import Emulator

ADA, GRACE = "ada@example.com", "grace@example.com"
BROWSER = """\
#!{python}
\"\"\"A browser that goes where it is told and does nothing else: it notes the URL, and waits for nobody.\"\"\"
import sys
with open({note!r}, "a") as note:
    note.write(sys.argv[1] + "\\n")
"""


@pytest.fixture
def em(gbearer_emulator: Emulator) -> Iterator[Emulator]:
    """The emulator, its log empty."""
    yield gbearer_emulator
    gbearer_emulator.reset()


@pytest.fixture
def env(em: Emulator, own_environment: Path) -> dict[str, str]:
    """A whole environment: this home, this emulator, no credential, a browser that only notes where it is sent."""
    kept = ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
    browser = own_environment / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, note=str(own_environment / "opened")))
    browser.chmod(0o755)
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "GBEARER_EMULATOR_HOST": em.host,
        "GBEARER_CACHE": str(own_environment / "cache"),
        "BROWSER": str(browser),
    }


class Login:
    """One `gbearer login` under way: its process, what it has said so far, and the hands of the person."""

    def __init__(self, argv: tuple[str, ...], env: dict[str, str], opened: Path) -> None:
        self._opened = opened
        self._already = len(self._lines())
        self.process = subprocess.Popen(
            [GBEARER, "login", *argv],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.err = ""
        self._out = ""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, "_out"), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, "err"), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str], name: str) -> None:
        while text := os.read(stream.fileno(), 4096):
            setattr(self, name, getattr(self, name) + text.decode())

    def _lines(self) -> list[str]:
        return self._opened.read_text().splitlines() if self._opened.exists() else []

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until something holds, or fail with what was said instead."""
        for _ in range(1500):
            if true():
                return
            if self.process.poll() is not None and not true():
                break
            threading.Event().wait(0.01)
        pytest.fail(f"{what}: {self.err}")

    @property
    def url(self) -> str:
        """The address that the browser was sent to."""
        self.until(lambda: len(self._lines()) > self._already, "no browser was opened")
        return self._lines()[-1]

    @property
    def printed(self) -> str:
        """The address that was printed for a browser elsewhere."""

        def lines() -> list[str]:
            return [line for line in self.err.splitlines() if line.startswith("http") and "state=" in line]

        self.until(lambda: lines() and "\n  ssh" in self.err, "no URL was printed")
        return lines()[0]

    def paste(self, text: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self) -> Ended:
        """How it ended."""
        code = self.process.wait(60)
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return Ended(code, self._out, self.err)


class Answer:
    """What the loopback address answered."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def visit(url: str, *, method: str = "GET", host: str = "", raw: bytes | None = None, follow: bool = True) -> Answer:
    """Ask the loopback address for what a redirect names, and follow it, as a browser does; `raw` sends just that."""
    authority, _, path = url.removeprefix("http://").partition("/")
    name, _, port = authority.partition(":")
    with socket.create_connection((name, int(port)), timeout=30) as line:
        line.sendall(raw or f"{method} /{path} HTTP/1.1\r\nHost: {host or authority}\r\n\r\n".encode())
        data = b""
        while chunk := line.recv(65536):
            data += chunk
    answer = Answer(data)
    if answer.status == 303 and follow:
        return visit(f"http://{authority}{answer.headers['location']}", host=host)
    return answer


@pytest.fixture
def login(env: dict[str, str], own_environment: Path) -> Iterator[Callable[..., Login]]:
    """Begin a `gbearer login`; whatever is still under way at the end is ended."""
    begun: list[Login] = []

    def begin(*argv: str, **more: str) -> Login:
        begun.append(Login(argv, {k: v for k, v in (env | more).items() if v}, own_environment / "opened"))
        return begun[-1]

    yield begin
    for each in begun:
        if each.process.poll() is None:
            each.process.kill()
            each.end()


@pytest.fixture
def signed_in(login: Callable[..., Login], em: Emulator) -> Callable[..., Ended]:
    """Sign somebody in, whole, through the emulator's pages."""

    def do(*argv: str, account: str = ADA, **more: str) -> Ended:
        argv = argv if any(word in argv for word in ("--client-file", "--account")) else (
            "--client-file", str(em.dir / "client.json"), *argv,
        )  # fmt: skip
        begun = login(*argv, **more)
        visit(em.sign_in(begun.url, account=account))
        ended = begun.end()
        assert ended.code == 0, ended.err
        return ended

    return do


@pytest.fixture
def spawn(env: dict[str, str]) -> Callable[..., Ended]:
    """Run the installed `gbearer` as a process of its own."""

    def process(*argv: str, stdin: bytes = b"", **more: str) -> Ended:
        whole = {k: v for k, v in (env | more).items() if v}
        done = subprocess.run([GBEARER, *argv], input=stdin, env=whole, capture_output=True, timeout=60, check=False)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return process
