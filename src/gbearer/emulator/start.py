"""Running the emulator: embedded in a thread for tests and `gbearer demo`, or as a process of its own."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from aiohttp import web

from gbearer.emulator import control, faults, files, server
from gbearer.emulator.state import State
from gbearer.errors import UsageError

_GRACE = 0.5  # seconds that open requests get when the emulator stops
Result = TypeVar("Result")


@dataclass
class Emulator:
    """A running emulator: where it is, what it wrote, and what a test asks of it.

    `url` is `http://127.0.0.1:PORT`, `host` is `127.0.0.1:PORT`, `env` the variables that point clients at it.
    """

    url: str
    dir: Path
    env: dict[str, str]
    _state: State = field(repr=False)
    _loop: asyncio.AbstractEventLoop = field(repr=False)
    _runner: web.AppRunner = field(repr=False)

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`, the value of GBEARER_EMULATOR_HOST."""
        return self.url.removeprefix("http://")

    @property
    def key_file(self) -> Path:
        """The service account key."""
        return self.dir / files.KEY

    @property
    def user_file(self) -> Path:
        """The user's credentials."""
        return self.dir / files.USER

    @property
    def impersonated_file(self) -> Path:
        """The user's credentials acting as a service account."""
        return self.dir / files.IMPERSONATED

    def log(self) -> list[dict[str, Any]]:
        """The requests served so far, in order of arrival."""
        return self._state.log.as_json()

    def reset(self) -> None:
        """Empty the log and the faults, set the clock right; tokens stay good."""

        async def work() -> None:
            self._state.reset()

        self._ask(work())

    def fault(self, *wanted: Mapping[str, Any]) -> None:
        """Plan what goes wrong next, as `POST /_emulator/faults` does; ValueError if it is not understood."""
        planned, skew = faults.parse([dict(one) for one in wanted])

        async def work() -> None:
            control.plan(self._state, planned, skew)

        self._ask(work())

    async def stop(self) -> None:
        """Let open requests go and close the server; for whoever runs its event loop."""
        self._state.faults.clear()
        await self._runner.cleanup()

    def _ask(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


@contextlib.contextmanager
def running(dir: str | Path | None = None, port: int = 0) -> Iterator[Emulator]:  # noqa: A002
    """An emulator in a background thread, stopped at the end of the `with` block.

    `dir` gets the credential files (a temporary one, removed at the end, if None); `port` 0 picks a free one.
    UsageError if the port is taken; BadCredentials if `dir` holds files of somebody else.
    """
    directory = Path(dir) if dir is not None else Path(tempfile.mkdtemp(prefix="gbearer-emulator-"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="gbearer-emulator", daemon=True)
    thread.start()
    try:
        started = asyncio.run_coroutine_threadsafe(_start(directory.absolute(), port, loop), loop)
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


async def _start(directory: Path, port: int, loop: asyncio.AbstractEventLoop) -> Emulator:
    state = server.new_state(files.load(directory))
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
    await web.SockSite(runner, listener, backlog=2048).start()
    try:
        env = files.write(directory, state.world, url)
    except BaseException:
        await runner.cleanup()
        raise
    return Emulator(url, directory, env, state, loop, runner)
