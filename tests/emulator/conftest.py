"""The fixtures of the emulator's tests: one server for the session, reset for every test."""

from collections.abc import Iterator

import pytest

from gbearer import emulator


@pytest.fixture(scope="session")
def emulator_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulator.Emulator]:
    """The server that all of these tests share."""
    with emulator.running(dir=tmp_path_factory.mktemp("emulator") / "dir") as server:
        yield server


@pytest.fixture
def em(emulator_server: emulator.Emulator) -> emulator.Emulator:
    """The server with an empty log and no faults."""
    emulator_server.reset()
    return emulator_server
