"""A small HTTP server on 127.0.0.1 for one browser: it bounds what it reads, for how long, and from how many."""

import contextlib
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

from gbearer import log
from gbearer.login import pages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.login.pages import Page

HOST = "127.0.0.1"
_REQUEST = 32_768
"""Bytes that a request may have, headers and all."""
_READ = 10.0
"""Seconds from the first to the last byte of a request, and for the answer."""
CONNECTIONS = 32


class Server(socketserver.ThreadingTCPServer):
    """Loopback only; the standard library's HTTPServer would look up this machine's name.

    `answer` is given the target of each GET, and gives its page; None is answered 404. `sent` is told of each page.
    """

    allow_reuse_address = sys.platform != "win32"  # where it would let others take the port from us
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, port: int, answer: "Callable[[str], Page | None]", sent: "Callable[[Page], None]") -> None:
        self.answer = answer
        self.sent = sent
        self._lock = threading.Lock()
        self._open: dict[socket.socket, bool] = {}  # the oldest first, and whether its request is whole
        super().__init__((HOST, port), _Handler)
        self.hosts = hosts(int(self.server_address[1]))

    def verify_request(self, request: socket.socket, client_address: object) -> bool:  # type: ignore[override]  # noqa: ARG002
        """Let a connection in. Where all places are taken, the oldest that has not said what it wants makes room."""
        with self._lock:
            if len(self._open) >= CONNECTIONS:
                idle = next((each for each, whole in self._open.items() if not whole), None)
                if idle is None:
                    return False
                del self._open[idle]
                with contextlib.suppress(OSError):
                    idle.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and goes
            self._open[request] = False
        return True

    def whole(self, request: socket.socket) -> None:
        """The request of this connection has come: it is not put out any more."""
        with self._lock:
            if request in self._open:
                self._open[request] = True

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Close a connection, and count it out."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """A browser that went away is no matter."""
        log.debug("a connection to the sign-in's own address broke off", at=2)


def hosts(port: int) -> frozenset[str]:
    """What a browser that is here says in Host: with the port, but for the one that http has anyway."""
    names = (HOST, "localhost")
    return frozenset(f"{name}:{port}" for name in names) | frozenset(names if port == 80 else ())


class _Handler(BaseHTTPRequestHandler):
    """One request and one answer a connection."""

    protocol_version = "HTTP/1.1"
    server_version = "gbearer"
    sys_version = ""
    server: Server
    connection: socket.socket

    def setup(self) -> None:
        """Bound what is read of a request."""
        super().setup()
        self.rfile.close()
        self.rfile = _Bounded(self.connection)  # type: ignore[assignment]

    def do_GET(self) -> None:
        """What `answer` says to the target; nothing for those who take us for another host."""
        self.server.whole(self.connection)
        page = self.server.answer(self.path) if self.headers.get("Host") in self.server.hosts else None
        if page is None:
            self.send_error(404)
            return
        try:
            self._send(page.status, page.data, page.headers)
        finally:
            self.server.sent(page)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A line of text for what is not answered: other methods and paths, and what is no HTTP."""
        self.request_version = self.protocol_version  # also where the request was none: it is answered with a head
        self._send(code, b"There is nothing here.\n", (("Content-Type", "text/plain"), *pages.HEADERS[1:]))

    def _send(self, status: int, data: bytes, headers: tuple[tuple[str, str], ...]) -> None:
        self.close_connection = True
        self.connection.settimeout(_READ)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: a request line holds the code."""


class _Bounded:
    """A request's lines, of which only so much is read, and only for so long: one deadline for all of it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""
        self._left = _REQUEST
        self._ends = time.monotonic() + _READ

    def readline(self, size: int = -1) -> bytes:
        """The next line, up to `size` bytes; the rest when there is no more. TimeoutError when it takes too long."""
        size = self._left if size < 0 else min(size, self._left)
        while (end := self._held.find(b"\n", 0, size) + 1) == 0 and len(self._held) < size:
            wait = self._ends - time.monotonic()
            if wait <= 0:
                raise TimeoutError
            self._connection.settimeout(wait)
            data = self._connection.recv(4096)
            if not data:
                break
            self._held += data
        line = self._held[: end or size]
        self._held = self._held[len(line) :]
        self._left -= len(line)
        return line

    def close(self) -> None:
        """Nothing: the connection is the server's."""
