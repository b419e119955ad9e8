"""A program with an AWS identity of its own is never the node it runs on; machines that share a home share no token.

With the installed command and real processes, but for another boot of the machine, which no process can choose.
"""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from aws_servers import Sts
from aws_servers.container import POD_PATH, container
from aws_servers.http import serve
from aws_servers.imds import imds
from aws_servers.scenes import ASSUMED, ROLES, scene
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.model import Ask
from gbearer.sources import Look
from shows.conftest import GBEARER, Run

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
NO_FILE = ("--source", "aws", "--provider", f"{POOL}/providers/aws")
TARGET = "target@emulator-project.iam.gserviceaccount.com"
OWN = ["EKS, IRSA web identity", "EKS Pod Identity", "CloudShell, Greengrass"]


@pytest.fixture
def run(on_aws: dict[str, str]) -> Run:
    """Run `gbearer` with a scene's variables; the cache and the home are the same for every call."""

    def gbearer(env: Mapping[str, str], *args: str, inside: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*inside, GBEARER, *args], env=on_aws | dict(env), text=True, capture_output=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    return gbearer


def callers(google: Emulator) -> list[str]:
    """The ARN in each exchange."""
    return [str(entry["principal"]).partition("/subject/")[2] for entry in google.log() if entry["path"] == "/v1/token"]


@pytest.mark.parametrize("name", OWN)
def test_the_pod_s_or_task_s_identity_always(
    run: Run, google: Emulator, aws: Sts, own_environment: Path, name: str
) -> None:
    """By the file and without one, for every kind of token, with a node whose role could act as anybody."""
    with scene(name, aws, own_environment) as here:
        file = ("--credentials", str(google.dir / "external-aws-impersonated.json"))
        for args in (
            ("token", *NO_FILE),
            ("token", *file),
            ("id-token", "--audience", "https://x.run.app", *file),
            ("header", *NO_FILE, "--impersonate", TARGET, "--refresh"),
        ):
            done = run(here.env, *args)
            assert done.returncode == 0, done.stderr
        assert here.arn in run(here.env, "whoami", *NO_FILE).stdout
        assert set(callers(google)) == {here.arn}
        assert here.node.requests == []


BROKEN = {
    "refused": ("http://127.0.0.1:9", None),
    "400": (None, 400),
    "404": (None, 404),
    "500": (None, 500),
    "503": (None, 503),
    "hangs": (None, None),
}


@pytest.mark.parametrize("how", BROKEN)
def test_with_the_container_s_endpoint_down_an_error_and_never_the_node(
    run: Run, google: Emulator, aws: Sts, own_environment: Path, how: str
) -> None:
    url, status = BROKEN[how]
    with scene("EC2 instance role, IMDSv2", aws, own_environment) as here, serve() as silent:
        silent.handle = lambda _: None
        with container(aws.account.role("task")) as endpoint:
            endpoint.status = status or 0
            at = url or (endpoint.url if status else silent.url)
            env = here.env | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": at + POD_PATH, "AWS_REGION": "us-east-2"}
            begun = time.monotonic()
            done = run(env, "token", *NO_FILE, "--impersonate", TARGET)
            assert time.monotonic() - begun < 25
    assert done.returncode in (4, 7), done.stderr
    assert done.stdout == ""
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in done.stderr
    assert "role is not used in its place" in done.stderr
    assert here.node.requests == []
    assert google.log() == []


def test_with_the_pod_s_token_gone_an_error_and_never_the_node(
    run: Run, google: Emulator, aws: Sts, own_environment: Path
) -> None:
    with scene("EC2 instance role, IMDSv2", aws, own_environment) as here:
        gone = own_environment / "gone"
        done = run(
            here.env | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(gone), "AWS_ROLE_ARN": f"{ROLES}pod"}, "token", *NO_FILE
        )
        assert done.returncode == 4
        assert str(gone) in done.stderr
        assert here.node.requests == []
    assert google.log() == []


def test_a_token_of_the_node_in_the_cache_is_not_given_to_a_pod_whose_endpoint_is_down(
    run: Run, aws: Sts, own_environment: Path
) -> None:
    with scene("EC2 instance role, IMDSv2", aws, own_environment) as here:
        assert run(here.env, "token", *NO_FILE).returncode == 0
        pod = here.env | {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/v1/credentials",
            "AWS_REGION": "x-y-1",
        }
        done = run(pod, "token", *NO_FILE)
        assert done.returncode != 0
        assert done.stdout == ""


Machine = Callable[[str, Sts, Path, ExitStack], dict[str, str]]
"""The variables of a machine of that name; its servers are put on the stack."""


