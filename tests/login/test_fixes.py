"""What an error of a sign-in says to do: the command as it was typed; and how its words look in terminal and page."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cli.conftest import Ended
from gbearer.emulator import Emulator
from gbearer.errors import Denied, Unreachable
from gbearer.login import pages
from gbearer.login.wish import Wish
from login.conftest import ADA, GRACE, Login, visit

Begin = Callable[..., Login]
Done = Callable[..., Ended]
EMAIL = "https://www.googleapis.com/auth/userinfo.email"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture
def client(em: Emulator) -> str:
    return str(em.dir / "client.json")


def fix(err: str) -> str:
    (line,) = re.findall(r"^  fix: (.*)$", err, re.MULTILINE)
    return str(line)


def test_a_cancelled_sign_in_says_the_command(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client, "--account", ADA, "--no-browser", "--adc")
    page = visit(em.sign_in(begun.printed, decision="deny"))
    ended = begun.end()
    command = f"gbearer login --client-file {client} --account {ADA} --no-browser --adc"
    assert fix(ended.err) == f"{command}, and allow what is asked for on the page"
    assert command in page.body


def test_what_was_not_ticked_is_said_with_the_command(login: Begin, em: Emulator, client: str) -> None:
    scopes = ("--scope", "cloud-platform", "--scope", "devstorage.read_only")
    begun = login("--client-file", client, *scopes)
    visit(em.sign_in(begun.url, scopes=["openid", EMAIL]))
    ended = begun.end()
    assert "cloud-platform, devstorage.read_only are missing" in ended.err
    assert fix(ended.err) == (
        f"gbearer login --client-file {client} --scope cloud-platform,devstorage.read_only, "
        "and allow cloud-platform, devstorage.read_only on the page"
    )


def test_what_was_not_typed_is_not_said(login: Begin, em: Emulator, signed_in: Done) -> None:
    signed_in()
    begun = login()
    visit(em.sign_in(begun.url, scopes=["openid", EMAIL]))
    assert fix(begun.end().err) == "gbearer login, and allow cloud-platform on the page"


def test_too_late_says_the_command_with_twice_the_time(login: Begin, client: str) -> None:
    ended = login("--client-file", client, "--no-browser", "--timeout", "1s").end()
    assert ended.code == 6
    assert fix(ended.err).startswith(f"gbearer login --client-file {client} --no-browser --timeout 2s, ")


def test_an_option_that_the_fix_names_is_not_said_twice() -> None:
    wish = Wish(client_file="a b.json", scopes=(CLOUD,), browser=False, port=8085, keyring=False)
    assert wish.complete("gbearer login --scope SCOPE") == (
        "gbearer login --client-file 'a b.json' --port 8085 --no-browser --no-keyring --scope SCOPE"
    )
    assert wish.complete("ask the administrator") == "ask the administrator"


def test_an_answer_to_another_sign_in_is_told_at_once_and_a_few_times(login: Begin, em: Emulator, client: str) -> None:
    words = "an answer to another sign-in came and was refused; still waiting"
    begun = login("--client-file", client)
    good = em.sign_in(begun.url)
    for _ in range(4):
        visit(f"http://127.0.0.1:{urlsplit(good).port}/?code=4/0Aforged&state=another")
        begun.until(lambda: words in begun.err, "nothing was said")
    begun.until(lambda: begun.err.count(words) == 3, "it was not said of each")
    visit(good)
    ended = begun.end()
    assert (ended.code, ended.err.count(words)) == (0, 3)


def test_several_answers_to_others_are_in_the_plural(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client, "--timeout", "2s")
    port = urlsplit(em.sign_in(begun.url)).port
    for _ in range(2):
        visit(f"http://127.0.0.1:{port}/?code=x&state=y")
    assert "2 answers came that belong to another sign-in" in begun.end().err


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (f"{GRACE} has signed in, not {ADA}", f"{GRACE} has signed in, not {ADA}"),
        ("oauth2.googleapis.com cannot answer now", "oauth2.googleapis.com cannot answer now"),
        ("the sign-in was cancelled", "The sign-in was cancelled"),
    ],
)
def test_a_title_begins_like_a_sentence_but_leaves_names_alone(message: str, title: str) -> None:
    for error in (Denied(message), Unreachable(message)):
        assert f"<title>{title} · gbearer</title>" in pages.failure(error, emulator=False).data.decode()


SPY = """\
#!{python}
import os, sys
pid, seen = os.getppid(), []
while pid > 1:
    seen.append(open(f"/proc/{{pid}}/cmdline").read().replace("\\0", " "))
    pid = int(open(f"/proc/{{pid}}/stat").read().rpartition(")")[2].split()[1])
open({note!r}, "w").write("\\n".join(seen) + "\\n" + sys.argv[1])
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/cmdline"), reason="no /proc to see arguments in")
def test_the_url_is_in_no_argument_of_ours(login: Begin, em: Emulator, client: str, tmp_path: Path) -> None:
    import sys

    spy, note = tmp_path / "spy", tmp_path / "seen"
    spy.write_text(SPY.format(python=sys.executable, note=str(note)))
    spy.chmod(0o755)
    begun = login("--client-file", client, BROWSER=str(spy))
    begun.until(lambda: note.exists() and "state=" in note.read_text(), "no browser was opened")
    *ours, url = note.read_text().splitlines()
    assert any("webbrowser" in each for each in ours)
    assert not any("state=" in each or "code_challenge" in each for each in ours)
    visit(em.sign_in(url))
    assert begun.end().code == 0
