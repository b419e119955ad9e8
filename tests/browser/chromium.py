"""Starts a Chromium with an empty profile, without the services it calls at home, and hands out its pages."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from browser.page import Page

T = TypeVar("T")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--disable-default-apps", "--disable-dev-shm-usage", "--disable-features=OptimizationHints,MediaRouter,Translate",
    "--no-proxy-server", "--password-store=basic", "--use-mock-keychain", "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost", "--hide-scrollbars",
)  # fmt: skip


class Chromium:
    """A running browser; its methods may be called from any thread."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium") or "chromium"
        self._log = (profile / "log").open("wb")
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "HOME": str(profile), "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        self._profile = profile
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._session: aiohttp.ClientSession | None = None

    def page(self, url: str = "about:blank", *, width: int = 1280, height: int = 800, scheme: str = "light") -> Page:
        """A new page, of a size and a colour scheme, at a URL."""
        return self.run(self._page(url, width, height, scheme))

    async def _page(self, url: str, width: int, height: int, scheme: str) -> Page:
        session = await self._connect()
        port = self._port()
        about: dict[str, Any] = {}
        async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
            about = await answer.json(content_type=None)
        socket = await session.ws_connect(about["webSocketDebuggerUrl"], max_msg_size=0)
        page = Page(self, socket)
        await page.begin(width, height, scheme)
        if url != "about:blank":
            await page.goto(url)
        return page

    async def _connect(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        return self._session

    def _port(self) -> int:
        """The port of its DevTools, which it writes into its profile once it listens."""
        file, ends = self._profile / "DevToolsActivePort", time.monotonic() + 30
        while time.monotonic() < ends:
            if file.exists() and "\n" in file.read_text():
                return int(file.read_text().split("\n")[0])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"chromium is not up: {(self._profile / 'log').read_text()[-2000:]}")

    def run(self, what: Coroutine[Any, Any, T], timeout: float = 60.0) -> T:
        """Await this in the browser's own loop."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(timeout)

    def close(self) -> None:
        """End it."""
        if self._session is not None:
            self.run(self._session.close())
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self._log.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser with a new empty profile, ended with the block."""
    with tempfile.TemporaryDirectory(prefix="gbearer-chromium-", ignore_cleanup_errors=True) as folder:
        browser = Chromium(Path(folder))
        try:
            yield browser
        finally:
            browser.close()
