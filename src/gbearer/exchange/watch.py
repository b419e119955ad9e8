"""A transport that remembers the last answer, so that an error can say what the server really sent."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.transport import Answer, Transport


class Watch:
    """What google-auth is given as its transport for one exchange; `last` is the answer it read last."""

    __slots__ = ("last", "transport")

    def __init__(self, transport: "Transport") -> None:
        self.transport = transport
        self.last: Answer | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: "bytes | str | None" = None,
        headers: "Mapping[str, str] | None" = None,
        timeout: float | None = None,
        **_: object,
    ) -> "Answer":
        """The interface of `google.auth.transport.Request`; errors are ours and pass through google-auth untouched."""
        self.last = self.transport(url, method, body, headers, timeout)
        return self.last


def server_time(headers: "Mapping[str, str]") -> float | None:
    """The server's own time (Unix, seconds) by its `Date` header (RFC 9110 §6.6.1); None where it does not tell."""
    text = headers.get("date")
    if not text:
        return None
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None
