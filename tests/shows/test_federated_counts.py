"""How often AWS, Google's STS and IAM Credentials are asked, by their own logs; what a warm token costs on AWS."""

import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from aws_servers import Sts
from aws_servers.scenes import Scene, scene
from gbearer.emulator import Emulator
from shows.conftest import GBEARER
from shows.test_right_at_once import modules

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
PROVIDER = f"{POOL}/providers/aws"
TARGET = "target@emulator-project.iam.gserviceaccount.com"
NO_FILE = ("--source", "aws", "--provider", PROVIDER, "--impersonate", TARGET)
COLD = {
    "environment keys": {},
    "EKS, IRSA web identity": {"AWS STS AssumeRoleWithWebIdentity": 1},
    "EKS Pod Identity": {"container GET /v1/credentials": 1},
    "profile that assumes a role": {"AWS STS AssumeRole": 1},
    "role above the container's": {"container GET /v1/credentials": 1, "AWS STS AssumeRole": 1},
    "SSO": {"SSO portal GET /federation/credentials": 1},
    "EC2 instance role, IMDSv2": {
        "IMDS PUT /latest/api/token": 1,
        "IMDS GET /latest/meta-data/iam/security-credentials/": 1,
        "IMDS GET /latest/meta-data/iam/security-credentials/node": 1,
        "IMDS GET /latest/meta-data/placement/region": 1,
    },
}
"""What AWS is asked for the first token, and nothing for any other; Google is asked for one exchange in every case."""
EXCHANGE = {"Google POST /v1/token": 1}


def asked(google: Emulator, aws: Sts, here: Scene) -> Counter[str]:
    """Every request that any server of this test got."""
    found = Counter(f"AWS STS {action}" for action in aws.actions())
    found += Counter(f"IMDS {path}" for path in here.node.paths())
    if here.endpoint is not None:
        found += Counter(f"container {path}" for path in here.endpoint.paths())
    if here.portal is not None:
        found += Counter(f"SSO portal {each.method} {each.path}" for each in here.portal.requests)
    return found + Counter(f"Google {each['method']} {each['path'].rpartition(':')[2]}" for each in google.log())


def ask(env: dict[str, str], *args: str) -> str:
    done = subprocess.run(
        [GBEARER, *args], env=env, text=True, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", COLD)
def test_cold_exactly_the_calls_that_it_must_and_one_more_for_each_further_token(
    on_aws: dict[str, str], google: Emulator, aws: Sts, own_environment: Path, name: str
) -> None:
    with scene(name, aws, own_environment) as here:
        env = on_aws | here.env
        wanted = Counter(COLD[name]) + Counter(EXCHANGE) + Counter({"Google POST generateIdToken": 1})
        ask(env, "id-token", "--audience", "https://a.run.app", *NO_FILE)
        assert asked(google, aws, here) == wanted
        ask(env, "id-token", "--audience", "https://b.run.app", *NO_FILE)
        wanted["Google POST generateIdToken"] += 1
        assert asked(google, aws, here) == wanted
        ask(env, "token", *NO_FILE)
        wanted["Google POST generateAccessToken"] += 1
        assert asked(google, aws, here) == wanted
        ask(env, "token", "--source", "aws", "--provider", PROVIDER)  # the federated token itself: it is there
        assert asked(google, aws, here) == wanted


@pytest.mark.slow
def test_fifty_processes_at_once_make_them_once(
    on_aws: dict[str, str], google: Emulator, aws: Sts, own_environment: Path
) -> None:
    """By the file that gcloud wrote; all of them begin with nothing cached."""
    file = str(google.dir / "external-aws-impersonated.json")
    command = [GBEARER, "id-token", "--audience", "https://a.run.app", "--credentials", file]
    with scene("role above the container's", aws, own_environment) as here, ExitStack() as stack:
        env = on_aws | here.env
        pipe = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": env}
        started = [stack.enter_context(subprocess.Popen(command, **pipe)) for _ in range(50)]  # type: ignore[call-overload]
        ended = [process.communicate(timeout=120) for process in started]
        assert [process.returncode for process in started] == [0] * 50, ended[0][1]
        assert len({out for out, _ in ended}) == 1
        wanted = Counter(COLD["role above the container's"]) + Counter(EXCHANGE)
        assert asked(google, aws, here) == wanted + Counter({"Google POST generateIdToken": 1})


@pytest.mark.parametrize(
    "name", ["environment keys", "Lambda", "EKS, IRSA web identity", "profile that assumes a role", "SSO"]
)
def test_a_warm_token_on_aws_costs_what_a_warm_token_costs_anywhere(
    on_aws: dict[str, str], google: Emulator, aws: Sts, own_environment: Path, name: str, settled: Callable[..., None]
) -> None:
    """The same modules as for a key, and nobody is asked anything."""
    file = str(google.dir / "external-aws-impersonated.json")
    key = ("token", "--credentials", str(google.key_file))
    with scene(name, aws, own_environment) as here:
        env = on_aws | here.env
        settled(own_environment, *[path for path in own_environment.rglob("*") if path.is_file()], Path(file))
        ask(env, *key)
        anywhere = modules(env, *key)
        for args in (("token", *NO_FILE), ("header", "--credentials", file), ("token", "--credentials", file)):
            first = ask(env, *args)
            before = asked(google, aws, here)
            assert modules(env, *args) == anywhere
            assert ask(env, *args) == first
            assert asked(google, aws, here) == before
    assert "gbearer.cli" not in anywhere
