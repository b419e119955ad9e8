"""One HTTP call with the right token: placed, sent, renewed once after a 401, followed only where that is asked for."""

import re

from gbearer import endpoints, log
from gbearer.client import target
from gbearer.client.body import Body
from gbearer.errors import Unreachable, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import urllib3

    from gbearer.endpoints import URL
    from gbearer.model import Token

    Place = Callable[[str, str | None], tuple[Token, dict[str, str]]]
    Renew = Callable[[str, str | None, Token], tuple[Token, dict[str, str]] | None]

TIMEOUT = 70.0
"""Seconds to wait for a connection, and then for each next part of the answer."""
MOST_REDIRECTS = 20

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_OURS = {"host", "content-length", "transfer-encoding"}
_CREDENTIAL = {
    "authorization", "proxy-authorization", "x-serverless-authorization", "x-goog-user-project", "x-goog-api-key",
    "cookie",
}  # fmt: skip


class Hands:
    """What a call needs from its client: tokens placed and renewed, connections, environment, the universe."""

    __slots__ = ("env", "place", "pool", "renew", "universe")

    def __init__(
        self,
        env: "Mapping[str, str]",
        place: "Place",
        renew: "Renew",
        pool: "Callable[[URL], urllib3.PoolManager]",
        universe: "Callable[[str, str | None], str]",
    ) -> None:
        self.env = env
        self.place = place
        self.renew = renew
        self.pool = pool
        self.universe = universe


def call(
    hands: Hands,
    method: str,
    url: str,
    *,
    body: Body,
    headers: "Mapping[str, str] | None" = None,
    auth: str = "auto",
    audience: str | None = None,
    timeout: float = TIMEOUT,
    location: bool = False,
) -> "urllib3.BaseHTTPResponse":
    """The answer to one request, its body not yet read.

    Raises UsageError before anything is sent, the broker's errors when there is no token, Unreachable when there is
    no answer. Any status is an answer.
    """
    asked = endpoints.parse(url)
    wanted = target.choose(asked, auth, audience, hands.env, lambda: hands.universe("access", None))
    target.check(asked, hands.env, bearer=wanted is not None)
    sent = _headers(headers or {}, body, bearer=wanted is not None)
    if not re.fullmatch(r"[A-Za-z]{1,32}", method):
        raise UsageError(f"{method[:40]!r} is no HTTP method", fix="write GET, POST, PUT, PATCH or DELETE")
    method = method.upper()
    if wanted is None:
        response = _send(hands, method, asked, body, sent, timeout)
    else:
        token, placed = hands.place(*wanted)
        target.check_universe(asked, hands.universe(*wanted), hands.env, bound=audience is not None)
        response = _send(hands, method, asked, body, placed | sent, timeout)
        if response.status == 401 and body.replayable:
            renewed = hands.renew(*wanted, token)
            if renewed is not None:
                log.debug(f"{asked.netloc} answered 401: once more with a new token")
                response.close()
                placed = renewed[1]
                response = _send(hands, method, asked, body, placed | sent, timeout)
        sent = placed | sent
    return _follow(hands, response, method, asked, body, sent, timeout) if location else response


def _follow(
    hands: Hands,
    response: "urllib3.BaseHTTPResponse",
    method: str,
    at: "URL",
    body: Body,
    sent: dict[str, str],
    timeout: float,
) -> "urllib3.BaseHTTPResponse":
    """Follow redirects (RFC 9110 §15.4); what proves who we are stays with the scheme, host and port it was for."""
    from urllib.parse import urljoin

    for _ in range(MOST_REDIRECTS):
        where = response.headers.get("Location")
        if response.status not in (301, 302, 303, 307, 308) or not where:
            return response
        try:
            to = endpoints.parse(urljoin(str(at), where), f"{at.origin} points to")
            target.check(to, hands.env, bearer=False)
        except UsageError as error:
            raise Unreachable(
                error.message, why=error.why, fix="call it without --location to see the answer"
            ) from None
        drops_body = response.status == 303 or (response.status in (301, 302) and method == "POST")
        if drops_body:
            method = method if method == "HEAD" else "GET"
            body = Body(None)
            sent = {name: value for name, value in sent.items() if not name.lower().startswith("content-")}
        elif not body.replayable:
            raise Unreachable(
                f"{at.origin} answered {response.status} and wants the body again at {to.origin}{to.path}",
                why="the body came from a stream that cannot be sent twice",
                fix="give the body as a file, or call that address",
            )
        if to.origin != at.origin:
            sent = {name: value for name, value in sent.items() if name.lower() not in _CREDENTIAL}
        response.close()
        log.debug(f"{response.status}: on to {to.origin}{to.path}")
        at = to
        response = _send(hands, method, at, body, sent, timeout)
    raise Unreachable(f"more than {MOST_REDIRECTS} redirects", why=f"the last was to {at.origin}{at.path}")


def _send(
    hands: Hands, method: str, url: "URL", body: Body, headers: dict[str, str], timeout: float
) -> "urllib3.BaseHTTPResponse":
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError

    from gbearer._version import __version__

    dialled = endpoints.route(url, hands.env)
    all_headers = {"User-Agent": f"gbearer/{__version__}", "Accept": "*/*"}
    for name, value in headers.items():
        all_headers = {each: kept for each, kept in all_headers.items() if each.lower() != name.lower()}
        all_headers[name] = value
    all_headers["Host"] = url.netloc
    if body and body.length is not None:
        all_headers["Content-Length"] = str(body.length)
    try:
        response = hands.pool(dialled).urlopen(
            method,
            str(dialled),
            body=body.chunks(),
            headers=all_headers,
            redirect=False,
            retries=False,
            preload_content=False,
            chunked=bool(body) and body.length is None,
            timeout=Timeout(connect=timeout, read=timeout),
        )
    except (HTTPError, OSError) as error:
        raise explained(error, url, hands.env) from error
    log.debug(f"{method} {url.origin}{url.path}: {response.status}", at=2)
    return response


def explained(error: Exception, url: "URL", env: "Mapping[str, str]") -> Unreachable:
    """Our error for what the connection raised while `url` was called or its answer read."""
    from gbearer.transport import failure

    return failure.explain(error, url, endpoints.route(url, env), env)[0]


def read_all(response: "urllib3.BaseHTTPResponse", url: str, env: "Mapping[str, str]") -> None:
    """Read the body into `response.data`; Unreachable when it breaks off."""
    from urllib3.exceptions import HTTPError

    try:
        _ = response.data
    except (HTTPError, OSError) as error:
        raise explained(error, endpoints.parse(url), env) from error


def _headers(given: "Mapping[str, str]", body: Body, *, bearer: bool) -> dict[str, str]:
    """The caller's headers, checked, and the body's type."""
    sent = {"Content-Type": body.type} if body.type else {}
    for name, value in given.items():
        lower = name.lower()
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise UsageError(
                f"the header {name[:60]!r} has characters that no header may have", fix="write it as 'Name: value'"
            )
        if lower in _OURS:
            raise UsageError(f"the header {name} cannot be chosen", why="it follows from the URL and the body")
        if lower == "authorization" and bearer:
            raise UsageError(
                "there is an Authorization header already",
                why="gbearer adds its own",
                fix="drop it, or add --auth none",
            )
        sent = {each: kept for each, kept in sent.items() if each.lower() != lower}
        sent[name] = value
    return sent
