"""`gbearer request`: make one HTTP call with the right token; the body goes to stdout as it arrives."""

import os

from gbearer import endpoints
from gbearer.cli import calling, options
from gbearer.client import target
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import BinaryIO

    import urllib3

    from gbearer.cli.world import World
    from gbearer.client.body import Body
    from gbearer.client.call import Hands

USAGE = "[options] METHOD URL"
MORE = """\
auto gives *.googleapis.com an access token, *.run.app an ID token for its URL, *.cloudfunctions.net one for the
function's; other hosts need --auth or --audience. A 401 is answered once with a new token, where the body can be sent
again. Exit code 0 for any answer, 22 with --fail for 400 and more.

  gbearer request POST https://europe-west1-p.cloudfunctions.net/get_range --json '{}'
  gbearer request PUT https://storage.googleapis.com/BUCKET/OBJECT --data @big.bin
"""
FAILED = 22
_BLOCK = 1 << 16


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("method", metavar="METHOD", help="GET, POST, ...")
    parser.add_argument("url", metavar="URL", help="https://..., or http:// on this machine")
    parser.add_argument("--json", metavar="TEXT|@FILE|@-", help="a JSON body, with its Content-Type; @- reads stdin")
    parser.add_argument("--data", metavar="TEXT|@FILE|@-", help="a body as it is; no Content-Type is added")
    parser.add_argument("--header", metavar="'N: V'", action="append", default=[], help="one more header (repeatable)")
    parser.add_argument("-i", "--include", action="store_true", help="print status line and headers before the body")
    parser.add_argument("--location", action="store_true", help="follow redirects; credentials stay with their host")
    parser.add_argument("--timeout", metavar="S", default="70", help="seconds to wait for each part of the answer (70)")
    parser.add_argument("--fail", action="store_true", help="exit with 22 when the status is 400 or more")
    calling.add_auth(parser)
    options.add_ask(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Make the call and pass the answer on."""
    options.start(args, world)
    problems = options.Problems()
    tokens = problems.of(calling.Tokens, args, world)
    timeout, headers = problems.of(_seconds, args.timeout), problems.of(_headers, args.header)
    body = problems.of(_body, args, world)
    universe = None if tokens is None else tokens.universe
    wanted = problems.of(
        lambda: target.choose(endpoints.parse(args.url), args.auth, args.audience, world.env, universe)
    )
    if tokens is not None and wanted is not None:
        problems.of(tokens.ask, *wanted)
    problems.end()
    assert tokens is not None  # noqa: S101 (or there was a problem)
    assert timeout is not None  # noqa: S101
    assert body is not None  # noqa: S101

    from gbearer.client import call
    from gbearer.transport import open_connection_pool

    hands = call.Hands(
        world.env, tokens.place, tokens.renew, lambda url: open_connection_pool(url, world.env), tokens.universe
    )
    response = call.call(
        hands,
        args.method,
        args.url,
        body=body,
        headers=headers,
        auth=args.auth,
        audience=args.audience,
        timeout=timeout,
        location=args.location,
    )
    if args.include:
        world.write_bytes(_head(response))
    _pass_on(response, args.url, hands, world)
    return FAILED if args.fail and response.status >= 400 else 0


def _pass_on(response: "urllib3.BaseHTTPResponse", url: str, hands: "Hands", world: "World") -> None:
    """The body to stdout, piece by piece, as the server encoded it."""
    from urllib3.exceptions import HTTPError

    from gbearer.client.call import explained

    pieces = response.stream(_BLOCK, decode_content=False)
    while True:
        try:
            piece = next(pieces, None)
        except (HTTPError, OSError) as error:
            raise explained(error, endpoints.parse(url), hands.env) from error
        if piece is None:
            return
        world.write_bytes(piece)


def _head(response: "urllib3.BaseHTTPResponse") -> bytes:
    version = {10: "1.0", 11: "1.1", 20: "2"}.get(response.version, "1.1")
    lines = [f"HTTP/{version} {response.status} {response.reason or ''}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise UsageError(f"--timeout {text!r} is no number of seconds", fix="write --timeout 70")
    return seconds


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon:
            raise UsageError("--header needs a name and a value", fix="write --header 'Name: value'")
        if name.lower() in (each.lower() for each in headers):
            raise UsageError(f"the header {name[:60]!r} is given twice", fix="join its values with commas")
        headers[name] = value.strip(" \t")
    return headers


def _body(args: "argparse.Namespace", world: "World") -> "Body":
    """The body that --json or --data names; @FILE is streamed, @- reads stdin."""
    from gbearer.client.body import Body

    if args.json is not None and args.data is not None:
        raise UsageError("--json and --data contradict each other: a request has one body", fix="drop one of them")
    text: str | None = args.data if args.json is None else args.json
    if text is None:
        return Body(None)
    if text == "@-" and args.credentials == "-":
        raise UsageError("--credentials - and a body of @- both want stdin", fix="give one of them as a file")
    if text.startswith("@"):
        body = Body(_open(text[1:], world))
    else:
        if args.json is not None:
            _check_json(text)
        body = Body(text)
    if args.json is not None:
        body.type = "application/json"
    return body


def _open(path: str, world: "World") -> "BinaryIO":
    if path == "-":
        if world.stdin is None:
            raise UsageError("the body is to come from stdin, which is closed", fix="pipe it in, or name a file")
        stdin: BinaryIO = world.stdin.buffer
        return stdin
    try:
        return open(os.path.expanduser(path), "rb")
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"the body {path} cannot be read", why=why, fix="check the file's name after the @") from None


def _check_json(text: str) -> None:
    import json

    try:
        json.loads(text)
    except ValueError as error:
        raise UsageError("--json is not JSON", why=str(error), fix="quote it for the shell: --json '{}'") from None
