"""Where a task, a pod or a profile has an identity of its own, the node's is never used: not even when ours is down."""

import pytest

from aws_servers import container
from aws_servers.container import PATH, POD_PATH
from aws_servers.scenes import scene
from gbearer import sources
from gbearer.errors import BadCredentials, Error, Unreachable
from gbearer.model import Ask
from gbearer.sources import Look
from gbearer.transport import Transport
from sources.aws.hands import PROVIDER, Place, elsewhere, mint

EC2 = "EC2 instance role, IMDSv2"
CLOSED = "http://127.0.0.1:9"


@pytest.mark.parametrize("name", ["EKS, IRSA web identity", "EKS Pod Identity", "CloudShell, Greengrass"])
def test_with_a_node_s_role_beside_it_the_pod_s_is_used_and_the_node_is_not_even_asked(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        place.answer(here.env)
        assert place.caller() == here.arn
        assert here.node.requests == []


@pytest.mark.parametrize(
    ("status", "kind"), [(500, Unreachable), (503, Unreachable), (404, BadCredentials), (400, BadCredentials)]
)
def test_an_endpoint_that_refuses_is_an_error_and_never_the_node(place: Place, status: int, kind: type[Error]) -> None:
    with scene("EKS Pod Identity", place.sts, place.home) as here:
        assert here.endpoint is not None
        here.endpoint.status = status
        text = place.refusal(kind, here.env)
        assert here.node.requests == []
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in text
    assert f"answered {status}" in text
    assert "the agent says" in text
    assert "role is not used in its place" in text


def test_an_endpoint_that_is_down_is_an_error_and_never_the_node(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        full = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": CLOSED + POD_PATH, "AWS_REGION": "us-east-2"}
        text = place.refusal(Unreachable, here.env | full)
        assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in text
        assert "cannot be reached" in text
        env = place.env | here.env | {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": PATH, "AWS_REGION": "us-east-2"}
        with pytest.raises(Unreachable, match="AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            mint(env, elsewhere(env, CLOSED))
        assert here.node.requests == []
    assert place.em.log() == []


def test_a_role_without_its_token_is_an_error_and_never_the_node(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        role = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod"}
        assert "AWS_WEB_IDENTITY_TOKEN_FILE" in place.refusal(BadCredentials, here.env | role)
        gone = role | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(place.home / "gone")}
        text = place.refusal(BadCredentials, here.env | gone)
        assert str(place.home / "gone") in text
        assert "AWS_WEB_IDENTITY_TOKEN_FILE" in text
        text = place.refusal(BadCredentials, here.env | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(place.home / "gone")})
        assert "AWS_ROLE_ARN is not" in text
        assert here.node.requests == []


def test_a_pod_s_token_file_that_is_gone_is_an_error_and_never_the_node(place: Place) -> None:
    with scene("EKS Pod Identity", place.sts, place.home) as here:
        (place.home / "eks-pod-identity-token").unlink()
        text = place.refusal(BadCredentials, here.env)
        assert "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE" in text
        assert "eks-pod-identity-token" in text
        assert here.node.requests == []


def test_a_profile_that_asks_for_the_node_s_role_inside_a_container_is_refused(place: Place) -> None:
    with scene("role above the instance's", place.sts, place.home) as here:
        inside = here.env | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": CLOSED}
        text = place.refusal(BadCredentials, inside)
        assert "profile work" in text
        assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in text
        assert "credential_source = EcsContainer" in text
        assert here.node.requests == []


def test_variables_that_are_set_and_empty_count_as_unset(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        names = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ACCESS_KEY_ID")
        place.answer(here.env | dict.fromkeys(names, ""))
        assert place.caller() == here.arn


def test_two_machines_with_one_home_and_different_roles_never_share_a_token(place: Place) -> None:
    """One cache folder; each machine is told by its own metadata service, task or pod."""
    seen = set()
    for name in ("one", "two"):
        keys = place.sts.account.role(f"machine-{name}")
        with scene(EC2, place.sts, place.home) as here:
            here.node.keys = keys
            assert place.answer(here.env).how == "minted"
            assert place.caller() == keys.arn
            assert place.answer(here.env).how == "disk"
        for path, kind in ((POD_PATH, "full"), (POD_PATH, "token")):
            with container(keys) as endpoint:
                env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url + path, "AWS_REGION": "us-east-2"}
                if kind == "token":
                    file = place.home / f"token-{name}"
                    file.write_text(f"token-of-{name}")
                    env["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = str(file)
                assert place.answer(env).how == "minted"
                assert place.caller() == keys.arn
        web = place.home / "web-token"
        web.write_text(place.sts.cluster.token(f"system:serviceaccount:shop:{name}", "sts.amazonaws.com"))
        role = f"arn:aws:iam::123456789012:role/machine-{name}"
        env = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(web), "AWS_ROLE_ARN": role, "AWS_REGION": "us-east-2"}
        assert place.answer(env).how == "minted"
        assert f"assumed-role/machine-{name}/" in place.caller()
        seen |= {entry["principal"] for entry in place.em.log()}
    assert len(seen) == 4  # of each machine: the role's session, and the one that web identity made


def test_the_same_pod_token_path_with_another_pod_s_token_is_another_identity(place: Place) -> None:
    """Two pods see the same address and the same path; only what is in the file tells them apart."""
    path = place.home / "pod-token"
    with container(place.sts.account.role("pod-a")) as endpoint:
        env = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url + POD_PATH,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path),
            "AWS_REGION": "us-east-2",
        }
        path.write_text("pod-a")
        place.answer(env)
        endpoint.keys = place.sts.account.role("pod-b")
        path.write_text("pod-b")
        assert place.answer(env).how == "minted"
    assert "pod-b" in place.caller()


def test_another_boot_of_the_machine_is_another_machine(place: Place) -> None:
    def fingerprint(boot: str) -> str | None:
        root = place.home / f"root-{boot}"
        (root / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
        if boot:
            (root / "proc/sys/kernel/random/boot_id").write_text(boot)
        look = Look(place.env, root=str(root))
        return sources.locate(Ask(source="aws", provider=PROVIDER), look, Transport(place.env)).fingerprint

    assert fingerprint("a") == fingerprint("a")
    assert fingerprint("a") != fingerprint("b")
    assert fingerprint("") is None  # nothing pins it: no disk
