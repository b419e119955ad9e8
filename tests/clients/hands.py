"""What the tests of real clients do with their hands: run gcloud, run gbearer, ask a target who is calling."""

import io
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import urllib3

from gbearer import cli
from gbearer.emulator import Emulator

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
PRINCIPAL = f"principal://iam.googleapis.com/{POOL}/subject/"
TYPE = "urn:ietf:params:oauth:token-type:"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
TARGET, LONG, ROBOT, DEFAULT = (
    f"{name}@emulator-project.iam.gserviceaccount.com" for name in ("target", "long", "robot", "default")
)
GUARD = ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
"""What a child process is given of this one's environment: the guard that counts traffic, and where programs are."""
NOWHERE = "http://127.0.0.1:9"
"""A proxy that nobody plays: a client that wants to reach Google itself fails."""
_POOL = urllib3.PoolManager(retries=False, timeout=15)


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


def inherited() -> dict[str, str]:
    """The variables that every child gets."""
    return {name: os.environ[name] for name in GUARD if name in os.environ}


def gbearer(env: Mapping[str, str], *argv: str) -> Ended:
    """Run a command line of ours in this process."""
    given, out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3))
    code = cli.main(list(argv), stdin=given, stdout=out, stderr=err, env=env)
    texts = []
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode())
    return Ended(code, *texts)


def printed(env: Mapping[str, str], *argv: str) -> str:
    """What a command of ours prints, which must succeed and be silent on stderr."""
    done = gbearer(env, *argv)
    assert (done.code, done.err) == (0, ""), done
    return done.out.strip()


def gcloud(env: Mapping[str, str], config: Path, *argv: str) -> str:
    """Run gcloud, counted by the guard and with Google out of its reach, in the configuration folder `config`."""
    settings = {
        **inherited(),
        "CLOUDSDK_PYTHON_SITEPACKAGES": "1",  # so that its Python loads the guard
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1",
        **env,
        "CLOUDSDK_CONFIG": str(config),
    }
    done = subprocess.run(
        ["gcloud", *argv], env=settings, capture_output=True, text=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def caller(em: Emulator, token: str, path: str = "/v1/protected") -> dict[str, Any]:
    """Whom the target at `path` takes the bearer of `token` for; it must take the token."""
    answer = _POOL.request("GET", em.url + path, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 200, (answer.status, answer.data)
    told: dict[str, Any] = json.loads(answer.data)["caller"]
    return told


def asked(em: Emulator, path: str) -> list[dict[str, Any]]:
    """The log's lines for a path that ends so."""
    return [entry for entry in em.log() if str(entry["path"]).endswith(path)]
