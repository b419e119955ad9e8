"""gbearer login without a browser: the URL printed, the ssh line, the answer pasted; and where nobody is there."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.conftest import GBEARER, Ended
from gbearer.emulator import Emulator
from login.conftest import ADA, Login, visit

Begin = Callable[..., Login]
Done = Callable[..., Ended]


@pytest.fixture
def client(em: Emulator) -> str:
    return str(em.dir / "client.json")


def test_the_url_and_the_ssh_line_are_printed_and_the_answer_may_come_back(
    login: Begin, em: Emulator, client: str, own_environment: Path
) -> None:
    begun = login("--client-file", client, "--no-browser", SSH_CONNECTION="192.0.2.7 50000 192.0.2.9 22")
    answer = em.sign_in(begun.printed)
    port = urlsplit(answer).port
    assert f"ssh -L {port}:127.0.0.1:{port} " in begun.err
    assert "@192.0.2.9\n" in begun.err
    assert visit(answer).status == 200
    ended = begun.end()
    assert (ended.code, ended.out) == (0, f"signed in as {ADA}\n")
    assert not (own_environment / "opened").exists()


@pytest.mark.parametrize("part", ["whole", "query", "question mark", "quoted"])
def test_the_answer_may_be_pasted(login: Begin, em: Emulator, client: str, part: str) -> None:
    begun = login("--client-file", client, "--no-browser")
    answer = em.sign_in(begun.printed)
    query = urlsplit(answer).query
    begun.paste({"whole": answer, "query": query, "question mark": f"?{query}", "quoted": f"  '{answer}' "}[part])
    ended = begun.end()
    assert (ended.code, ended.out) == (0, f"signed in as {ADA}\n")


def test_a_cancelled_consent_may_be_pasted_too(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client, "--no-browser")
    begun.paste(em.sign_in(begun.printed, decision="deny"))
    ended = begun.end()
    assert (ended.code, ended.out) == (5, "")
    assert "the sign-in was cancelled" in ended.err


@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("hello", "is no answer to a sign-in"),
        ("http://127.0.0.1:1/", "is no answer to a sign-in"),
        ("http://127.0.0.1:1/?code=4/0Axyz&state=another", "answers another sign-in"),
        ("code=4/0Axyz", "answers another sign-in"),
        ("error=access_denied&state=another", "answers another sign-in"),
        ("x" * 20_000, "is no answer to a sign-in"),
        ("http://[x?code=a&state=b", "is no answer to a sign-in"),
        ("http://[::1?code=a", "is no answer to a sign-in"),
        ("http://a\u2100b/?code=a&state=b", "is no answer to a sign-in"),
        ("4/0Axyz-0Abc", "it is the code alone, and the whole address is needed"),
        ("4%2F0Axyz-0Abc", "it is the code alone, and the whole address is needed"),
    ],
)
def test_what_a_program_pastes_in_vain_is_2(login: Begin, client: str, pasted: str, words: str) -> None:
    begun = login("--client-file", client, "--no-browser")
    assert begun.printed
    begun.paste(pasted)
    ended = begun.end()
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "0Axyz" not in ended.err
    assert "bug" not in ended.err


def test_an_end_of_stdin_ends_nothing(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client, "--no-browser")
    answer = em.sign_in(begun.printed)
    assert begun.process.stdin is not None
    begun.process.stdin.close()
    time.sleep(0.2)
    visit(answer)
    assert begun.end().code == 0


@pytest.mark.parametrize("stdin", ["closed", "/dev/null"])
def test_where_nobody_can_paste_nothing_is_asked_for(
    env: dict[str, str], em: Emulator, client: str, tmp_path: Path, stdin: str
) -> None:
    said = tmp_path / "said"
    way = "<&-" if stdin == "closed" else "</dev/null"
    line = ["sh", "-c", f'exec "$@" {way}', "sh", GBEARER, "login", "--client-file", client, "--no-browser"]
    with said.open("wb") as err:
        process = subprocess.Popen(line, env=env, stderr=err, stdout=subprocess.DEVNULL)
    ends = time.monotonic() + 20
    while "\n  ssh" not in said.read_text() and time.monotonic() < ends and process.poll() is None:
        time.sleep(0.02)
    visit(em.sign_in(url_in(said.read_text())))
    assert process.wait(30) == 0, said.read_text()
    assert "paste it here" not in said.read_text()


def test_a_program_that_is_connected_may_paste(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client, "--no-browser")
    begun.until(lambda: "and paste it here" in begun.err, "nothing was asked for")
    begun.paste(em.sign_in(begun.printed))
    assert begun.end().code == 0


def test_no_browser_and_no_terminal_is_6(spawn: Done, client: str) -> None:
    ended = spawn("login", "--client-file", client, BROWSER="/nowhere/browser")
    assert (ended.code, ended.out) == (6, "")
    assert "neither a browser nor a terminal" in ended.err
    assert "--no-browser" in ended.err


def test_over_ssh_a_browser_that_fails_leaves_the_url_and_the_ssh_line(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client, BROWSER="false", SSH_CONNECTION="192.0.2.7 50000 192.0.2.9 22")
    visit(em.sign_in(begun.printed))
    assert begun.end().code == 0
    assert "no browser could be opened here" in begun.err


class Terminal:
    """`gbearer login` at a terminal of its own."""

    def __init__(self, argv: list[str], env: dict[str, str]) -> None:
        self.here, there = pty.openpty()
        self.process = subprocess.Popen([GBEARER, *argv], env=env, stdin=there, stdout=there, stderr=there)
        os.close(there)
        self.said = ""

    def until(self, words: str, times: int = 1) -> str:
        ends = time.monotonic() + 30
        while self.said.count(words) < times and time.monotonic() < ends:
            if select.select([self.here], [], [], 0.1)[0]:
                try:
                    self.said += os.read(self.here, 65536).decode()
                except OSError:
                    break
        assert self.said.count(words) >= times, self.said
        return self.said

    def type(self, text: str) -> None:
        os.write(self.here, text.encode() + b"\n")

    def end(self) -> int:
        code = self.process.wait(30)
        os.close(self.here)
        return code


def url_in(said: str) -> str:
    return next(line.strip() for line in said.splitlines() if line.startswith("http") and "state=" in line)


def test_at_a_terminal_a_browser_that_fails_is_no_end(env: dict[str, str], em: Emulator, client: str) -> None:
    terminal = Terminal(["login", "--client-file", client], env | {"BROWSER": "false"})
    said = terminal.until("paste it here:")
    assert "no browser could be opened here" in said
    terminal.type("not that")
    terminal.until("paste it again:")
    terminal.type(em.sign_in(url_in(said)))
    terminal.until(f"signed in as {ADA}")
    assert terminal.end() == 0


def test_at_a_terminal_one_may_try_three_times(env: dict[str, str], client: str) -> None:
    terminal = Terminal(["login", "--client-file", client, "--no-browser"], env)
    terminal.until("paste it here:")
    for times, text in enumerate(("http://[x?code=a&state=b", "code=x&state=y"), 1):
        terminal.type(text)
        terminal.until("paste it again:", times)
    terminal.type("code=x&state=y")
    terminal.until("error: what was pasted answers another sign-in")
    assert terminal.end() == 2


def test_ctrl_c_at_a_terminal_is_130_and_ends_at_once(env: dict[str, str], client: str) -> None:
    terminal = Terminal(["login", "--client-file", client, "--no-browser"], env)
    terminal.until("paste it here:")
    began = time.monotonic()
    terminal.process.send_signal(2)
    assert terminal.end() == 130
    assert time.monotonic() - began < 5
    assert "Traceback" not in terminal.said
