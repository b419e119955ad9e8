"""Every place where a program on AWS finds its keys, set up on loopback: the variables, the files, and whose keys."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from aws_servers.account import ACCOUNT, REGION
from aws_servers.container import METADATA, PATH, POD_PATH, Container, container
from aws_servers.imds import Imds, imds
from aws_servers.sso import START, Portal, portal
from aws_servers.sts import Sts

ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
ASSUMED = f"arn:aws:sts::{ACCOUNT}:assumed-role/"
EXTERNAL_ID = "shared-secret-of-two-parties"


class Scene(NamedTuple):
    """A program's surroundings: its variables (without HOME), what its ARN begins with, and the servers beside it."""

    env: dict[str, str]
    arn: str
    node: Imds
    endpoint: Container | None = None
    portal: Portal | None = None


class Stage:
    """What a scene is built from: an STS, a home, and a metadata service that gives out the node's role."""

    def __init__(self, sts: Sts, home: Path, node: Imds, more: ExitStack) -> None:
        self.sts = sts
        self.home = home
        self.node = node
        self.more = more
        self.env = {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": node.url,
            "AWS_ENDPOINT_URL_STS": sts.url,
            "AWS_REGION": REGION,
        }

    def file(self, path: str, text: str) -> Path:
        """A file below the home."""
        full = self.home / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(textwrap.dedent(text).lstrip())
        return full

    def profile(self, settings: str, *, beside: str = "") -> None:
        """The profile `work`, and AWS_PROFILE that names it."""
        self.file(".aws/config", f"[profile work]\nregion = {REGION}\n{settings}\n{beside}")
        self.env["AWS_PROFILE"] = "work"

    def keys_file(self, name: str, role: str) -> str:
        """Keys of a role as the profile `name` of the credentials file; the ARN."""
        keys = self.sts.account.role(role)
        self.file(
            ".aws/credentials",
            f"[{name}]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
            f"aws_session_token = {keys.token}\n",
        )
        return keys.arn


def _environment(stage: Stage) -> Scene:
    keys = stage.sts.account.user("ada-environment")
    return Scene(stage.env | keys.variables(), keys.arn, stage.node)


def _function(stage: Stage) -> Scene:
    keys = stage.sts.account.role("function", "my-function")
    name = {"AWS_LAMBDA_FUNCTION_NAME": "my-function", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}
    return Scene(stage.env | keys.variables() | name, keys.arn, stage.node)


def _web_identity(stage: Stage) -> Scene:
    token = stage.sts.cluster.token("system:serviceaccount:shop:cart", "sts.amazonaws.com")
    path = stage.file("token", token)
    variables = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": f"{ROLES}pod"}
    return Scene(stage.env | variables | {"AWS_ROLE_SESSION_NAME": "cart"}, f"{ASSUMED}pod/cart", stage.node)


def _task(stage: Stage) -> Scene:
    """The relative URI is always at 169.254.170.2: see `elsewhere` in the tests' hands."""
    keys = stage.sts.account.role("task")
    endpoint = stage.more.enter_context(container(keys))
    variables = {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": PATH,
        "ECS_CONTAINER_METADATA_URI_V4": endpoint.url + METADATA,
    }
    del stage.env["AWS_REGION"]  # ECS does not set it on its own instances
    return Scene(stage.env | variables, keys.arn, stage.node, endpoint)


def _pod_identity(stage: Stage) -> Scene:
    keys = stage.sts.account.role("pod-identity")
    endpoint = stage.more.enter_context(container(keys))
    endpoint.authorization = stage.sts.cluster.token("system:serviceaccount:shop:cart", "pods.eks.amazonaws.com")
    path = stage.file("eks-pod-identity-token", endpoint.authorization)
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url + POD_PATH,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path),
    }
    return Scene(stage.env | variables, keys.arn, stage.node, endpoint)


def _shell(stage: Stage) -> Scene:
    keys = stage.sts.account.role("shell")
    endpoint = stage.more.enter_context(container(keys))
    endpoint.authorization = "a-token-of-this-shell"
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url + POD_PATH,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": endpoint.authorization,
    }
    return Scene(stage.env | variables, keys.arn, stage.node, endpoint)


