"""The table of AWS sources in the documents is what a run of all of them gives, here and now."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/aws.md").read_text()
YES = re.compile(r"^\| [^|]+ \| [^|]+ \| yes \| yes \| yes \| `arn:aws:[^`]+` \|$", re.MULTILINE)


@pytest.mark.slow
def test_a_fresh_run_gives_the_table_that_is_committed() -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC")}
    command = [sys.executable, str(ROOT / "tools/aws_table.py"), "--check"]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"type `make aws-table` if this is meant:\n{done.stdout}{done.stderr}"


def test_every_source_gives_every_kind_of_token() -> None:
    from aws_servers.scenes import SCENES

    ours = PAGE.partition("By google-auth ")[0]
    assert len(YES.findall(ours)) == len(SCENES) + 1  # and the second road
    assert "no (" not in ours


def test_what_google_auth_alone_does_on_ecs_and_eks_is_told() -> None:
    alone = PAGE.partition("By google-auth ")[2]
    for name in ("EKS, IRSA web identity", "ECS and Fargate task role", "EKS Pod Identity"):
        assert f"| {name} | **as the node** | **as the node** | no (" in alone
