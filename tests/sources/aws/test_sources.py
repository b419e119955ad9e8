"""Each of AWS's sources: by gcloud's file and without one, access tokens and ID tokens, and as the identity it is."""

import pytest

from aws_servers.scenes import SCENES, scene
from gbearer import sources
from gbearer.model import Ask
from gbearer.sources import Look
from gbearer.transport import Transport
from sources.aws.hands import PROVIDER, TARGET, Place, elsewhere, mint

ECS = "ECS and Fargate task role"
BY_VARIABLES = [name for name in SCENES if name != ECS]


@pytest.mark.parametrize("name", BY_VARIABLES)
def test_a_source_gives_every_kind_of_token_as_its_own_identity(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        direct = place.answer(here.env).token
        assert place.caller().startswith(here.arn)
        acting = place.answer(here.env, impersonate=(TARGET,)).token
        identity = place.answer(
            here.env, impersonate=(TARGET,), kind="id", audience=f"{place.em.url}/functions/hello"
        ).token
    for token in (direct, acting, identity):
        place.accepts(token)
    assert acting.principal == identity.principal == TARGET
    assert len([entry for entry in place.em.log() if entry["path"] == "/v1/token"]) == 1  # one federated token serves


@pytest.mark.parametrize("name", BY_VARIABLES)
def test_the_file_that_gcloud_writes_is_all_it_takes(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        path = str(place.em.dir / "external-aws-impersonated.json")
        token = place.answer(here.env, credentials=path).token
    assert token.principal == TARGET
    assert place.caller().startswith(here.arn)
    place.accepts(token)


def test_a_task_on_ecs_with_a_relative_uri(place: Place) -> None:
    """Region of the task's metadata: ECS sets no variable for it on instances of one's own."""
    with scene(ECS, place.sts, place.home) as here:
        assert here.endpoint is not None
        env = place.env | here.env
        token = mint(env, elsewhere(env, here.endpoint.url), impersonate=(TARGET,))
        assert place.caller() == here.arn
        assert here.endpoint.paths() == ["GET /v4/0123456789abcdef/task", f"GET {env_path(env)}"]
        assert here.node.requests == []
    place.accepts(token)


def env_path(env: dict[str, str]) -> str:
    return env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]


def test_the_relative_uri_comes_before_the_full_one(place: Place) -> None:
    with scene(ECS, place.sts, place.home) as here:
        assert here.endpoint is not None
        env = place.env | here.env | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/never"}
        mint(env, elsewhere(env, here.endpoint.url))
        assert place.caller() == here.arn


def test_the_token_file_of_a_pod_is_read_again_at_each_refresh(place: Place) -> None:
    with scene("EKS Pod Identity", place.sts, place.home) as here:
        assert here.endpoint is not None
        place.answer(here.env)
        renewed = place.sts.cluster.token("system:serviceaccount:shop:cart", "pods.eks.amazonaws.com", nonce="2")
        (place.home / "eks-pod-identity-token").write_text(renewed)
        here.endpoint.authorization = renewed
        place.answer(here.env, refresh=True)
        assert [each.headers["authorization"] for each in here.endpoint.requests][-1] == renewed


def test_an_instance_is_asked_by_version_2_alone_with_one_session_token(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        place.answer(here.env)
        assert here.node.paths() == [
            "PUT /latest/api/token",
            "GET /latest/meta-data/iam/security-credentials/",
            "GET /latest/meta-data/iam/security-credentials/node",
            "GET /latest/meta-data/placement/region",
        ]
        assert len({each.headers.get("x-aws-ec2-metadata-token") for each in here.node.requests[1:]}) == 1


def test_version_1_is_asked_only_where_it_was_switched_on(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        here.node.version_1, here.node.version_2 = True, False
        on = here.env | {"AWS_EC2_METADATA_V1_DISABLED": "false"}
        place.answer(on)
        assert place.caller() == here.arn
        assert all("x-aws-ec2-metadata-token" not in each.headers for each in here.node.requests)


def test_an_older_metadata_service_tells_the_region_by_its_zone(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        here.node.region_known, here.node.region = False, "ap-southeast-4"
        place.answer(here.env)
    assert "GET /latest/meta-data/placement/availability-zone" in here.node.paths()


def test_the_chain_tells_why_aws_s_other_sources_were_passed_over(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        steps = place.answer(here.env).look.steps
    assert [(step.place, step.found) for step in steps] == [
        ("AWS environment keys", False),
        ("AWS profile", False),
        ("AWS container endpoint", False),
        ("AWS", True),
    ]


def test_looking_for_the_source_sends_nothing(place: Place) -> None:
    for name in SCENES:
        home = place.home / name.replace(" ", "-").replace(",", "")
        with scene(name, place.sts, home) as here:
            look = Look(place.env | here.env | {"HOME": str(home)})
            way = Transport(look.env)
            sources.locate(Ask(source="aws", provider=PROVIDER), look, way)
            assert way.requests == 0
            assert here.node.requests == []
            assert here.endpoint is None or here.endpoint.requests == []
    assert place.sts.actions() == []
