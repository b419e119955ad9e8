"""The fixtures of the tests with real clients: an AWS account, a Google that asks it, an environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_servers import REGION, Account, account
from clients.hands import inherited
from gbearer import emulator
from gbearer.emulator import Emulator


@pytest.fixture(scope="session")
def aws_account() -> Iterator[Account]:
    """The AWS account; moto plays it."""
    with account() as made:
        yield made


@pytest.fixture(scope="session")
def google(aws_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that asks this account who signed."""
    with emulator.running(dir=tmp_path_factory.mktemp("clients") / "google", aws=aws_account.url) as running:
        yield running


@pytest.fixture
def em(google: Emulator) -> Emulator:
    """The emulator with an empty log and no faults."""
    google.reset()
    return google


@pytest.fixture
def aws_env(aws_account: Account) -> dict[str, str]:
    """What Lambda gives a function: keys of its role, and the region."""
    return {**aws_account.role("workload", "session").variables(), "AWS_REGION": REGION}


@pytest.fixture
def env(em: Emulator, own_environment: Path) -> dict[str, str]:
    """A whole environment for gbearer: this home, this emulator, an empty cache, programs allowed."""
    return inherited() | {
        "GBEARER_EMULATOR_HOST": em.host,
        "GBEARER_CACHE": str(own_environment / "cache"),
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1",
    }
