"""What the cache tests share: a clock that is set by hand, tokens, keys, and a look at the folder."""

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

from gbearer.cache import Cache, open_cache
from gbearer.model import Token

NOW = 1_800_000_000.0
KEY, OTHER = "a1" * 32, "b2" * 32


class Clock:
    """Unix time, as the test has it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def token(value: str = "ya29.first", ends: float = NOW + 3600, *, issued: float = NOW) -> Token:
    scopes = ("https://www.googleapis.com/auth/a", "openid")
    return Token(value, "access", ends, "robot@p.iam", "file key.json", issued_at=issued, scopes=scopes)


def opened(folder: Path, clock: Clock | None = None, *, create: bool = True) -> Cache:
    return open_cache({"GBEARER_CACHE": str(folder)}, clock or Clock(), create=create)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def child(code: str, *args: object) -> "subprocess.Popen[str]":
    """Another Python process that runs `code`; its first argument is sys.argv[1]."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy())


def ended(process: "subprocess.Popen[str]") -> str:
    """What the process printed; it must have ended well."""
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out
