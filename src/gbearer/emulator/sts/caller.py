"""AWS's own STS, as far as it is asked who somebody is: GetCallerIdentity at the hosts of AWS that are led here."""

import json
import re
from urllib.parse import quote
from xml.sax.saxutils import escape

from aiohttp import web

from gbearer.emulator.answers import Refusal
from gbearer.emulator.state import Call, State
from gbearer.emulator.sts import account, sigv4
from gbearer.emulator.sts.aws import HOST

__all__ = ["HOST", "identity"]

_CODE = re.compile(r": 403 (?P<code>\w+): (?P<message>.*)", re.DOTALL)
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


async def identity(state: State, call: Call) -> web.StreamResponse:
    """Who signed the request, by the emulator's AWS account; every other action is refused as unknown."""
    request = call.request
    said = await request.read()
    query = request.rel_url.raw_query_string
    action = request.query.get("Action", "")
    if action != "GetCallerIdentity" or said:
        return _refused(400, "InvalidAction", f"Could not find operation {action} for version 2011-06-15")
    headers = [
        {"key": name, "value": value} for name, value in request.headers.items() if name.lower() in _signed(request)
    ]
    document = {"url": f"https://{call.host}/?{query}", "method": request.method, "headers": headers}
    try:
        asked = sigv4.read(quote(json.dumps(document)))
    except (ValueError, KeyError, TypeError) as error:
        return _refused(403, "IncompleteSignature", str(error))
    try:
        found = await account.caller(asked, state.world.aws_key, state.aws_server, state.world.clock.now())
    except Refusal as refusal:
        told = _CODE.search(json.loads(refusal.body).get("error_description", ""))
        if told is None:
            raise
        return _refused(403, told["code"], told["message"])
    call.entry.principal = found["arn"]
    inner = "".join(
        f"<{name}>{escape(found[key])}</{name}>"
        for name, key in (("Arn", "arn"), ("UserId", "userid"), ("Account", "account"))
    )
    text = (
        f'<GetCallerIdentityResponse xmlns="{_NAMESPACE}"><GetCallerIdentityResult>{inner}</GetCallerIdentityResult>'
        "</GetCallerIdentityResponse>"
    )
    return web.Response(text=text, content_type="text/xml")


def _signed(request: web.Request) -> set[str]:
    """The headers that count: those that are signed, and every one of AWS's."""
    found = re.search(r"SignedHeaders=([a-z0-9;-]+)", request.headers.get("Authorization", ""))
    names = set(found[1].split(";")) if found else set()
    return names | {"authorization"} | {name.lower() for name in request.headers if name.lower().startswith("x-amz-")}


def _refused(status: int, code: str, message: str) -> web.Response:
    text = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return web.Response(status=status, text=text, content_type="text/xml")
