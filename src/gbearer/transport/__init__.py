"""The way out: one HTTP client with time limits, retries and rewriting, in the shape that google-auth calls."""

import time

from gbearer import endpoints, log
from gbearer.errors import Refused, Unreachable
from gbearer.transport.pool import open_connection_pool

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    import urllib3

__all__ = ["TOTAL", "Answer", "Transport", "open_connection_pool"]

TOTAL = 20.0
"""Seconds that all tries of one token together may take."""
RETRIED = frozenset({408, 425, 429})
_RETRIED_WORDS = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})
_CONNECT = 5.0
_READ = 10.0
_LARGEST = 1 << 20


class Answer:
    """What a server answered: status, headers (any case), data."""

    __slots__ = ("data", "headers", "status", "url")

    def __init__(self, url: str, status: int, headers: "Mapping[str, str]", data: bytes) -> None:
        self.url = url
        self.status = status
        self.headers = headers
        self.data = data

    def json(self) -> object:
        """The body as JSON; Unreachable when it is none."""
        import json

        try:
            value: object = json.loads(self.data)
        except ValueError:
            raise nonsense(self.url, self.data) from None
        return value


def nonsense(url: str, data: bytes) -> Unreachable:
    """The error for a 200 that does not say what it should; shows how the body begins, redacted."""
    begins = log.redact(" ".join(data[:400].decode("utf-8", "replace").split()))[:80]
    host = endpoints.parse(url).netloc
    return Unreachable(
        f"{host} gave an answer that is not understood",
        why=f"the body begins {begins!r}" if begins else "the body is empty",
        fix="check what stands between you and Google: a proxy, a captive portal, an emulator with a fault set",
    )


class Transport:
    """Sends the requests of one token: all of them together end within `total` seconds.

    Called by google-auth as its transport. No request is redirected, none is repeated by anybody else: what comes
    back is a good answer, and everything else is raised as one of our errors.
    """

    def __init__(self, env: "Mapping[str, str]", *, total: float = TOTAL, tries: int = 5) -> None:
        self.env = env
        self.total = total
        self.tries = tries
        self.requests = 0
        self._deadline = time.monotonic() + total
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._certs: dict[str, tuple[str, str]] = {}
        self._trusted: dict[str, ssl.SSLContext] = {}

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: "bytes | str | None" = None,
        headers: "Mapping[str, str] | None" = None,
        timeout: float | None = None,
        **_: object,
    ) -> Answer:
        """The interface of `google.auth.transport.Request`."""
        data = body.encode() if isinstance(body, str) else body
        try:
            return self.send(method, url, body=data, headers=headers, timeout=timeout)
        except Refused as refused:
            if refused.status == 404 and "/computeMetadata/v1/universe/" in refused.url:
                return Answer(refused.url, 404, refused.headers, refused.body)  # means googleapis.com
            raise

    def present(self, url: str, cert: tuple[str, str]) -> None:
        """Show a client certificate to the host of `url` and to no other: the paths of it and of its key, in PEM."""
        self._certs[endpoints.parse(url).origin] = cert

    def presents(self, url: str) -> tuple[str, str] | None:
        """The client certificate that the host of `url` is shown, None for none."""
        return self._certs.get(endpoints.parse(url).origin)

    def trust(self, url: str, context: "ssl.SSLContext") -> None:
        """Take the authorities of `context` for the host of `url`, and no others: they are not those of the world."""
        self._trusted[endpoints.parse(url).origin] = context

    @property
    def left(self) -> float:
        """Seconds that are left of the total time."""
        return max(0.0, self._deadline - time.monotonic())

    def allow(self, seconds: float) -> None:
        """Put off the end of the total time: so long somebody else was waited for, a program say."""
        self._deadline += seconds

    def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: "Mapping[str, str] | None" = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send until there is an answer to keep, within the total time; `timeout` (seconds) limits one try.

        Raises Refused for a status of 400 or more, Unreachable for everything that is no answer at all.
        """
        asked = endpoints.parse(url)
        target = endpoints.route(asked, self.env)
        if asked.origin in self._certs and target.origin != asked.origin:
            target = endpoints.URL("https", target.host, target.port, target.target)  # an emulator speaks both
        sent = {"Host": asked.netloc, "User-Agent": _user_agent(), **(headers or {})}
        for attempt in range(1, self.tries + 1):
            failure: Unreachable
            try:
                answer = self._once(method, asked, target, body, sent, timeout)
                if answer.status < 300:
                    return answer
                if answer.status < 400:
                    raise _redirected(asked, answer)
                failure = Refused(str(asked), answer.status, answer.headers, answer.data)
                again = _retryable(answer)
                asked_for = _retry_after(answer)
            except _Failed as failed:
                failure, again, asked_for = failed.error, failed.again, 0.0
            left = self._deadline - time.monotonic()
            pause = max(asked_for, _backoff(attempt))
            if not again or attempt == self.tries or pause >= left:
                _add_history(failure, attempt, self.total - left, asked_for if again and asked_for >= left else 0.0)
                raise failure
            log.debug(f"{failure.message}; again in {pause:.1f} s", at=1)
            time.sleep(pause)
        raise AssertionError("unreachable")

    def _once(
        self,
        method: str,
        asked: endpoints.URL,
        target: endpoints.URL,
        body: bytes | None,
        headers: "Mapping[str, str]",
        timeout: float | None,
    ) -> Answer:
        """One try. Raises `_Failed` for what never became an answer."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        from gbearer.transport import failure
        from gbearer.transport.limit import Late, within

        emulated = target.origin != asked.origin
        left = max(0.05, self._deadline - time.monotonic())
        limit = min(left, timeout or _READ)
        whole = min(left, limit + _CONNECT)
        self.requests += 1
        begun = time.monotonic()

        def exchange() -> tuple[int, "Mapping[str, str]", bytes]:
            pool = self._pools.get(target.origin)
            if pool is None:
                cert, context = self._certs.get(asked.origin), self._trusted.get(asked.origin)
                pool = open_connection_pool(target, self.env, cert, context, emulated=emulated)
                self._pools[target.origin] = pool
            response = pool.urlopen(
                method,
                str(target),
                body=body,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=Timeout(connect=min(limit, _CONNECT), read=limit),
            )
            return response.status, response.headers, _read(response, begun + whole)

        try:
            status, said, data = within(whole, exchange)
        except (HTTPError, OSError, Late) as error:
            log.debug(f"{method} {asked.origin}{asked.path}: {type(error).__name__}", at=2)
            told, again = failure.explain(error, asked, target, self.env)
            raise _Failed(told, again) from error
        took = (time.monotonic() - begun) * 1000
        where = "" if target.origin == asked.origin else f" (sent to {target.origin})"
        log.debug(f"{method} {asked.origin}{asked.path}{where}: {status} in {took:.0f} ms", at=2)
        return Answer(str(asked), status, said, data)


