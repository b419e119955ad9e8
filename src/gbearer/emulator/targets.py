"""Servers to call with a token: functions and Cloud Run (ID tokens), APIs (access tokens); they echo the call."""

import hashlib
import json
from typing import Any

from aiohttp import web

from gbearer.emulator import gateway, scopes
from gbearer.emulator.answers import Refusal, encode, json_answer
from gbearer.emulator.issued import read_id_token
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import GCLOUD_CLIENT

_ECHO_LIMIT = 64 * 1024
_CHUNK = b"gbearer emulator\n" * 4096
_SECRET_HEADERS = ("authorization", "x-serverless-authorization", "proxy-authorization", "cookie", "x-goog-api-key")


async def function(state: State, call: Call) -> web.StreamResponse:
    """`ANY /functions/NAME`: the audience is that URL."""
    name = call.args[0]
    return await _invoke(state, call, f"{call.origin}/functions/{name}", exact=True)


async def cloud_function(state: State, call: Call) -> web.StreamResponse:
    """`ANY https://*.cloudfunctions.net/NAME...`: the audience is origin and first path segment."""
    first = call.raw_path.split("/")[1]
    return await _invoke(state, call, f"{call.origin}/{first}", exact=True)


async def cloud_run(state: State, call: Call) -> web.StreamResponse:
    """`ANY https://*.run.app/...`: the audience is the service's URL, without a traffic tag; a path is tolerated."""
    host = call.host.rpartition("---")[2]
    return await _invoke(state, call, f"https://{host}", exact=False)


async def protected(state: State, call: Call) -> web.StreamResponse:
    """`ANY /v1/protected[?scope=S]`: an API that takes an access token, or a service account's own JWT."""
    asked = call.request.query.get("scope", "")
    wanted = tuple(scopes.expand(scope) for scope in asked.replace(",", " ").split())
    caller = gateway.authenticate(state, call, wanted)
    return await echo(
        call, {"caller": _about(caller), "scopes": None if caller.scopes is None else list(caller.scopes)}
    )


async def api(state: State, call: Call) -> web.StreamResponse:
    """Any other `*.googleapis.com`: like `/v1/protected`, but without a scope of its own."""
    caller = gateway.authenticate(state, call)
    return await echo(
        call, {"caller": _about(caller), "scopes": None if caller.scopes is None else list(caller.scopes)}
    )


async def _invoke(state: State, call: Call, audience: str, *, exact: bool) -> web.StreamResponse:
    """Admit a caller with an ID token for `audience`; X-Serverless-Authorization goes before Authorization."""
    special = "X-Serverless-Authorization" in call.request.headers
    token = gateway.bearer(call.request.headers, "X-Serverless-Authorization" if special else "Authorization")
    if token is None:
        text = f"Your client does not have permission to get URL <code>{_safe(call.raw_path)}</code> from this server."
        raise _refusal(403, "Forbidden", text)
    condition, claims = read_id_token(state.world, token)
    if condition == "expired":
        raise _unauthorized(call, "The access token expired")
    if condition != "good":
        raise _unauthorized(call, "The access token could not be verified")
    email = state.world.email_of(claims["sub"])
    call.entry.principal = email
    call.entry.details["audience"] = claims["aud"]
    given = claims["aud"]
    fits = given == audience or (not exact and str(given).startswith(f"{audience}/"))
    if not fits and not (given == GCLOUD_CLIENT[0] and email in state.world.users):
        raise _unauthorized(call, "The access token could not be verified")
    return await echo(call, {"caller": {"email": email, "sub": claims["sub"]}, "audience": given})


def _unauthorized(call: Call, description: str) -> Refusal:
    text = f"Your client does not have permission to the requested URL <code>{_safe(call.raw_path)}</code>."
    authenticate = f'Bearer error="invalid_token" error_description="{description}"'
    return _refusal(401, "Unauthorized", text, {"WWW-Authenticate": authenticate})


def _refusal(status: int, title: str, text: str, headers: dict[str, str] | None = None) -> Refusal:
    page = (
        "\n<html><head>\n"
        '<meta http-equiv="content-type" content="text/html;charset=utf-8">\n'
        f"<title>{status} {title}</title>\n</head>\n"
        f"<body text=#000000 bgcolor=#ffffff>\n<h1>Error: {title}</h1>\n<h2>{text}</h2>\n<h2></h2>\n"
        "</body></html>\n"
    )
    return Refusal(status, page.encode(), "text/html", headers or {})


def _safe(path: str) -> str:
    return path.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def echo(call: Call, more: dict[str, Any]) -> web.StreamResponse:
    """The call as it arrived; a body of more than 64 KiB as its length and SHA-256. `?size=N` answers N bytes."""
    size = call.request.query.get("size", "")
    length, digest, start = await _drain(call)
    if size.isascii() and size.isdigit():
        return await _big(call, int(size))
    shown: dict[str, Any] = {
        "method": call.request.method,
        "host": call.host,
        "path": call.raw_path,
        "query": call.raw_query,
        "headers": {name: value for name, value in call.request.headers.items() if name.lower() not in _SECRET_HEADERS},
        "quota_project": call.request.headers.get("x-goog-user-project"),
        "body_length": length,
        **more,
    }
    if length > _ECHO_LIMIT:
        shown["body_sha256"] = digest
    else:
        text = start.decode("utf-8", "replace")
        shown["body"] = text
        try:
            shown["json"] = json.loads(text)
        except ValueError:
            shown["json"] = None
    return json_answer(shown)


async def _drain(call: Call) -> tuple[int, str, bytes]:
    """Length, SHA-256 and the first 64 KiB of the body, which is never held as a whole."""
    length, digest, start = 0, hashlib.sha256(), bytearray()
    async for chunk in call.request.content.iter_any():
        length += len(chunk)
        digest.update(chunk)
        if len(start) < _ECHO_LIMIT:
            start += chunk[: _ECHO_LIMIT - len(start)]
    return length, digest.hexdigest(), bytes(start)


async def _big(call: Call, size: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = size
    call.entry.status = 200
    await response.prepare(call.request)
    while size > 0:
        await response.write(_CHUNK[:size])
        size -= len(_CHUNK)
    await response.write_eof()
    return response


def _about(caller: gateway.Caller) -> dict[str, str]:
    """The caller as the echo shows it; a federated one has no e-mail address."""
    if caller.federated:
        return {"principal": caller.email, "sub": caller.unique_id}
    return {"email": caller.email, "sub": caller.unique_id}


def not_found(call: Call) -> Refusal:
    """What an address gets that nobody serves."""
    body = {"error": {"code": 404, "message": f"No such address: {call.raw_path}", "status": "NOT_FOUND"}}
    return Refusal(404, encode(body))
