"""How errors look on stderr: what happened, why, and the next command to type."""

import sys

from gbearer import log
from gbearer.errors import Error
from gbearer.log import plain

__all__ = ["bug", "error", "note", "plain"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def error(problem: Error, to: "TextIO | None") -> None:
    """Write `problem` in the form that is the same for every command."""
    lines = [f"error: {plain(problem.message)}"]
    if problem.why:
        lines.append(f"  why: {_hanging(problem.why)}")
    if problem.fix:
        lines.append(f"  fix: {_hanging(problem.fix)}")
    _write("\n".join(lines) + "\n", to)


def bug(problem: Exception, to: "TextIO | None") -> None:
    """Write a fault of gbearer itself; with -v the traceback as well, redacted."""
    if log.level:
        import traceback

        _write(log.redact("".join(traceback.format_exception(problem))), to)
    what = f"{type(problem).__name__}: {log.redact(str(problem))}"[:500]
    fix = "report this with the traceback above" if log.level else "run it again with -v, and report what it prints"
    error(Error(f"gbearer has a bug: {what}", why="nothing that you typed should end like this", fix=fix), to)


def note(text: str, to: "TextIO | None") -> None:
    """Write something beside the answer."""
    _write(plain(text), to)


def _hanging(text: str) -> str:
    return plain(text).replace("\n", "\n       ")


def _write(text: str, to: "TextIO | None") -> None:
    to = to or sys.stderr
    if to is not None:
        try:
            to.write(text)
            to.flush()
        except OSError:
            pass  # stderr is gone: the exit code still tells
