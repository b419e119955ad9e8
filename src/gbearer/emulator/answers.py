"""What the emulator says: Google's success and error bodies, as plain builders."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_LOGIN_HELP = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


@dataclass
class Refusal(Exception):
    """A finished refusal; logic raises it and the server sends it as it is."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def encode(value: Any) -> bytes:
    """`value` as the indented UTF-8 JSON that Google's front ends write."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def answer(
    body: bytes, *, status: int = 200, content_type: str = "application/json", headers: Mapping[str, str] = {}
) -> web.Response:
    """A response with `body`; text and JSON are marked UTF-8."""
    given = {"Content-Type": f"{content_type}; charset=UTF-8", **headers}
    return web.Response(body=body, status=status, headers=given)


def json_answer(value: Any, *, status: int = 200, headers: Mapping[str, str] = {}) -> web.Response:
    """A response whose body is `value` as JSON."""
    return answer(encode(value), status=status, headers=headers)


def refused(refusal: Refusal) -> web.Response:
    """The response that a `Refusal` describes."""
    return answer(refusal.body, status=refusal.status, content_type=refusal.content_type, headers=refusal.headers)


def oauth_refusal(error: str, description: str = "", *, status: int = 400, subtype: str = "") -> Refusal:
    """An OAuth error (RFC 6749 §5.2) as Google's token endpoint words it."""
    body = {"error": error}
    if description:
        body["error_description"] = description
    if subtype:
        body["error_subtype"] = subtype
    return Refusal(status, encode(body), headers=dict(NO_STORE))


def api_refusal(
    status: int,
    message: str,
    code: str,
    *,
    reason: str = "",
    domain: str = "googleapis.com",
    metadata: Mapping[str, str] = {},
    authenticate: str = "",
) -> Refusal:
    """An API error (AIP-193); `reason` adds an ErrorInfo, `authenticate` the WWW-Authenticate header."""
    error: dict[str, Any] = {"code": status, "message": message, "status": code}
    if reason:
        info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}
        error["details"] = [{**info, "metadata": dict(metadata)} if metadata else info]
    headers = {"WWW-Authenticate": authenticate} if authenticate else {}
    return Refusal(status, encode({"error": error}), headers=headers)


def credentials_missing(service: str, method: str) -> Refusal:
    """The gateway's answer to a call without any credential."""
    return api_refusal(
        401,
        f"Request is missing required authentication credential. {_LOGIN_HELP}",
        "UNAUTHENTICATED",
        reason="CREDENTIALS_MISSING",
        metadata={"service": service, "method": method},
        authenticate='Bearer realm="https://accounts.google.com/"',
    )


def credentials_invalid(service: str, method: str, reason: str = "") -> Refusal:
    """The gateway's answer to a credential it cannot use; `reason` names why where Google does."""
    return api_refusal(
        401,
        f"Request had invalid authentication credentials. {_LOGIN_HELP}",
        "UNAUTHENTICATED",
        reason=reason,
        metadata={"service": service, "method": method} if reason else {},
        authenticate='Bearer realm="https://accounts.google.com/", error="invalid_token"',
    )


def scope_insufficient(service: str, method: str, wanted: str) -> Refusal:
    """The gateway's answer to a good token without the scope that the method needs."""
    return api_refusal(
        403,
        "Request had insufficient authentication scopes.",
        "PERMISSION_DENIED",
        reason="ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        metadata={"service": service, "method": method},
        authenticate=(f'Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="{wanted}"'),
    )


def invalid_argument(message: str = "Request contains an invalid argument.") -> Refusal:
    """The API error for a body that does not fit the method."""
    return api_refusal(400, message, "INVALID_ARGUMENT")


def html_page(status: int, title: str, text: str) -> bytes:
    """A small error page in the manner of Google's front end."""
    heading = html.escape(f"{status} ({title})")
    page = (
        "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n"
        f"<title>Error {heading}!!1</title>\n<p><b>{status}.</b> {html.escape(text)}</p>\n</html>\n"
    )
    return page.encode()


def html_refusal(status: int, title: str, text: str, *, headers: Mapping[str, str] = {}) -> Refusal:
    """A refusal whose body is an HTML page."""
    return Refusal(status, html_page(status, title, text), "text/html", dict(headers))
