"""What the broker's tests share: the emulator, an environment as a mapping, and a clock that can be moved."""

import time
from pathlib import Path

import pytest

from gbearer.broker import Broker
from gbearer.emulator import Emulator


class Clock:
    """The real time plus an offset that the test moves, in seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    """A clock that runs like the real one until it is moved."""
    return Clock()


@pytest.fixture
def env(gbearer_emulator: Emulator, own_environment: Path) -> dict[str, str]:
    """An environment with the emulator's key."""
    return {
        "HOME": str(own_environment),
        "NO_GCE_CHECK": "true",
        "GBEARER_EMULATOR_HOST": gbearer_emulator.host,
        "GOOGLE_APPLICATION_CREDENTIALS": str(gbearer_emulator.key_file),
    }


@pytest.fixture
def broker(env: dict[str, str], clock: Clock) -> Broker:
    """A broker as a process that has just started has it."""
    return Broker(env, clock)


def made(em: Emulator, path: str = "/token") -> int:
    """How many tokens were asked for at `path`."""
    return sum(1 for line in em.log() if line["path"] == path or (path[0] == ":" and line["path"].endswith(path)))