def _shared_credentials(stage: Stage) -> Scene:
    return Scene(stage.env, stage.keys_file("default", "shared"), stage.node)


def _config_file(stage: Stage) -> Scene:
    keys = stage.sts.account.role("config")
    stage.profile(
        f"aws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
        f"aws_session_token = {keys.token}"
    )
    return Scene(stage.env, keys.arn, stage.node)


def _assumes(stage: Stage) -> Scene:
    stage.keys_file("base", "base")
    stage.sts.external_ids[f"{ROLES}team/assumed"] = EXTERNAL_ID
    stage.profile(
        f"role_arn = {ROLES}team/assumed\nsource_profile = base\nexternal_id = {EXTERNAL_ID}\nrole_session_name = cart"
    )
    return Scene(stage.env, f"{ASSUMED}assumed/cart", stage.node)


def _assumes_from_container(stage: Stage) -> Scene:
    task = stage.more.enter_context(container(stage.sts.account.role("task-below")))
    stage.profile(f"role_arn = {ROLES}above\ncredential_source = EcsContainer\nrole_session_name = cart")
    variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": task.url + POD_PATH}
    return Scene(stage.env | variables, f"{ASSUMED}above/cart", stage.node, task)


def _assumes_from_instance(stage: Stage) -> Scene:
    stage.profile(f"role_arn = {ROLES}above-node\ncredential_source = Ec2InstanceMetadata\nrole_session_name = cart")
    return Scene(stage.env, f"{ASSUMED}above-node/cart", stage.node)


def _signed_in(stage: Stage) -> Scene:
    keys = stage.sts.account.role("AWSReservedSSO_Admin")
    server = stage.more.enter_context(portal(keys))
    server.sign_in(stage.home)
    stage.profile(
        f"sso_start_url = {START}\nsso_region = {REGION}\nsso_account_id = {ACCOUNT}\nsso_role_name = {server.role}"
    )
    return Scene(stage.env | {"AWS_ENDPOINT_URL_SSO": server.url}, keys.arn, stage.node, portal=server)


def _signed_in_session(stage: Stage) -> Scene:
    keys = stage.sts.account.role("AWSReservedSSO_Reader")
    server = stage.more.enter_context(portal(keys, "Reader"))
    server.sign_in(stage.home, session="company")
    session = f"[sso-session company]\nsso_start_url = {START}\nsso_region = {REGION}\n"
    stage.profile(f"sso_session = company\nsso_account_id = {ACCOUNT}\nsso_role_name = Reader", beside=session)
    return Scene(stage.env | {"AWS_ENDPOINT_URL_SSO": server.url}, keys.arn, stage.node, portal=server)


def _process(stage: Stage) -> Scene:
    keys = stage.sts.account.role("process")
    document = {"Version": 1, **keys.document(SessionToken=keys.token)}
    script = stage.file("give.py", f"import json\nprint(json.dumps({document!r}))\n")
    stage.profile(f"credential_process = {sys.executable} {script}")
    return Scene(stage.env, keys.arn, stage.node)


def _instance(stage: Stage) -> Scene:
    del stage.env["AWS_REGION"]
    return Scene(stage.env, stage.node.keys.arn, stage.node)


SCENES: dict[str, Callable[[Stage], Scene]] = {
    "environment keys": _environment,
    "Lambda": _function,
    "EKS, IRSA web identity": _web_identity,
    "ECS and Fargate task role": _task,
    "EKS Pod Identity": _pod_identity,
    "CloudShell, Greengrass": _shell,
    "shared credentials file": _shared_credentials,
    "keys in the config file": _config_file,
    "profile that assumes a role": _assumes,
    "role above the container's": _assumes_from_container,
    "role above the instance's": _assumes_from_instance,
    "SSO": _signed_in,
    "SSO with a session": _signed_in_session,
    "credential_process": _process,
    "EC2 instance role, IMDSv2": _instance,
}


@contextmanager
def scene(name: str, sts: Sts, home: Path) -> Iterator[Scene]:
    """The scene called `name`, with the role of a node on its metadata service."""
    with ExitStack() as more:
        node = more.enter_context(imds(sts.account.role("node")))
        yield SCENES[name](Stage(sts, home, node, more))
