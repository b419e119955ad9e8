"""The loopback address of a sign-in: whom it answers, how long it listens to one who says nothing, where it ends."""

import queue
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from gbearer.errors import Denied
from gbearer.login import loopback, pages, redirect
from gbearer.login.listen import Listener
from login.conftest import ADA, Answer, visit

STATE = "the-state-of-this-sign-in"
GOOD = f"?state={STATE}&code=4/0Agood"


class Waiting:
    """A listener at work, and what it has handed on."""

    def __init__(self, port: int = 0) -> None:
        self.events: queue.Queue[object] = queue.Queue()
        self.listener = Listener(port, emulator=True)
        self.listener.start(STATE, self.events.put)
        self.url = self.listener.url

    def connect(self) -> socket.socket:
        return socket.create_connection((loopback.HOST, self.listener.port), timeout=30)

    def answered(self) -> redirect.Arrived:
        arrived = self.events.get(timeout=20)
        assert isinstance(arrived, redirect.Arrived)
        return arrived


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    made = Waiting()
    yield made
    made.listener.close()


class Browser(threading.Thread):
    """A browser that brings an answer, and shows the page that it is given."""

    def __init__(self, url: str, *, follow: bool = True, host: str = "") -> None:
        super().__init__(daemon=True)
        self._url, self._follow, self._host = url, follow, host
        self._answer: Answer | None = None
        self.start()

    def run(self) -> None:
        self._answer = visit(self._url, follow=self._follow, host=self._host)

    @property
    def page(self) -> Answer:
        self.join(20)
        assert self._answer is not None
        return self._answer


def success() -> pages.Page:
    return pages.success(ADA, (), emulator=True)


def test_the_last_page_is_at_an_address_without_code_and_state(waiting: Waiting) -> None:
    browser = Browser(waiting.url + GOOD, follow=False)
    assert waiting.answered().code == "4/0Agood"
    ends = threading.Thread(target=waiting.listener.finish, args=(success(),))
    ends.start()
    assert (browser.page.status, browser.page.headers["location"]) == (303, "/signed-in")
    assert browser.page.body == ""
    assert STATE not in str(browser.page.headers)
    shown = visit(f"{waiting.url}signed-in")
    ends.join(2)
    assert not ends.is_alive(), "the sign-in ends as soon as the page is there"
    assert (shown.status, ADA in shown.body) == (200, True)
    assert "script" not in shown.body


def test_a_failure_has_an_address_of_its_own_and_the_same_page_as_ever(waiting: Waiting) -> None:
    browser = Browser(waiting.url + GOOD)
    waiting.answered()
    waiting.listener.finish(pages.failure(Denied("the sign-in was cancelled", fix="gbearer login"), emulator=True))
    assert (browser.page.status, "The sign-in was cancelled" in browser.page.body) == (400, True)


def test_a_browser_that_does_not_follow_holds_nothing_up_for_long(waiting: Waiting) -> None:
    browser = Browser(waiting.url + GOOD, follow=False)
    waiting.answered()
    began = time.monotonic()
    waiting.listener.finish(success())
    assert browser.page.status == 303
    assert 1 < time.monotonic() - began < 8


def test_the_last_page_is_nowhere_before_an_answer_came(waiting: Waiting) -> None:
    assert visit(f"{waiting.url}signed-in").status == 404
    waiting.listener.finish(success())  # by an answer that was pasted
    assert visit(f"{waiting.url}signed-in").status == 404


@pytest.mark.parametrize("target", ["http://[x", "http://[::1", "http://evil.example/", "//[", "*"])
def test_a_target_that_is_no_path_gets_404_and_ends_nothing(waiting: Waiting, target: str) -> None:
    host = f"127.0.0.1:{waiting.listener.port}"
    assert visit(waiting.url, raw=f"GET {target}{GOOD} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).status == 404
    assert waiting.events.empty()


def test_port_80_goes_without_its_number() -> None:
    assert loopback.hosts(80) == {"127.0.0.1", "127.0.0.1:80", "localhost", "localhost:80"}
    assert loopback.hosts(8080) == {"127.0.0.1:8080", "localhost:8080"}


def test_a_sign_in_at_port_80_succeeds() -> None:
    try:
        socket.create_server((loopback.HOST, 80)).close()
    except OSError as error:
        pytest.skip(f"port 80 cannot be had here: {error.strerror}")
    waiting = Waiting(80)
    try:
        browser = Browser(f"{waiting.url}{GOOD}", host="127.0.0.1")
        waiting.answered()
        waiting.listener.finish(success())
        assert browser.page.status == 200
    finally:
        waiting.listener.close()


def test_another_port_goes_with_its_number(waiting: Waiting) -> None:
    assert visit(waiting.url + GOOD, host="127.0.0.1").status == 404
    assert waiting.events.empty()


def test_a_request_that_drips_is_ended_at_its_one_deadline(waiting: Waiting) -> None:
    began = time.monotonic()
    with waiting.connect() as line:
        line.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        line.settimeout(1)
        ended = False
        while not ended and time.monotonic() - began < 20:
            try:
                line.sendall(b"a")
                ended = line.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
    assert ended
    assert 8 < time.monotonic() - began < 13


def test_those_who_say_nothing_or_drip_keep_nobody_out(waiting: Waiting) -> None:
    silent = [waiting.connect() for _ in range(loopback.CONNECTIONS)]
    for line in silent[::2]:
        line.sendall(b"GET /?")
    time.sleep(0.3)
    began = time.monotonic()
    browser = Browser(waiting.url + GOOD)
    assert waiting.answered().code
    more = [waiting.connect() for _ in range(2 * loopback.CONNECTIONS)]
    time.sleep(0.3)
    waiting.listener.finish(success())
    assert browser.page.status == 200, "who waits for a page is not put out"
    assert time.monotonic() - began < 5
    silent[0].settimeout(5)
    assert silent[0].recv(100) == b"", "the oldest was put out"
    for line in silent + more:
        line.close()


def test_many_at_once_are_few_threads(waiting: Waiting) -> None:
    before = threading.active_count()
    lines = [waiting.connect() for _ in range(4 * loopback.CONNECTIONS)]
    time.sleep(0.5)
    assert threading.active_count() - before <= loopback.CONNECTIONS + 2
    for line in lines:
        line.close()


def test_answers_to_other_sign_ins_are_handed_on_a_few_times_and_counted(waiting: Waiting) -> None:
    for _ in range(5):
        assert visit(f"{waiting.url}?state=another&code=4/0Astolen").status == 400
    assert waiting.listener.strays == 5
    seen = [waiting.events.get(timeout=5) for _ in range(3)]
    assert all(isinstance(each, redirect.WrongState) for each in seen)
    assert waiting.events.empty()
