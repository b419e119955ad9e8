"""What the tests of whole promises share: one emulator, the installed command, an environment for both."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aws_servers import Account, Sts, account, sts
from gbearer import emulator

GBEARER = str(Path(sys.executable).parent / "gbearer")
Run = Callable[..., subprocess.CompletedProcess[str]]


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


@pytest.fixture
def env(em: emulator.Emulator, own_environment: Path) -> dict[str, str]:
    """A whole environment for child processes: this home, this emulator, its key."""
    kept = ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "GBEARER_EMULATOR_HOST": em.host,
        "GOOGLE_APPLICATION_CREDENTIALS": str(em.key_file),
        "GBEARER_CACHE": str(own_environment / "cache"),
    }


@pytest.fixture
def run(env: dict[str, str]) -> Run:
    """Run the installed `gbearer` with arguments; `env` and `cwd` may be given."""

    def gbearer(*args: str, **more: object) -> subprocess.CompletedProcess[str]:
        options: dict[str, object] = {
            "env": env,
            "text": True,
            "capture_output": True,
            "timeout": 60,
        } | more
        if "stdin" not in options and "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        return subprocess.run([GBEARER, *args], check=False, **options)  # type: ignore[call-overload,no-any-return]

    return gbearer


def tokens_made(em: emulator.Emulator) -> int:
    """How many times the token endpoint was asked."""
    return sum(1 for line in em.log() if line["path"] == "/token")


@pytest.fixture(scope="session")
def amazon() -> Iterator[Account]:
    """The AWS account that these tests share."""
    with account() as made:
        yield made


@pytest.fixture(scope="session")
def google_server(amazon: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[emulator.Emulator]:
    """A Google that asks this account who signed."""
    with emulator.running(dir=tmp_path_factory.mktemp("google") / "dir", aws=amazon.url) as server:
        yield server


@pytest.fixture
def google(google_server: emulator.Emulator) -> emulator.Emulator:
    """That Google with an empty log and no faults."""
    google_server.reset()
    return google_server


@pytest.fixture
def aws(amazon: Account) -> Iterator[Sts]:
    """AWS STS in front of the account."""
    with sts(amazon) as made:
        yield made


@pytest.fixture
def on_aws(google: emulator.Emulator, own_environment: Path) -> dict[str, str]:
    """A whole environment for child processes beside which a scene's variables are put: this home, that Google."""
    kept = ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "GBEARER_EMULATOR_HOST": google.host,
        "GBEARER_CACHE": str(own_environment / "cache"),
    }
