"""What the tests of the command line share: commands run in this process and as real ones, on the emulator."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from gbearer import cli
from gbearer.emulator import Emulator

GBEARER = str(Path(sys.executable).parent / "gbearer")


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def em(gbearer_emulator: Emulator) -> Emulator:
    """The emulator, its log empty."""
    return gbearer_emulator


@pytest.fixture
def env(em: Emulator, own_environment: Path) -> dict[str, str]:
    """A whole environment: this home, this emulator, its service account key."""
    kept = ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "GBEARER_EMULATOR_HOST": em.host,
        "GOOGLE_APPLICATION_CREDENTIALS": str(em.key_file),
        "GBEARER_CACHE": str(own_environment / "cache"),
    }


@pytest.fixture
def run(env: dict[str, str], capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process; `stdin` is bytes, `more` are further variables."""

    def main(*argv: str, stdin: bytes = b"", **more: str) -> Ended:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        given = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        capfd.readouterr()
        code = cli.main(list(argv), stdin=given, stdout=out, stderr=err, env=env | more)
        for stream in (out, err):
            stream.flush()
        logged = capfd.readouterr()
        assert logged.out == ""
        said = err.buffer.getvalue().decode()
        return Ended(code, out.buffer.getvalue().decode(), said + logged.err)

    return main


@pytest.fixture
def spawn(env: dict[str, str]) -> Run:
    """Run the installed `gbearer` as a process of its own."""

    def process(*argv: str, stdin: bytes = b"", **more: str) -> Ended:
        done = subprocess.run(
            [GBEARER, *argv], input=stdin, env=env | more, capture_output=True, timeout=60, check=False
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    return process
