"""The fixtures of AWS's tests: one account and one Google for the session, everything else new for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from aws_servers import Account, Sts, account, sts
from gbearer import emulator
from gbearer.emulator import Emulator
from sources.aws.hands import Place


@pytest.fixture(scope="session")
def aws_account() -> Iterator[Account]:
    """The AWS account; moto plays it."""
    with account() as made:
        yield made


@pytest.fixture(scope="session")
def google(aws_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that asks this account who signed."""
    with emulator.running(dir=tmp_path_factory.mktemp("google") / "dir", aws=aws_account.url) as running:
        yield running


@pytest.fixture
def em(google: Emulator) -> Emulator:
    """The emulator with an empty log and no faults."""
    google.reset()
    return google


@pytest.fixture
def aws(aws_account: Account) -> Iterator[Sts]:
    """AWS STS in front of the account."""
    with sts(aws_account) as made:
        yield made


@pytest.fixture
def place(em: Emulator, aws: Sts, own_environment: Path) -> Place:
    """Google, AWS and a home."""
    return Place(em, aws, own_environment)
