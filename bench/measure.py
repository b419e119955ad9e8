"""What every measurement shares: a clean environment, one timed process, and pairs measured in turns."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent
HERE = Path(__file__).parent
PYTHON = str(BIN / "python")
GBEARER = str(BIN / "gbearer")

Run = Callable[[], float]


class Ratio(NamedTuple):
    """One row of the table: two medians in seconds and the median of the ratios of the pairs."""

    ours: str
    other: str
    ours_s: float
    other_s: float
    ratio: float
    pairs: int


def environment(home: Path, **more: str) -> dict[str, str]:
    """Make the environment of a measured process: nothing of this machine but PATH, so that every run is alike.

    Left out on purpose: PYTHONDONTWRITEBYTECODE (compiled files are part of an installed program), CA bundles
    (loading one costs 30 ms and more), proxies, and every variable that names other credentials.
    """
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8", **more}


def once(argv: list[str], env: dict[str, str], cwd: Path | None = None) -> str:
    """Run a program untimed and give its stdout; stop the benchmark if it fails."""
    done = subprocess.run(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(argv)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout.strip()


def start(argv: list[str], env: dict[str, str], out: Path | None = None) -> int:
    """Start a program with its output thrown away, or written to `out`; give its process id."""
    path = str(out) if out else os.devnull
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    return os.posix_spawn(argv[0], argv, env, file_actions=actions)


def ended_well(pid: int, argv: list[str], env: dict[str, str]) -> None:
    """Wait for a started program; if it failed, run it again to show why, and stop."""
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status):
        once(argv, env)
        raise SystemExit(f"error: {' '.join(argv)} failed once, then did not")


def process(argv: list[str], env: dict[str, str] | Callable[[], dict[str, str]]) -> Run:
    """Make a run that starts the program and waits for it; `env` may be made anew, untimed, for each run."""

    def run() -> float:
        variables = env() if callable(env) else env
        begun = time.perf_counter()
        pid = start(argv, variables)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        took = time.perf_counter() - begun
        ended_well(pid, argv, variables)
        return took

    return run


def pairs(ours: str, our_run: Run, other: str, other_run: Run, count: int) -> Ratio:
    """Measure two runs in turns, `count` times, each beginning every other time; two pairs before that do not count."""
    mine: list[float] = []
    theirs: list[float] = []
    for turn in range(count + 2):
        if turn % 2:
            a, b = our_run(), other_run()
        else:
            b, a = other_run(), our_run()
        mine.append(a)
        theirs.append(b)
    mine, theirs = mine[2:], theirs[2:]
    ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
    return Ratio(ours, other, statistics.median(mine), statistics.median(theirs), ratio, count)


def seconds(value: float) -> str:
    """Write a time with the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 * size else f"{value / size:.0f} {unit}"
    return f"{value * 1e9:.0f} ns"


def table(rows: list[Ratio]) -> str:
    """Lay rows out in columns."""
    cells = [("", "against", "median", "median", "ratio", "pairs")]
    cells += [(r.ours, r.other, seconds(r.ours_s), seconds(r.other_s), f"{r.ratio:.3g} x", str(r.pairs)) for r in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    lines = []
    for row in cells:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(left + right).rstrip())
    return "\n".join(lines)
