"""The driver drives: pages open, clicks count, colours and sizes are those asked for, and nothing leaves."""

import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Chromium, chromium

pytestmark = pytest.mark.program("chromium")
PAGE = b"""<!doctype html><title>one</title><style>@media (prefers-color-scheme: dark) {body {background: #000}}</style>
<form action=/two><label><input type=checkbox name=it value=1 checked>it</label><button name=go value=yes>go</button>
</form><img src="http://elsewhere.invalid/x.png"><p>text of the page"""


class Handler(http.server.BaseHTTPRequestHandler):
    """A page with a form, whatever is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as made:
        yield made


def test_a_page_is_read_clicked_on_and_left(browser: Chromium, site: str) -> None:
    page = browser.page(f"{site}/one")
    assert (page.title, page.text.splitlines()[-1]) == ("one", "text of the page")
    page.follow("button[name=go][value=yes]")
    assert page.url == f"{site}/two?it=1&go=yes"
    page.click("input[name=it]")
    page.follow("button")
    assert page.url == f"{site}/two?go=yes"
    assert page.visited == [f"{site}/one", f"{site}/two?it=1&go=yes", f"{site}/two?go=yes"]


def test_colours_and_sizes_are_those_asked_for(browser: Chromium, site: str, tmp_path: Path) -> None:
    page = browser.page(site, scheme="dark", width=390, height=700)
    dark = "getComputedStyle(document.body).backgroundColor"
    assert page.js(dark) == "rgb(0, 0, 0)"
    assert page.js("innerWidth") >= 390
    page.look(scheme="light", width=1024, height=600)
    assert page.js(dark) == "rgba(0, 0, 0, 0)"
    page.screenshot(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    assert struct.unpack(">II", data[16:24]) == (1024, 600)


def test_nothing_that_a_page_names_is_asked_elsewhere(browser: Chromium, site: str) -> None:
    page = browser.page(site)
    page.wait(lambda page: any("ERR_NAME_NOT_RESOLVED" in line for line in page.console))
    page.open("http://example.com/")
    assert "chrome-error:" in page.url
