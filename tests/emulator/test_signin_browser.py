"""The pages in a real browser: clicked through, back to a server at each of this machine's names, nothing fetched."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.chromium import Chromium, chromium
from emulator.hands import CLOUD, EMAIL_SCOPE, good
from emulator.visitor import exchange, told, url
from gbearer.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.program("chromium")]


class _Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        del format, args


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as running:
        yield running


@pytest.fixture(params=["127.0.0.1", "localhost"])
def application(request: pytest.FixtureRequest) -> Iterator[str]:
    """An application that waits for the browser; its redirect URI."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Application)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://{request.param}:{server.server_port}/back"
    server.shutdown()
    server.server_close()
    thread.join()


def test_somebody_chooses_changes_their_mind_unticks_and_allows(
    em: Emulator, browser: Chromium, application: str, tmp_path: Path
) -> None:
    extra = "https://www.googleapis.com/auth/sqlservice.login"
    asked = {"redirect_uri": application, "scope": f"openid {EMAIL_SCOPE} {CLOUD} {extra}"}
    page = browser.page(url(em, asked))
    assert page.title == "Choose an account · gbearer emulator"
    page.follow('button[value="ada@example.com"]')
    assert "Ada Lovelace" in page.text
    page.follow(".chip a")
    page.follow('button[value="grace@example.com"]')
    assert "grace@example.com" in page.text
    page.click(f'input[value="{extra}"]')
    page.screenshot(tmp_path / "consent.png")
    assert (tmp_path / "consent.png").stat().st_size > 10_000
    page.follow('button[value="allow"]')
    assert page.url.startswith(f"{application}?state=")
    assert page.text == "done"
    answer = good(exchange(em, told(page.url)["code"], {"redirect_uri": application}))
    assert answer["scope"].split() == ["openid", EMAIL_SCOPE, CLOUD]
    assert [line for line in page.console if "favicon" not in line and "404" not in line] == []
    paths = [entry["path"] for entry in em.log()]
    begin, account, consent = "/o/oauth2/auth", "/o/oauth2/v2/auth/account", "/o/oauth2/v2/auth/consent"
    assert paths == [begin, account, account, account, consent, "/token"]  # no icon, no style, no font was fetched


def test_cancel_goes_back_empty_handed(em: Emulator, browser: Chromium, application: str) -> None:
    page = browser.page(url(em, {"redirect_uri": application}))
    page.follow('button[value="ada@example.com"]')
    page.follow('button[value="deny"]')
    assert told(page.url) == {"error": "access_denied", "state": "a state & more"}


def test_the_policy_lets_the_browser_go_back_to_an_ipv6_address_too(em: Emulator, browser: Chromium) -> None:
    page = browser.page(url(em, {"redirect_uri": "http://[::1]:9/"}))
    page.follow('button[value="ada@example.com"]')
    page.follow('button[value="allow"]')
    assert page.url.startswith("chrome-error:")  # it went, and nobody listens there; a policy would have kept it here
    assert "Content Security Policy" not in str(page.console)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_phone_and_both_schemes_are_readable(
    em: Emulator, browser: Chromium, scheme: str
) -> None:
    page = browser.page(url(em), width=360, height=740, scheme=scheme)
    for step in ('button[value="ada@example.com"]', ""):
        assert page.js("document.documentElement.scrollWidth <= window.innerWidth")
        dark = page.js("getComputedStyle(document.body).color.match(/\\d+/g).map(Number)[0] > 128")
        assert dark == (scheme == "dark")
        if step:
            page.follow(step)
