"""The loopback address that the browser is sent back to: it waits for one answer, and answers it with a page."""

import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from gbearer import log
from gbearer.errors import Unreachable, UsageError
from gbearer.login import pages, redirect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from gbearer.login.redirect import Arrived

HOST = "127.0.0.1"
_REQUEST = 32_768
"""Bytes that a request may have, headers and all."""
_CONNECTIONS = 32
_READ = 10.0
_PAGE = 60.0
"""Seconds that the browser waits for its page, while the code is exchanged."""


class Listener:
    """An open port on 127.0.0.1 (a free one for 0), until `close`; UsageError when it is taken.

    `start` begins to serve. The first answer with the right state goes to `arrived`; its browser then waits for
    `finish`, which tells it how the sign-in ended. Everything else gets an error page and ends nothing.
    """

    def __init__(self, port: int, *, emulator: bool) -> None:
        self.emulator = emulator
        self.strays = 0
        self._page: pages.Page | None = None
        self._ready = threading.Event()
        self._sent = threading.Event()
        self._lock = threading.Lock()
        self._taken = False
        self._state = ""
        self._arrived: Callable[[Arrived], None] = lambda _: None
        self._connections = threading.BoundedSemaphore(_CONNECTIONS)
        try:
            self._server = _Server(self, port)
        except OSError as error:
            raise _taken(port, error) from None
        self.port = int(self._server.server_address[1])
        self.url = f"http://{HOST}:{self.port}/"

    def start(self, state: str, arrived: "Callable[[Arrived], None]") -> None:
        """Serve, in a thread of its own, and wait for the answer that carries `state`."""
        self._state, self._arrived = state, arrived
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="gbearer-login", daemon=True).start()

    def finish(self, page: pages.Page) -> None:
        """Answer the browser that brought the answer, if one did, and wait until it has its page."""
        self._page = page
        self._ready.set()
        if self._taken:
            self._sent.wait(3.0)

    def close(self) -> None:
        """Let go of the port; who still waits for a page gets none."""
        self._ready.set()
        if self._state:
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(self, target: str) -> pages.Page | None:
        """The page for a GET of `target`, None for a path that is none of ours; waits where it is the answer."""
        url = urlsplit(target)
        if url.path != "/" or not url.query:
            return None
        try:
            arrived = redirect.read(url.query, self._state)
        except redirect.Stray:
            return None
        except redirect.WrongState:
            self.strays += 1
            log.debug("an answer to another sign-in came, and was refused")
            return pages.stray(self.emulator)
        with self._lock:
            first, self._taken = not self._taken, True
        if not first:
            return pages.over(self.emulator)
        self._arrived(arrived)
        self._ready.wait(_PAGE)
        return self._page or pages.over(self.emulator)

    def told(self, page: pages.Page) -> None:
        """`page` has been sent."""
        if page is self._page:
            self._sent.set()

    def enter(self) -> bool:
        """Whether one more connection may be served."""
        return self._connections.acquire(blocking=False)

    def leave(self) -> None:
        """A connection has ended."""
        self._connections.release()


class _Server(socketserver.ThreadingTCPServer):
    """Loopback only; the standard library's HTTPServer would look up this machine's name."""

    allow_reuse_address = sys.platform != "win32"  # where it would let others take the port from us
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, listener: Listener, port: int) -> None:
        self.listener = listener
        super().__init__((HOST, port), _Handler)

    def verify_request(self, request: object, client_address: object) -> bool:  # noqa: ARG002 (its interface)
        """Refuse connections beyond a number that no browser opens."""
        return self.listener.enter()

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Serve one connection, and count it out."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self.listener.leave()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A browser that went away is no matter."""
        log.debug("a connection to the sign-in's own address broke off", at=2)


class _Handler(BaseHTTPRequestHandler):
    """One request and one answer a connection."""

    protocol_version = "HTTP/1.1"
    server_version = "gbearer"
    sys_version = ""
    timeout = _READ
    server: _Server

    def setup(self) -> None:
        """Bound what is read of a request."""
        super().setup()
        self.rfile = _Bounded(self.rfile)  # type: ignore[assignment]

    def do_GET(self) -> None:
        """`/` with an answer; nothing else is here."""
        listener = self.server.listener
        here = {f"{name}:{listener.port}" for name in (HOST, "localhost")}
        page = listener.answer(self.path) if self.headers.get("Host") in here else None
        self.close_connection = True
        if page is None:
            self.send_error(404)
            return
        try:
            self._send(page.status, page.data, pages.HEADERS)
        finally:
            listener.told(page)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A line of text for what is not answered: other methods and paths, and what is no HTTP."""
        self.close_connection = True
        self.request_version = self.protocol_version  # also where the request was none: it is answered with a head
        self._send(code, b"There is nothing here.\n", (("Content-Type", "text/plain"), *pages.HEADERS[1:]))

    def _send(self, status: int, data: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: a request line holds the code."""


class _Bounded:
    """A request's stream, of which only so much is read."""

    def __init__(self, stream: object) -> None:
        self._stream = stream
        self._left = _REQUEST
        self._ends = time.monotonic() + _READ

    def readline(self, size: int = -1) -> bytes:
        """The next line; nothing when the request is too long or takes too long."""
        if self._left <= 0 or time.monotonic() > self._ends:
            return b""
        line: bytes = self._stream.readline(min(size, self._left) if size >= 0 else self._left)  # type: ignore[attr-defined]
        self._left -= len(line)
        return line

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()  # type: ignore[attr-defined]


def _taken(port: int, error: OSError) -> UsageError | Unreachable:
    reason = (error.strerror or str(error)).lower()
    if port == 0:
        return Unreachable(
            f"no port on {HOST} can be opened", why=reason, fix="check this machine's loopback interface"
        )
    return UsageError(
        f"the port {port} cannot be used for the sign-in",
        why=f"{reason}; another program has it, another gbearer login perhaps",
        fix="leave --port out, or name a free one",
    )