class _Failed(Exception):
    """Inside this file: a try that got no answer, and whether another may."""

    def __init__(self, error: Unreachable, again: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.again = again


def _read(response: "urllib3.BaseHTTPResponse", deadline: float) -> bytes:
    """The whole body, if it is not more than a mebibyte; nobody waits for it after the deadline."""
    from gbearer.transport.failure import TooLarge

    data = b""
    while chunk := response.read1(1 << 16):
        data += chunk
        if len(data) > _LARGEST or time.monotonic() > deadline:
            response.close()
            raise TooLarge
    response.release_conn()
    return data


def _user_agent() -> str:
    from gbearer._version import __version__

    return f"gbearer/{__version__}"


def _redirected(asked: endpoints.URL, answer: Answer) -> Unreachable:
    location = log.redact(str(answer.headers.get("location", "nowhere")).partition("?")[0])[:100]
    return Unreachable(
        f"{asked.netloc} answered {answer.status} and points to {location}",
        why="a request that carries a secret is never sent on to another address",
        fix="check the URL in the credential file, and any proxy or captive portal in between",
    )


def _retryable(answer: Answer) -> bool:
    if answer.status >= 500 or answer.status in RETRIED:
        return True
    return any(f'"{word}"'.encode() in answer.data[:2000] for word in _RETRIED_WORDS)


def _retry_after(answer: Answer) -> float:
    """Seconds that the server asks to wait (RFC 9110 §10.2.3: a number or a date), else 0."""
    text = str(answer.headers.get("retry-after", "")).strip()
    if text.isascii() and text.isdigit():
        return float(text)
    if not text:
        return 0.0
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def _backoff(attempt: int) -> float:
    """0.3, 0.6, 1.2 ... seconds, each between half and one and a half of that."""
    import random

    return 0.3 * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 (spreads load, guards nothing)


def _add_history(error: Unreachable, attempts: int, took: float, wait: float) -> None:
    notes = []
    if attempts > 1:
        notes.append(f"{attempts} tries in {took:.1f} s")
    if wait:
        notes.append(f"the server asks to wait {wait:.0f} s")
    if notes:
        error.why = f"{error.why}; {', '.join(notes)}" if error.why else ", ".join(notes)
