"""One page of the browser: what it shows, what is clicked on it, and how it looks."""

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from browser.chromium import Chromium


class Page:
    """A page; the methods without `async` are for tests, those with it for the driver itself."""

    def __init__(self, browser: "Chromium", socket: aiohttp.ClientWebSocketResponse) -> None:
        self._browser = browser
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loads = 0
        self.console: list[str] = []
        """What the page's scripts and the browser complained about."""
        self.visited: list[str] = []
        """Every address that the page itself was at, in order."""
        self._reader: asyncio.Task[None] | None = None

    # --- for tests

    def open(self, url: str) -> None:
        """Go to a URL and wait until it is loaded."""
        self._browser.run(self.goto(url))

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.js("location.href"))

    @property
    def text(self) -> str:
        """What a person reads."""
        return str(self.js("document.body ? document.body.innerText : ''"))

    @property
    def title(self) -> str:
        """The title of its tab."""
        return str(self.js("document.title"))

    def js(self, code: str) -> Any:
        """The value of an expression in the page."""
        return self._browser.run(self.evaluate(code))

    def click(self, selector: str) -> None:
        """Click, with the mouse, on the first that matches."""
        self._browser.run(self._click(selector))

    def follow(self, selector: str) -> None:
        """Click, and wait until another page has come of it."""
        self._browser.run(self._follow(selector))

    def wait(self, what: "Callable[[Page], bool]", timeout: float = 20.0) -> None:
        """Wait until this holds; AssertionError with what the page shows."""
        for _ in range(int(timeout * 10)):
            if what(self):
                return
            self._browser.run(asyncio.sleep(0.1))
        raise AssertionError(f"{self.url} shows {self.text!r}")

    def look(self, *, scheme: str | None = None, width: int | None = None, height: int = 800) -> None:
        """Another colour scheme (light, dark) or another width, a phone's below 600."""
        self._browser.run(self._look(scheme, width, height))

    def screenshot(self, file: Path) -> None:
        """A picture of what is seen."""
        file.write_bytes(
            base64.b64decode(self._browser.run(self.command("Page.captureScreenshot", format="png"))["data"])
        )

    # --- the driver

    async def begin(self, width: int, height: int, scheme: str) -> None:
        """Start to listen."""
        self._reader = asyncio.create_task(self._read())
        for domain in ("Page", "Runtime", "Log"):
            await self.command(f"{domain}.enable")
        await self._look(scheme, width, height)

    async def goto(self, url: str) -> None:
        """Go to a URL and wait until it is loaded, or cannot be."""
        before = self._loads
        told = await self.command("Page.navigate", url=url)
        if "errorText" not in told:
            await self._loaded(before)

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol; its result."""
        self._number += 1
        waiting = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": self._number, "method": method, "params": parameters}))
        answer = await asyncio.wait_for(waiting, 30)
        assert "error" not in answer, f"{method}: {answer}"
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, code: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.command("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{code}: {answer}"
        return answer["result"].get("value")

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            what, about = told["method"], told["params"]
            if what == "Page.loadEventFired":
                self._loads += 1
            elif what == "Page.frameNavigated" and "parentId" not in about["frame"]:
                self.visited.append(about["frame"]["url"])
            elif what == "Log.entryAdded":
                self.console.append(f"{about['entry']['level']}: {about['entry']['text']}")
            elif what == "Runtime.exceptionThrown":
                self.console.append(str(about["exceptionDetails"]))

    async def _loaded(self, before: int) -> None:
        for _ in range(300):
            if self._loads > before:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"no page came; {self.visited}")

    async def _click(self, selector: str) -> None:
        where = await self.evaluate(
            f"(() => {{ const it = document.querySelector({json.dumps(selector)}); if (!it) return null;"
            " it.scrollIntoView({block: 'center'}); const box = it.getBoundingClientRect();"
            " return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        assert where, f"no {selector} at {await self.evaluate('document.body.innerHTML')}"
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1
            )

    async def _follow(self, selector: str) -> None:
        before = self._loads
        await self._click(selector)
        await self._loaded(before)

    async def _look(self, scheme: str | None, width: int | None, height: int) -> None:
        if scheme is not None:
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            await self.command("Emulation.setEmulatedMedia", features=features)
        if width is not None:
            phone = width < 600
            await self.command(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, mobile=phone,
                deviceScaleFactor=2 if phone else 1,
            )  # fmt: skip
