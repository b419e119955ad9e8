"""A transport that remembers the last answer, so that an error can say what the server really sent."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gbearer.transport import Answer, Transport


class Watch:
    """What google-auth is given as its transport for one exchange; `last` is the answer it read last.

    `arrived`, where it is set, is called with every good answer before google-auth or anybody else reads it.
    """

    __slots__ = ("arrived", "last", "transport")

    def __init__(self, transport: "Transport") -> None:
        self.transport = transport
        self.last: Answer | None = None
        self.arrived: Callable[[Answer], None] | None = None

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
        if self.arrived is not None:
            self.arrived(self.last)
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
