"""What a server said when it refused, taken apart once: OAuth's error, Google's API error, or a page of HTML."""

import sys
import time

from gbearer import endpoints, log
from gbearer.exchange.watch import server_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.errors import Refused

LATE = 30.0
"""Seconds by which this machine's clock may be wrong before an error speaks of it."""

BETWEEN = "check what stands between you and Google: a proxy, a captive portal, an emulator with a fault set"
"""What to do about an answer that is not Google's."""

_SET_CLOCK = {"darwin": "sudo sntp -sS time.apple.com", "win32": "w32tm /resync"}


class Said:
    """A refusal. Texts are redacted, on one line, and cut; "" where the server did not say.

    code, subtype   OAuth's `error` and `error_subtype` (RFC 6749 §5.2)
    text            the description, Google's message, or how the body begins
    reason          the reason in Google's ErrorInfo (AIP-193), or in the challenge of RFC 6750 §3
    details         the metadata of that ErrorInfo: permission, service, consumer
    html            whether the answer is a web page: somebody in between, or Google's front door
    skew            seconds by which this machine's clock is ahead of the server's; None where that is unknown
    """

    __slots__ = ("code", "details", "host", "html", "path", "reason", "skew", "status", "subtype", "text")

    def __init__(self, url: str, status: int, headers: "Mapping[str, str]", body: bytes) -> None:
        asked = endpoints.parse(url)
        self.host = asked.netloc
        self.path = asked.path
        self.status = status
        self.code = self.subtype = self.reason = ""
        self.details: dict[str, str] = {}
        there = server_time(headers)
        self.skew = None if there is None else time.time() - there
        self.html = body.lstrip()[:1] == b"<"
        self.text = one_line(body)
        if not self.html:
            self._read(_json(body))
        if not self.reason and "insufficient_scope" in str(headers.get("www-authenticate", "")):
            self.reason = "ACCESS_TOKEN_SCOPE_INSUFFICIENT"

    def _read(self, body: "Mapping[str, object]") -> None:
        error = body.get("error")
        if isinstance(error, str):
            self.code = one_line(error)
            self.subtype = one_line(body.get("error_subtype"))
            self.text = one_line(body.get("error_description"))
        elif isinstance(error, dict):
            self.text = one_line(error.get("message"))
            self.code = one_line(error.get("status"))
            items = error.get("details")
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and "reason" in item:
                    self.reason = one_line(item["reason"])
                    told = item.get("metadata")
                    self.details = {str(k): one_line(v) for k, v in told.items()} if isinstance(told, dict) else {}

    @property
    def words(self) -> str:
        """The refusal as the server put it."""
        if self.html:
            return f"it answered {self.status} with a web page"
        both = f"{self.code}: {self.text}" if self.code and self.text else self.code or self.text
        return f"it answered {self.status}" + (f", {both}" if both else "")

    @property
    def late(self) -> str:
        """In words, by how much this machine's clock is wrong; "" where it is right or nobody knows."""
        if self.skew is None or abs(self.skew) <= LATE:
            return ""
        side = "ahead of" if self.skew > 0 else "behind"
        return f"this machine's clock is {abs(self.skew):.0f} s {side} that of {self.host}"


def of(refused: "Refused") -> Said:
    """What was said in `refused`."""
    return Said(refused.url, refused.status, refused.headers, refused.body)


def set_clock() -> str:
    """The command that sets this machine's clock."""
    return f"set the clock: `{_SET_CLOCK.get(sys.platform, 'sudo timedatectl set-ntp true')}`"


def one_line(value: object, length: int = 300) -> str:
    """A server's text, fit to be shown: redacted, on one line, printable, not too long; "" for None."""
    if value is None:
        return ""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = "".join(c if c.isprintable() else " " for c in text[:4000])
    return log.redact(" ".join(text.split()))[:length]


def _json(body: bytes) -> "Mapping[str, object]":
    import json

    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
