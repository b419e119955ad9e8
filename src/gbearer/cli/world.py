"""What a command gets from outside: its arguments, environment and streams."""

import os
import sys

from gbearer.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO


class World:
    """Arguments, environment and streams of one run; those of the process where none are given."""

    __slots__ = ("argv", "began", "env", "stderr", "stdin", "stdout")

    def __init__(
        self,
        argv: list[str],
        *,
        stdin: "TextIO | None" = None,
        stdout: "TextIO | None" = None,
        stderr: "TextIO | None" = None,
        env: "Mapping[str, str] | None" = None,
        began: float | None = None,
    ) -> None:
        self.argv = argv
        self.began = began
        self.env = os.environ if env is None else env
        self.stdin = sys.stdin if stdin is None else stdin
        self.stdout = sys.stdout if stdout is None else stdout
        self.stderr = sys.stderr if stderr is None else stderr

    def write(self, text: str) -> None:
        """Write the answer and flush it; Error when stdout cannot take it, BrokenPipeError when nobody reads on."""
        if self.stdout is None:
            raise _unwritable("it is closed")
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except OSError as error:
            raise self._failed(error) from None

    def write_bytes(self, data: bytes) -> None:
        """The same for bytes."""
        if self.stdout is None:
            raise _unwritable("it is closed")
        try:
            self.stdout.buffer.write(data)
            self.stdout.buffer.flush()
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> Exception:
        self._drop_stdout()
        return error if isinstance(error, BrokenPipeError) else _unwritable(error.strerror or str(error))

    def _drop_stdout(self) -> None:
        """Send what is still buffered nowhere, so that the interpreter does not fail on it again at its end."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stdout.fileno())
            os.close(nowhere)
        except (OSError, AttributeError, ValueError):
            pass


def _unwritable(why: str) -> Error:
    return Error("the answer cannot be written to stdout", why=why, fix="check where the output goes")
