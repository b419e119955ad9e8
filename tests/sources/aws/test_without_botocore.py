"""Without botocore, environment and instance still work, and anything else says which extra to install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aws_servers.scenes import SCENES, scene
from sources.aws.hands import PROVIDER, TARGET, Place

OWN = ("environment keys", "Lambda", "EC2 instance role, IMDSv2")
FENCE = """
import sys


class Fence:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("botocore", "boto3", "jmespath"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Fence())
from gbearer.__main__ import run

sys.argv[0] = "gbearer"
run()
"""


def without(place: Place, env: dict[str, str], *argv: str) -> "subprocess.CompletedProcess[str]":
    """A real process in which botocore cannot be found."""
    script = Path(place.home) / "without.py"
    script.write_text(FENCE)
    kept = ("PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
    whole = place.env | {name: os.environ[name] for name in kept if name in os.environ} | env
    command = [sys.executable, str(script), *argv, "--source", "aws", "--provider", PROVIDER]
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", OWN)
def test_environment_and_instance_work(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        ended = without(place, here.env, "token", "--impersonate", TARGET)
        assert ended.returncode == 0, ended.stderr
        assert place.caller().startswith(here.arn)


@pytest.mark.parametrize("name", [name for name in SCENES if name not in OWN])
def test_any_other_source_names_the_extra(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        ended = without(place, here.env | {"AWS_REGION": "us-east-2"}, "token")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "pip install 'gbearer[aws]'" in ended.stderr
    assert "botocore" in ended.stderr
    assert place.em.log() == []
    assert here.node.requests == []


def test_the_check_of_the_role_needs_no_botocore_either(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        ended = without(place, here.env, "token", "--expect-role", "arn:aws:iam::123456789012:role/other")
        assert ended.returncode == 5
        assert "nothing was exchanged" in ended.stderr
