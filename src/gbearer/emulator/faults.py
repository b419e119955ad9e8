"""Faults: what the emulator does wrong on purpose for the next requests that match, and how it does it."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gbearer.emulator.answers import NO_STORE, answer, encode, html_page, json_answer
from gbearer.emulator.log import Entry

_KINDS: dict[str, type | tuple[type, ...]] = {
    "status": int,
    "body": str,
    "headers": dict,
    "oauth_error": dict,
    "delay": (int, float),
    "drop": bool,
    "reset": bool,
    "half_body": bool,
    "html": bool,
    "empty": bool,
    "no_token": bool,
    "garbage": bool,
    "redirect": str,
    "retry_after": (int, float),
    "hang": bool,
}
NO_ANSWER = 499
"""The status of the response that stands for a connection closed without an answer."""
_MATCHES = ("path", "method", "host", "grant_type")


@dataclass
class Fault:
    """One planned fault: `left` answers still to spoil (None: all), which requests, and how."""

    left: int | None
    match: dict[str, str]
    how: dict[str, Any]

    def fits(self, entry: Entry) -> bool:
        """Whether the request in `entry` is one of those meant; `path` is a prefix."""
        for name, wanted in self.match.items():
            have = str(getattr(entry, name) or "")
            if not (have.startswith(wanted) if name == "path" else have.lower() == wanted.lower()):
                return False
        return True


@dataclass
class Faults:
    """The planned faults in the order they were set; `released` lets hanging requests go."""

    planned: list[Fault] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def wants_form(self) -> bool:
        """Whether a planned fault looks at the grant type, so that the form has to be read first."""
        return any("grant_type" in fault.match for fault in self.planned)

    def clear(self) -> None:
        """Plan nothing any more, and let go of requests that hang."""
        self.planned.clear()
        self.released.set()
        self.released = asyncio.Event()

    def take(self, entry: Entry) -> Fault | None:
        """The fault for this request, counted; None when it is to be answered properly."""
        for fault in self.planned:
            if fault.fits(entry):
                if fault.left is not None:
                    fault.left -= 1
                    if fault.left <= 0:
                        self.planned.remove(fault)
                return fault
        return None


def parse(document: object) -> tuple[list[Fault], float | None]:
    """The faults in a control request's JSON, and the clock skew in seconds if it sets one.

    `document` is one fault or a list of them; ValueError says what is wrong with it.
    """
    faults: list[Fault] = []
    skew: float | None = None
    for given in document if isinstance(document, list) else [document]:
        if not isinstance(given, dict):
            raise ValueError("a fault is a JSON object")
        item: dict[str, Any] = dict(given)
        if "clock_skew" in item:
            skew = _number(item.pop("clock_skew"), "clock_skew")
            if not item:
                continue
        count, match = item.pop("count", 1), item.pop("match", {})
        if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
            raise ValueError("count is a number from 1, or null for every request")
        if not isinstance(match, dict) or not all(k in _MATCHES and isinstance(v, str) for k, v in match.items()):
            raise ValueError(f"match is an object with {', '.join(_MATCHES)}")
        for name, value in item.items():
            if name not in _KINDS:
                raise ValueError(f"unknown fault {name!r}; known: clock_skew, {', '.join(_KINDS)}")
            if not isinstance(value, _KINDS[name]) or (isinstance(value, bool) and _KINDS[name] is not bool):
                raise ValueError(f"{name} has the wrong type")
        if not any(item.values()):
            raise ValueError("a fault says what goes wrong")
        faults.append(Fault(count, match, item))
    return faults, skew


def _number(value: object, name: str) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{name} is a number of seconds")


async def spoil(
    fault: Fault,
    released: asyncio.Event,
    request: web.Request,
    entry: Entry,
    proper: Callable[[], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Answer `request` as `fault` says; `proper` is what would have answered it."""
    how = fault.how
    entry.fault = " ".join(name for name in how if how[name])
    if how.get("delay"):
        await asyncio.sleep(how["delay"])
    if how.get("hang"):
        while not released.is_set() and _connected(request):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(released.wait(), 0.1)
        return _cut(request, reset=False)
    if how.get("drop") or how.get("reset"):
        await _discard(request)  # unread data would turn the close into a reset
        return _cut(request, reset=bool(how.get("reset")))
    response = _answer(how)
    if response is None:
        plain = await proper()
        if not how.get("half_body"):
            return plain
        response = plain if isinstance(plain, web.Response) else answer(b"{}")
    else:
        await _discard(request)
    if how.get("half_body"):
        return await _half(request, response, entry)
    return response


def _answer(how: Mapping[str, Any]) -> web.Response | None:
    """The spoiled answer, or None if the fault only delays or cuts the proper one."""
    headers = {str(name): str(value) for name, value in how.get("headers", {}).items()}
    if "retry_after" in how:
        headers.setdefault("Retry-After", f"{how['retry_after']:g}")
    if how.get("redirect"):
        return answer(b"", status=how.get("status", 302), headers={"Location": how["redirect"], **headers})
    if "oauth_error" in how:
        return json_answer(how["oauth_error"], status=how.get("status", 400), headers={**NO_STORE, **headers})
    if how.get("html"):
        status = how.get("status", 502)
        page = html_page(status, "Server Error", "The server encountered a temporary error. Please try again.")
        return answer(page, status=status, content_type="text/html", headers=headers)
    if how.get("empty"):
        return answer(b"", status=how.get("status", 200), headers=headers)
    if how.get("no_token"):
        return json_answer({"expires_in": 3599, "token_type": "Bearer"}, headers=headers)
    if how.get("garbage"):
        return answer(b'\x00\xff{"access_token": \xfe', status=how.get("status", 200), headers=headers)
    if "body" in how:
        return web.Response(
            body=how["body"].encode(),
            status=how.get("status", 200),
            headers={"Content-Type": "application/json; charset=UTF-8", **headers},
        )
    if "status" in how or "retry_after" in how or headers:
        status = how.get("status", 503)
        body = {"error": {"code": status, "message": "The service is currently unavailable.", "status": "UNAVAILABLE"}}
        return answer(encode(body), status=status, headers=headers)
    return None


async def _discard(request: web.Request) -> None:
    async for _ in request.content.iter_any():
        pass


def _connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _cut(request: web.Request, *, reset: bool) -> web.StreamResponse:
    """Close the connection without an answer, by FIN or by RST."""
    transport = request.transport
    if transport is not None:
        if reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=NO_ANSWER)


async def _half(request: web.Request, response: web.Response, entry: Entry) -> web.StreamResponse:
    """Send the head and half of `response`, then close."""
    body = response.body if isinstance(response.body, bytes) and response.body else json.dumps({}).encode()
    cut = web.StreamResponse(status=response.status, headers=response.headers)
    cut.content_length = len(body)
    entry.status = response.status
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return cut
