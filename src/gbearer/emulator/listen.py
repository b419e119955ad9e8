"""The one port that speaks HTTP and TLS: the first byte of a connection says which it is to be."""

import asyncio
import contextlib
import os
import socket
import ssl
import tempfile
import weakref
from collections.abc import Iterable

from aiohttp import web

from gbearer.emulator import certificates

_BACKLOG = 2048
_HANDSHAKE = b"\x16"  # the first byte of a TLS record of that type (RFC 8446 §5.1)


def context(shelf: certificates.Shelf, trusted: Iterable[str]) -> ssl.SSLContext:
    """TLS with the emulator's certificate; a client may show one of its own, of an authority in `trusted` (PEM)."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.verify_mode = ssl.CERT_OPTIONAL
    made.load_verify_locations(cadata="".join(trusted))
    own = certificates.server(shelf.tls)
    with tempfile.TemporaryDirectory(prefix="gbearer-emulator-") as folder:  # 0700; load_cert_chain reads files only
        path = os.path.join(folder, "server.pem")
        with open(path, "w", encoding="ascii") as file:
            file.write(own.key + own.certificate)
        made.load_cert_chain(path)
    return made


class Listener:
    """Accepts connections on a bound socket and hands them to the server, over TLS where they begin it.

    Where the event loop cannot watch a socket (Windows) there is plain HTTP only.
    """

    def __init__(self, runner: web.AppRunner, bound: socket.socket, tls: ssl.SSLContext) -> None:
        self._runner = runner
        self._socket = bound
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()

    async def start(self) -> None:
        """Accept from now on."""
        if os.name != "posix":
            await web.SockSite(self._runner, self._socket, backlog=_BACKLOG).start()
            return
        self._socket.setblocking(False)
        self._socket.listen(_BACKLOG)
        self._spawn(self._accept())

    async def stop(self) -> None:
        """Accept nothing more; connections that have not said a word are closed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._socket.close()

    async def hang_up(self) -> None:
        """Let go of what is still open when the server has closed: TLS waits for the other side's farewell."""
        for connection in list(self._connections):
            if isinstance(connection, asyncio.WriteTransport):
                connection.abort()
        await asyncio.sleep(0)  # the loop closes sockets on its next round

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError:  # out of descriptors, or reset before it was accepted
                await asyncio.sleep(0.05)
                continue
            self._spawn(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        """Wait for the first byte, leave it where it is, and let the server have the connection."""
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await _readable(connection)
            first = connection.recv(1, socket.MSG_PEEK)
            if first and self._runner.server is not None:
                tls = self._tls if first == _HANDSHAKE else None
                transport, _ = await loop.connect_accepted_socket(self._runner.server, connection, ssl=tls)
                self._connections.add(transport)
                return
        except OSError:  # gone, or a handshake that failed; ssl.SSLError is one
            pass
        except BaseException:
            connection.close()
            raise
        connection.close()


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
