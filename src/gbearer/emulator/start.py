"""Running the emulator: embedded in a thread for tests and `gbearer demo`, or as a process of its own."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from aiohttp import web

from gbearer.emulator import files, listen, server
from gbearer.emulator.handle import Emulator
from gbearer.emulator.state import State
from gbearer.emulator.sts import account, x509
from gbearer.errors import UsageError

_GRACE = 0.5  # seconds that open requests get when the emulator stops
_RENEWAL = 3600  # seconds between new subject tokens
AWS_VARIABLE = "GBEARER_EMULATOR_AWS"
"""Names the moto server that plays the AWS account."""


@contextlib.contextmanager
def running(dir: str | Path | None = None, port: int = 0, aws: str = "") -> Iterator[Emulator]:  # noqa: A002
    """An emulator in a background thread, stopped at the end of the `with` block.

    `dir` gets the credential files (a temporary one, removed at the end, if None); `port` 0 picks a free one.
    `aws` is the URL of a moto server that plays the AWS account (otherwise GBEARER_EMULATOR_AWS, then pools.json).
    UsageError if the port is taken; BadCredentials if `dir` holds files of somebody else.
    """
    directory = Path(dir) if dir is not None else Path(tempfile.mkdtemp(prefix="gbearer-emulator-"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gbearer-emulator", daemon=True)
    thread.start()
    try:
        started = asyncio.run_coroutine_threadsafe(_start(directory.absolute(), port, loop, aws), loop)
        emulator = started.result(timeout=60)
        try:
            yield emulator
        finally:
            asyncio.run_coroutine_threadsafe(emulator.stop(), loop).result(timeout=60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()
        if dir is None:
            shutil.rmtree(directory, ignore_errors=True)


def run(port: int, dir: str | Path, ready: TextIO) -> None:  # noqa: A002
    """Serve until SIGTERM or SIGINT; `ready http://127.0.0.1:PORT` on `ready` says that it is up.

    Errors are those of `running`. Must be called in the main thread.
    """
    asyncio.run(_serve(Path(dir).absolute(), port, ready))


async def _serve(directory: Path, port: int, ready: TextIO) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stopped.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopped.set))
    emulator = await _start(directory, port, loop)
    try:
        ready.write(f"ready {emulator.url}\n")
        ready.flush()
        await stopped.wait()
    finally:
        await emulator.stop()


async def _start(directory: Path, port: int, loop: asyncio.AbstractEventLoop, aws: str = "") -> Emulator:
    kept, federation = files.load(directory), files.federation(directory)
    server_of_aws = _aws_server(aws or os.environ.get(AWS_VARIABLE, "")) or federation.aws
    state = server.new_state(kept, federation, server_of_aws, directory / files.TOKENS, directory / files.GRANTS)
    runner = web.AppRunner(server.application(state), access_log=None, shutdown_timeout=_GRACE)
    await runner.setup()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        await runner.cleanup()
        raise UsageError(
            f"port {port} of 127.0.0.1 cannot be used",
            why=error.strerror or str(error),
            fix="name another one, or --port 0 for any that is free",
        ) from None
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    state.tls = listen.context(state.world.shelf, _client_authorities(state))
    accepting = listen.Listener(runner, listener, state.tls)
    await accepting.start()
    try:
        env = files.write(directory, state.world, url)
    except BaseException:
        await accepting.stop()
        await runner.cleanup()
        raise
    renewal = loop.create_task(_renew(directory, state))
    return Emulator(url, directory, env, state, loop, runner, accepting, renewal)


def _aws_server(url: str) -> str:
    try:
        return account.check_url(url) if url else ""
    except ValueError as error:
        fix = f"export {AWS_VARIABLE}=http://127.0.0.1:PORT, where moto_server listens"
        raise UsageError(f"{AWS_VARIABLE} cannot be used", why=str(error), fix=fix) from None


def _client_authorities(state: State) -> list[str]:
    """Every authority whose certificates TLS lets in; whether a provider trusts one is asked later."""
    shelf, pems = state.world.shelf, []
    for provider in state.world.federation.providers.values():
        if provider.kind == "x509":
            for some in x509.anchors(state.world, provider):
                pems += some
    return [shelf.workloads.certificate, shelf.intermediate.certificate, shelf.strangers.certificate, *pems]


async def _renew(directory: Path, state: State) -> None:
    """Write the subject tokens anew long before they expire."""
    while True:
        await asyncio.sleep(_RENEWAL)
        with contextlib.suppress(OSError):
            files.write_subjects(directory, state.world)
