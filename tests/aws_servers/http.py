"""A small HTTP server in a thread: it notes every request, and a function answers, or leaves the caller waiting."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit


class Request(NamedTuple):
    """One request as it came; the names of headers in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def parameters(self) -> dict[str, str]:
        """Query and form together, as AWS's query protocol takes them."""
        form = self.body.decode("utf-8", "replace") if b"{" not in self.body[:1] else ""
        return dict(parse_qsl(self.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True))


class Reply(NamedTuple):
    """An answer: a status, a body (an object becomes JSON), and the type of the body."""

    status: int = 200
    body: bytes | str | object = b""
    type: str = ""


Handle = Callable[[Request], Reply | None]
"""Answers a request; None answers nothing at all: the connection stands until the caller gives up."""


class Served:
    """A server that is up: its URL, who answers (set `handle`), and every request that it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.handle: Handle = lambda _: Reply(503)
        self.requests: list[Request] = []

    def paths(self) -> list[str]:
        """Method and path of each request, in order."""
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def serve() -> Iterator[Served]:
    """Serve on a free port of 127.0.0.1 for as long as the block lasts."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def do(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, parts.query, headers, body)
            served.requests.append(request)
            reply = served.handle(request)
            if reply is None:
                stopping.wait(30)
                self.close_connection = True
                return
            told = reply.body
            kind = "text/plain"
            if isinstance(told, str):
                data = told.encode()
                kind = "text/xml" if told.lstrip().startswith("<") else kind
            elif isinstance(told, bytes):
                data = told
            else:
                data, kind = json.dumps(told).encode(), "application/json"
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.type or kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do  # noqa: N815 (the library's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's name)
            """Nothing: tests read `requests`."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """A caller that hangs up is no news."""

    server = Quiet(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
