"""The pytest plugin: the fixture `gbearer_emulator`, one emulator a session, reset for every test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gbearer.emulator.handle import Emulator


@pytest.fixture(scope="session")
def gbearer_emulator_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Emulator]":
    """The emulator that serves the whole session; tests want `gbearer_emulator`."""
    from gbearer import emulator

    with emulator.running(dir=tmp_path_factory.mktemp("emulator")) as server:
        yield server


@pytest.fixture
def gbearer_emulator(gbearer_emulator_server: "Emulator") -> "Emulator":
    """A local Google with an empty log and no faults; `.env` points clients at it, `.url` is its address."""
    gbearer_emulator_server.reset()
    return gbearer_emulator_server