def _irsa(name: str, aws: Sts, home: Path, _: ExitStack) -> dict[str, str]:
    path = home / f"token-{name}"
    path.write_text(aws.cluster.token(f"system:serviceaccount:shop:{name}", "sts.amazonaws.com"))
    role = {"AWS_ROLE_ARN": f"{ROLES}{name}", "AWS_ROLE_SESSION_NAME": "cart", "AWS_REGION": "us-east-2"}
    return {"AWS_ENDPOINT_URL_STS": aws.url, "AWS_WEB_IDENTITY_TOKEN_FILE": str(path), **role}


def _one_token(name: str, aws: Sts, home: Path, _: ExitStack) -> dict[str, str]:
    """Both pods have one service account, so one token; only the role differs."""
    path = home / "one-token"
    if not path.exists():
        path.write_text(aws.cluster.token("system:serviceaccount:shop:both", "sts.amazonaws.com"))
    return _irsa(name, aws, home, _) | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path)}


def _container(name: str, aws: Sts, _: Path, stack: ExitStack) -> dict[str, str]:
    endpoint = stack.enter_context(container(aws.account.role(name, "cart")))
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url + POD_PATH, "AWS_REGION": "us-east-2"}


def _instance(name: str, aws: Sts, _: Path, stack: ExitStack) -> dict[str, str]:
    node = stack.enter_context(imds(aws.account.role(name, "cart"), name))
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": node.url}


def _keys(name: str, aws: Sts, _: Path, __: ExitStack) -> dict[str, str]:
    return aws.account.role(name, "cart").variables() | {"AWS_REGION": "us-east-2"}


def _profile(name: str, aws: Sts, home: Path, _: ExitStack) -> dict[str, str]:
    """One file for both, in the home that they share; only AWS_PROFILE differs."""
    keys = aws.account.role(name, "cart")
    path = home / ".aws" / "credentials"
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(
            f"[{name}]\naws_access_key_id={keys.access_key}\naws_secret_access_key={keys.secret_key}\n"
            f"aws_session_token={keys.token}\n"
        )
    return {"AWS_PROFILE": name, "AWS_REGION": "us-east-2"}


@pytest.mark.parametrize("machine", [_irsa, _one_token, _container, _instance, _keys, _profile])
def test_two_machines_with_one_home_and_different_roles_never_share_a_token(
    run: Run, google: Emulator, aws: Sts, own_environment: Path, machine: Machine
) -> None:
    """Each asks twice, in turns, so that whatever the other left in the cache is there to be found."""
    with ExitStack() as stack:
        names = ("first", "second")
        machines = {name: machine(name, aws, own_environment, stack) for name in names}
        printed: dict[str, set[str]] = {name: set() for name in names}
        for name in names * 3:
            done = run(machines[name], "token", *NO_FILE, "--format", "json")
            assert done.returncode == 0, done.stderr
            printed[name].add(json.loads(done.stdout)["access_token"])
    assert not printed["first"] & printed["second"]
    assert [len(tokens) for tokens in printed.values()] == [1, 1]  # and each was kept
    assert sorted(callers(google)) == [f"{ASSUMED}first/cart", f"{ASSUMED}second/cart"]


def test_another_machine_that_has_this_one_s_address_and_home_is_told_by_its_name(
    run: Run, google: Emulator, aws: Sts
) -> None:
    """Every instance sees its own metadata service at one address: here another role sits behind it meanwhile."""
    other = ("unshare", "--map-root-user", "--uts", "sh", "-c", 'hostname another; exec "$@"', "sh")
    if subprocess.run([*other, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare cannot give a process a host name of its own here")
    with imds(aws.account.role("first", "cart")) as node:
        env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": node.url}
        here = run(env, "token", *NO_FILE)
        node.keys = aws.account.role("second", "cart")
        there = run(env, "token", *NO_FILE, inside=other)
        assert here.returncode == there.returncode == 0, here.stderr + there.stderr
        assert here.stdout != there.stdout
        assert run(env, "token", *NO_FILE).stdout == here.stdout
    assert callers(google) == [f"{ASSUMED}first/cart", f"{ASSUMED}second/cart"]


def test_after_another_start_of_the_machine_its_role_is_looked_up_anew(
    on_aws: dict[str, str], google: Emulator, aws: Sts, tmp_path: Path
) -> None:
    def token(boot: str) -> str:
        kernel = tmp_path / boot / "proc/sys/kernel/random"
        kernel.mkdir(parents=True, exist_ok=True)
        (kernel / "boot_id").write_text(boot)
        look = Look(env, root=str(tmp_path / boot))
        return Broker(env).answer(Ask(source="aws", provider=NO_FILE[3]), look).token.value

    with imds(aws.account.role("first", "cart")) as node:
        env = on_aws | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": node.url}
        first = token("one")
        node.keys = aws.account.role("second", "cart")
        assert token("two") != first
        assert token("one") == first
    assert callers(google) == [f"{ASSUMED}first/cart", f"{ASSUMED}second/cart"]
