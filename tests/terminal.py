"""A real terminal for a program: what is typed into it, and what comes out of it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class Terminal:
    """One program on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process = process
        self.fd = fd
        self.seen = b""
        """All that came out so far."""
        self._read = 0

    def type(self, text: str) -> None:
        """Type this, control characters included."""
        os.write(self.fd, text.encode())

    def until(self, pattern: str, timeout: float = 20.0) -> re.Match[str]:
        """Read on until this is there; what came before it is passed over. AssertionError with all that came."""
        ends = time.monotonic() + timeout
        while True:
            text = self.seen[self._read :].decode("utf-8", "replace")
            found = re.search(pattern, text, re.DOTALL)
            if found:
                self._read += len(text[: found.end()].encode())
                return found
            if time.monotonic() > ends or not self._more():
                raise AssertionError(f"no {pattern!r} in {text!r}; before that {self.seen[: self._read]!r}")

    def _more(self) -> bool:
        """Wait a little for more; False at the end."""
        if select.select([self.fd], [], [], 0.1)[0]:
            try:
                piece = os.read(self.fd, 1 << 16)
            except OSError:  # on Linux, the end
                return False
            self.seen += piece
            return bool(piece)
        return True

    def end(self, timeout: float = 20.0) -> int:
        """Read to the end of the program; its exit code."""
        ends = time.monotonic() + timeout
        while time.monotonic() < ends and self._more():
            if self.process.poll() is not None and not select.select([self.fd], [], [], 0)[0]:
                break
        return self.process.wait(max(0.1, ends - time.monotonic()))

    @property
    def text(self) -> str:
        """All that came out so far, as text."""
        return self.seen.decode("utf-8", "replace").replace("\r\n", "\n")


@contextmanager
def on_terminal(
    command: list[str], env: Mapping[str, str], cwd: Path | None = None, columns: int = 4000
) -> Iterator[Terminal]:
    """Run a program with a terminal as stdin, stdout and stderr; it is ended with the block."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=dict(env), cwd=cwd, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (one system call; it takes no lock)
    )  # fmt: skip
    os.close(its)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        os.close(ours)
