"""How often AWS and Google are asked: as often as must be, once for many processes, and not at all when it is warm."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aws_servers.scenes import scene
from sources.aws.hands import AUDIENCE, PROVIDER, TARGET, Place

GBEARER = str(Path(sys.executable).parent / "gbearer")
COSTS = {
    "environment keys": ([], 0),
    "EKS, IRSA web identity": (["AssumeRoleWithWebIdentity"], 0),
    "EKS Pod Identity": ([], 0),
    "profile that assumes a role": (["AssumeRole"], 0),
    "SSO": ([], 0),
    "EC2 instance role, IMDSv2": ([], 4),
}
"""Of each scene: what AWS STS is asked, and how many requests the instance's metadata service gets."""


@pytest.mark.parametrize("name", COSTS)
def test_a_cold_token_with_impersonation_makes_exactly_the_calls_that_it_must(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        place.answer(here.env, impersonate=(TARGET,), kind="id", audience=AUDIENCE)
        assert (place.sts.actions(), len(here.node.requests)) == COSTS[name]
        assert paths(place) == ["/v1/token", "generateIdToken"]
        place.answer(here.env, impersonate=(TARGET,), kind="id", audience=f"{AUDIENCE}/second")
        assert paths(place) == ["/v1/token", "generateIdToken", "generateIdToken"]
        assert (place.sts.actions(), len(here.node.requests)) == COSTS[name]
        assert here.endpoint is None or len(here.endpoint.requests) == 1
        assert here.portal is None or len(here.portal.requests) == 1


def paths(place: Place) -> list[str]:
    return [str(entry["path"]).rpartition(":")[2] for entry in place.em.log()]


def command(*more: str) -> list[str]:
    return [GBEARER, "token", "--source", "aws", "--provider", PROVIDER, "--impersonate", TARGET, *more]


def test_fifty_processes_at_once_make_them_once(place: Place) -> None:
    with scene("EKS, IRSA web identity", place.sts, place.home) as here:
        env = environment(place) | here.env
        started = [subprocess.Popen(command(), env=env, stdout=subprocess.PIPE) for _ in range(50)]
        printed = {process.communicate(timeout=120)[0] for process in started}
        assert [process.returncode for process in started] == [0] * 50
        assert len(printed) == 1
        assert place.sts.actions() == ["AssumeRoleWithWebIdentity"]
        assert paths(place) == ["/v1/token", "generateAccessToken"]


def environment(place: Place) -> dict[str, str]:
    """For a real process: the guard that counts its traffic is on its path."""
    kept = ("PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")
    return place.env | {name: os.environ[name] for name in kept if name in os.environ}


WARM = [
    "environment keys", "Lambda", "EKS, IRSA web identity", "EKS Pod Identity", "shared credentials file",
    "profile that assumes a role", "SSO",
]  # fmt: skip


@pytest.mark.parametrize("name", WARM)
def test_a_warm_token_on_aws_is_answered_without_a_library_being_loaded(
    place: Place, name: str, settled: Callable[..., None]
) -> None:
    """`-X importtime` lists what was imported: as little as for a token of any other credential."""
    with scene(name, place.sts, place.home) as here:
        env = environment(place) | here.env
        settled(*([each for each in place.home.rglob("*") if each.is_file()] or [place.home]))
        first = subprocess.run(command(), env=env, capture_output=True, check=True).stdout
        run = [sys.executable, "-X", "importtime", "-m", "gbearer", *command()[1:]]
        subprocess.run(run, env=env, capture_output=True, check=True)
        before = (len(place.em.log()), len(place.sts.requests), len(here.node.requests))
        warm = subprocess.run(run, env=env, capture_output=True, check=True)
        assert warm.stdout == first
        loaded = {line.rpartition("|")[2].strip() for line in warm.stderr.decode().splitlines()}
        assert not loaded & {"argparse", "json", "re", "configparser", "google", "urllib3", "botocore", "gbearer.cli"}
        assert (len(place.em.log()), len(place.sts.requests), len(here.node.requests)) == before


def test_a_pod_whose_token_file_was_renewed_is_not_answered_from_before(
    place: Place, settled: Callable[..., None]
) -> None:
    with scene("EKS, IRSA web identity", place.sts, place.home) as here:
        env = environment(place) | here.env
        path = place.home / "token"
        settled(path)
        for _ in range(2):
            subprocess.run(command(), env=env, capture_output=True, check=True)
        path.write_text(place.sts.cluster.token("system:serviceaccount:shop:other", "sts.amazonaws.com"))
        time.sleep(0.05)
        subprocess.run(command(), env=env, capture_output=True, check=True)
        assert place.sts.actions() == ["AssumeRoleWithWebIdentity"] * 2


def test_an_instance_s_token_is_kept_on_disk_and_not_on_the_warm_path(place: Place) -> None:
    """Neither files nor variables say which machine this is: the boot and the network do, and they are asked for."""
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        answer = place.answer(here.env)
        assert not answer.look.remember
        assert place.answer(here.env).how == "disk"
        assert len(here.node.requests) == 4
