"""Servers of a few lines on raw sockets, one thread a connection: they answer whatever a test tells them to."""

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Reply = bytes | Callable[[socket.socket], None]
"""What is sent before the connection is closed, or a function that does something worse with it."""


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """An answer as HTTP has it; `Retry_After="1"` becomes `Retry-After: 1`."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


OK = http(200, b'{"access_token": "ya29.fine"}')


def reset(connection: socket.socket) -> None:
    """Break the connection off with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def whole_request(connection: socket.socket) -> bytes:
    """Head and body of one request; what came until then where the other side gives up."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + body


class Server:
    """Listens on a free port of `host`; answers with `replies` in turn, the last one again and again."""

    def __init__(self, *replies: Reply, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.replies = list(replies)
        self.requests: list[bytes] = []
        self.stopping = threading.Event()
        self._tls = tls
        self._listening = socket.create_server((host, 0), backlog=64)
        self.port: int = self._listening.getsockname()[1]
        self.netloc = f"{host}:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.netloc}"
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._start(lambda c=connection: self._serve(c))  # type: ignore[misc]

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            self.talk(self._tls.wrap_socket(connection, server_side=True) if self._tls else connection)

    def talk(self, connection: socket.socket) -> None:
        """Read one request, note it, and answer."""
        with connection:
            request = whole_request(connection)
            if not request:
                return
            self.requests.append(request)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            if isinstance(reply, bytes):
                connection.sendall(reply)
            else:
                reply(connection)

    def hang(self, connection: socket.socket) -> None:
        """Say nothing until the server is stopped or the caller gives up."""
        connection.settimeout(0.05)
        while not self.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1):
                    return

    def drip(self, data: bytes, every: float = 0.05) -> Reply:
        """A reply that sends `data` byte by byte, `every` seconds one."""

        def send(connection: socket.socket) -> None:
            for at in range(len(data)):
                connection.sendall(data[at : at + 1])
                if self.stopping.wait(every):
                    return

        return send


class Proxy(Server):
    """A forward and CONNECT proxy: notes each request line; tunnels end at `behind`, whatever name was asked for."""

    def __init__(self, *replies: Reply, behind: int = 0) -> None:
        super().__init__(*replies)
        self.behind = behind

    def talk(self, connection: socket.socket) -> None:
        """Open the tunnel, or answer a plain request as any server would."""
        if connection.recv(8, socket.MSG_PEEK) != b"CONNECT " or not self.behind:
            super().talk(connection)
            return
        with connection, socket.create_connection(("127.0.0.1", self.behind)) as far:
            self.requests.append(whole_request(connection))
            connection.sendall(b"HTTP/1.1 200 Go\r\n\r\n")
            far.settimeout(10)
            back = threading.Thread(target=_pump, args=(far, connection), daemon=True)
            back.start()
            _pump(connection, far)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Authority:
    """A certificate authority of its own: `bundle` is what a client has to trust, `server_side` what servers show."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.bundle = folder / "bundle.pem"
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        mine = _certificate(subject, self._key.public_key(), x509.BasicConstraints(True, None)).add_extension(
            usage, True
        )
        self._certificate = mine.issuer_name(subject).sign(self._key, hashes.SHA256())
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def server_side(self, *names: str) -> ssl.SSLContext:
        """A TLS context for a server that is called `names` (host names or IP addresses)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        also = x509.SubjectAlternativeName([_name(name) for name in names])
        theirs = _certificate(subject, key.public_key(), x509.BasicConstraints(False, None)).add_extension(also, False)
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())  # Python 3.13 insists on it
        theirs = theirs.add_extension(by, False)
        signed = theirs.issuer_name(self._certificate.subject).sign(self._key, hashes.SHA256())
        file = self._folder / f"{names[0]}.pem"
        plain = serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        file.write_bytes(pem + signed.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, basic: x509.BasicConstraints
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).public_key(key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
    return builder.not_valid_after(now + datetime.timedelta(hours=1)).add_extension(basic, True)


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextlib.contextmanager
def serving(*replies: Reply, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that runs inside the `with`."""
    with Server(*replies, tls=tls) as server:
        yield server
