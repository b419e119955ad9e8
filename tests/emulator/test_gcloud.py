"""The real gcloud, where it is installed, pointed at the emulator: what it prints is accepted there."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.hands import ADA, DEFAULT, MIDDLE, ROBOT, TARGET, TARGET2, call, good
from gbearer.emulator import Emulator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed"),
]
Gcloud = Callable[..., str]


@pytest.fixture
def gcloud(em: Emulator, tmp_path: Path) -> Gcloud:
    """Runs gcloud with a configuration folder of its own; what it prints comes back."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME")},
        **em.env,
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing listens there: Google itself is out of reach
    }

    def run(*arguments: str, extra: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["gcloud", *arguments], env={**environment, **(extra or {})}, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def caller(em: Emulator, token: str, path: str = "/v1/protected") -> str:
    return str(good(call(em, "POST", path, token=token, body={}))["caller"]["email"])


def test_gcloud_activates_the_key_and_prints_tokens_that_are_accepted(em: Emulator, gcloud: Gcloud) -> None:
    gcloud("auth", "activate-service-account", f"--key-file={em.key_file}")
    assert gcloud("config", "get", "account") == ROBOT
    assert caller(em, gcloud("auth", "print-access-token")) == ROBOT
    audience = f"{em.url}/functions/get_range"
    assert (
        caller(em, gcloud("auth", "print-identity-token", f"--audiences={audience}"), "/functions/get_range") == ROBOT
    )

    acting = f"--impersonate-service-account={TARGET}"
    assert caller(em, gcloud("auth", "print-access-token", acting)) == TARGET
    identity = gcloud("auth", "print-identity-token", acting, f"--audiences={audience}", "--include-email")
    assert caller(em, identity, "/functions/get_range") == TARGET
    chain = f"--impersonate-service-account={MIDDLE},{TARGET2}"
    assert caller(em, gcloud("auth", "print-access-token", chain)) == TARGET2


def test_gcloud_refreshes_the_user(em: Emulator, gcloud: Gcloud) -> None:
    override = {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(em.user_file)}
    assert caller(em, gcloud("auth", "print-access-token", extra=override)) == ADA


def test_gcloud_takes_the_machines_account_from_the_metadata_server(em: Emulator, gcloud: Gcloud) -> None:
    ambient = {"CLOUDSDK_CORE_CHECK_GCE_METADATA": "true", "CLOUDSDK_CORE_ACCOUNT": DEFAULT}
    assert caller(em, gcloud("auth", "print-access-token", extra=ambient)) == DEFAULT
    audience = f"{em.url}/functions/f"
    arguments = ("auth", "print-identity-token", f"--audiences={audience}")
    assert caller(em, gcloud(*arguments, extra=ambient), "/functions/f") == DEFAULT
