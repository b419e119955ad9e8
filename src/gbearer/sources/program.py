"""Run a program that a credential names: no shell, no stdin, its own streams, and an end to its time and its output."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import IO

LARGEST = 1 << 20
"""Bytes of each stream that are kept; a program that writes more is ended."""
_GRACE = 0.5
"""Seconds in which what a program has written is read to its end; a child that it leaves behind may keep it open."""


class Ended:
    """How a program ended.

    status  its exit status, negative for a signal, None when it was ended because its time was up
    out     what it wrote to stdout
    err     what it wrote to stderr
    large   whether it was ended because it wrote too much
    """

    __slots__ = ("err", "large", "out", "status")

    def __init__(self, status: int | None, out: bytes, err: bytes, large: bool) -> None:
        self.status = status
        self.out = out
        self.err = err
        self.large = large


def run(argv: "Sequence[str]", env: "Mapping[str, str]", seconds: float) -> Ended:
    """Run `argv` with exactly the environment `env` for `seconds` at most; OSError where it cannot be started.

    Its stdin is empty: a program that asks for something finds nobody. When its time is up it is ended together with
    its children; those of one that ends by itself are left alone, as it may have started an agent.
    """
    import subprocess
    import threading

    process = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        start_new_session=True,
    )
    kept: dict[str, bytes] = {"out": b"", "err": b""}
    large = threading.Event()

    def read(name: str, stream: "IO[bytes] | None") -> None:
        while stream is not None and (chunk := os.read(stream.fileno(), 1 << 16)):
            kept[name] += chunk
            if len(kept[name]) > LARGEST:
                large.set()
                _end(process.pid)
                return

    readers = [
        threading.Thread(target=read, args=pair, daemon=True)
        for pair in (("out", process.stdout), ("err", process.stderr))
    ]
    for reader in readers:
        reader.start()
    try:
        status: int | None = process.wait(seconds)
    except subprocess.TimeoutExpired:
        status = None
        _end(process.pid)
        process.wait()
    except BaseException:
        _end(process.pid)
        process.wait()
        raise
    for reader in readers:
        reader.join(_GRACE)
    for reader, stream in zip(readers, (process.stdout, process.stderr), strict=True):
        if stream is not None and not reader.is_alive():
            stream.close()
    return Ended(status, kept["out"][:LARGEST], kept["err"][:LARGEST], large.is_set())


def _end(pid: int) -> None:
    """End the whole group of a process that leads its own; where there are no groups, the process."""
    import signal

    try:
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)
    except (OSError, PermissionError):
        pass  # it has gone already
