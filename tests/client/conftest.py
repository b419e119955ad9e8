"""What the tests of the client share: the emulator, and variables that point at it and at its key."""

import os
from pathlib import Path

import pytest

from gbearer import client
from gbearer.emulator import Emulator


@pytest.fixture
def em(gbearer_emulator: Emulator) -> Emulator:
    """The emulator, its log empty."""
    return gbearer_emulator


@pytest.fixture
def env(em: Emulator, own_environment: Path) -> dict[str, str]:
    """Variables for a client of its own: this home, this emulator, its service account key."""
    return {
        "HOME": os.environ["HOME"],
        "NO_GCE_CHECK": "true",
        "GBEARER_EMULATOR_HOST": em.host,
        "GOOGLE_APPLICATION_CREDENTIALS": str(em.key_file),
        "GBEARER_CACHE": str(own_environment / "cache"),
    }


@pytest.fixture
def default(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the functions of the package, which look at the environment of the process."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    client.reset()


def tokens_made(em: Emulator) -> int:
    """How many times the token endpoint was asked."""
    return sum(1 for line in em.log() if line["path"] == "/token")
