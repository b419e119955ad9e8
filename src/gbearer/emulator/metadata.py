"""The metadata server of a virtual machine: headers, listings, recursion, waiting; tokens are in machine."""

import asyncio
import contextlib
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from gbearer.emulator import machine
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import DEFAULT, PROJECT_ID, PROJECT_NUMBER

_TEXT = "application/text"
_POLL = 0.25  # seconds between two looks while a request waits for a change
_TRUE = ("true", "TRUE", "True", "1")
Tree = dict[str, Any]


def tree(universe: str = "") -> Tree:
    """What the server knows; a directory is a dict, `token` and `identity` are made when they are asked for.

    Without a `universe` it knows of none, which to clients means googleapis.com.
    """
    account: Tree = {
        "aliases": ["default"],
        "email": DEFAULT,
        "identity": None,
        "scopes": list(machine.SCOPES),
        "token": None,
    }
    known: Tree = {
        "instance": {
            "attributes": {},
            "cpu-platform": "Intel Broadwell",
            "description": "",
            "hostname": f"emulator.{machine.ZONE}.c.{PROJECT_ID}.internal",
            "id": machine.INSTANCE_ID,
            "machine-type": f"projects/{PROJECT_NUMBER}/machineTypes/e2-micro",
            "maintenance-event": "NONE",
            "name": machine.INSTANCE_NAME,
            "preempted": "FALSE",
            "region": f"projects/{PROJECT_NUMBER}/regions/{machine.ZONE.rpartition('-')[0]}",
            "service-accounts": {"default": account, DEFAULT: account},
            "tags": [],
            "zone": f"projects/{PROJECT_NUMBER}/zones/{machine.ZONE}",
        },
        "project": {
            "attributes": {},
            "numeric-project-id": PROJECT_NUMBER,
            "project-id": PROJECT_ID,
        },
    }
    return {**known, "universe": {"universe-domain": universe}} if universe else known


async def root(state: State, call: Call) -> web.StreamResponse:
    """`GET /`, the ping: on a virtual machine it needs no header."""
    del state
    _refuse_forwarded(call)
    return machine.send(b"computeMetadata/\n", _TEXT)


async def metadata(state: State, call: Call) -> web.StreamResponse:
    """`GET /computeMetadata/...`: a value, a listing, a token; POST only to ask for a token."""
    _refuse_forwarded(call)
    if call.request.headers.get("Metadata-Flavor") != "Google":
        text = "Your client does not have permission to get this URL: the Metadata-Flavor header is missing."
        raise machine.refusal(403, "Forbidden", text)
    path = call.request.path.removeprefix("/computeMetadata")
    if path in ("", "/", "/v1"):
        return machine.send(b"v1/\n", _TEXT) if path == "/" else _redirect(call)
    if not path.startswith("/v1/"):
        raise machine.refusal(404, "Not Found", "The requested URL was not found on this server.")
    parts = [part for part in path.removeprefix("/v1/").split("/") if part]
    node = _walk(tree(state.universe), parts)
    query = {name: values[0] for name, values in parse_qs(call.raw_query, keep_blank_values=True).items()}
    token_call = _token_call(parts)
    if token_call:
        call.entry.principal = DEFAULT
        return machine.answer(state, token_call, call.raw_query, query)
    await call.request.read()
    if call.request.method != "GET":
        raise machine.refusal(405, "Method Not Allowed", "This method is not allowed here.")
    if isinstance(node, dict) and not path.endswith("/"):
        return _redirect(call)
    return await _value(state, call, node, query)


def _token_call(parts: list[str]) -> str:
    """`token` or `identity` when the path is one of those of a service account, else the empty string."""
    found = len(parts) == 4 and parts[:2] == ["instance", "service-accounts"] and parts[3] in ("token", "identity")
    return parts[3] if found else ""


def _walk(root: Tree, parts: list[str]) -> Any:
    node: Any = root
    for part in parts:
        if not isinstance(node, dict) or part not in node:
            raise machine.refusal(404, "Not Found", "The requested URL was not found on this server.")
        node = node[part]
    return node


async def _value(state: State, call: Call, node: Any, query: dict[str, str]) -> web.StreamResponse:
    recursive = query.get("recursive") in _TRUE
    form = query.get("alt", "json" if recursive and isinstance(node, dict) else "text")
    if form not in ("json", "text"):
        raise machine.refusal(400, "Bad Request", "Invalid value for alt.")
    body = _render(node, form, recursive)
    if query.get("wait_for_change") in _TRUE:
        await _wait(state, call, machine.etag(body), query)
    return machine.send(body, "application/json" if form == "json" else _TEXT)


def _render(node: Any, form: str, recursive: bool) -> bytes:
    if form == "json":
        shown = _camel(node) if recursive or not isinstance(node, dict) else sorted(_names(node))
        return json.dumps(shown, separators=(",", ":")).encode()
    if isinstance(node, dict):
        lines = _flat(node, "") if recursive else _names(node)
        return "".join(f"{line}\n" for line in lines).encode()
    if isinstance(node, list):
        return "".join(f"{item}\n" for item in node).encode()
    return str(node).encode()


def _names(node: Tree) -> list[str]:
    return [f"{name}/" if isinstance(value, dict) else name for name, value in node.items()]


def _flat(node: Tree, prefix: str) -> list[str]:
    lines: list[str] = []
    for name, value in node.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{name}/")
        elif value is not None:
            lines += [f"{prefix}{name} {item}" for item in (value if isinstance(value, list) else [value])]
    return lines


def _camel(node: Any) -> Any:
    """The JSON form of a directory: camelCase names, without what is made on demand."""
    if not isinstance(node, dict):
        return node
    return {
        name if "@" in name else re.sub("-([a-z])", lambda found: found[1].upper(), name): _camel(value)
        for name, value in node.items()
        if value is not None
    }


async def _wait(state: State, call: Call, etag: str, query: dict[str, str]) -> None:
    """Come back when the value changes, which here it never does, or when `timeout_sec` is over."""
    if query.get("last_etag") not in (None, etag):
        return
    try:
        end = time.monotonic() + float(query.get("timeout_sec") or "inf")
    except ValueError:
        raise machine.refusal(400, "Bad Request", "Invalid value for timeout_sec.") from None
    released = state.faults.released  # a reset, or the end of the emulator
    while not released.is_set() and (left := end - time.monotonic()) > 0 and call.request.transport is not None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(released.wait(), min(_POLL, left))


def _refuse_forwarded(call: Call) -> None:
    if "X-Forwarded-For" in call.request.headers:
        raise machine.refusal(403, "Forbidden", "Requests with an X-Forwarded-For header are not served.")


def _redirect(call: Call) -> web.Response:
    query = f"?{call.raw_query}" if call.raw_query else ""
    return web.Response(status=301, headers={**machine.HEADERS, "Location": f"{call.raw_path}/{query}"})
