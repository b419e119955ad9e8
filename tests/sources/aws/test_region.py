"""The region: of the environment, then the profile, then the task's metadata, then the instance's; and the hosts."""

import json
from urllib.parse import unquote

import pytest
from google.auth.aws import AwsSecurityCredentials, RequestSigner

from aws_servers import container
from aws_servers.container import METADATA
from aws_servers.scenes import scene
from gbearer.errors import UsageError
from gbearer.sources.aws.keys import Keys
from gbearer.sources.aws.subject import request
from sources.aws.hands import Place


def test_each_place_gives_way_to_the_one_before_it(place: Place) -> None:
    """The region that was signed for is in what Google is given; AWS's own STS is named by it."""
    keys = place.sts.account.role("region")
    config = place.home / ".aws" / "config"
    config.parent.mkdir()
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here, container(keys) as task:
        here.node.region, task.region = "eu-west-3", "eu-south-2"
        config.write_text("[default]\nregion = eu-north-1\n")
        env = keys.variables() | {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": here.node.url,
            "ECS_CONTAINER_METADATA_URI_V4": task.url + METADATA,
            "AWS_REGION": "us-west-1",
            "AWS_DEFAULT_REGION": "us-west-2",
        }
        assert region(place, env) == "us-west-1"
        del env["AWS_REGION"]
        assert region(place, env) == "us-west-2"
        del env["AWS_DEFAULT_REGION"]
        assert region(place, env) == "eu-north-1"
        assert here.node.requests == task.requests == []
        config.unlink()
        assert region(place, env) == "eu-south-2"
        assert here.node.requests == []
        del env["ECS_CONTAINER_METADATA_URI_V4"]
        assert region(place, env) == "eu-west-3"


def region(place: Place, env: dict[str, str]) -> str:
    """The region in the scope of the signature that AWS STS gets when it is asked who we are."""
    source = place.answer(env, refresh=True).source
    assert source.identify is not None
    from gbearer.transport import Transport

    source.identify(Transport(place.env | env))
    authorization = place.sts.requests[-1].headers["authorization"]
    return authorization.split("/")[2]


def test_the_host_of_aws_s_sts_that_google_is_to_ask() -> None:
    keys = Keys("AKIA1", "secret", "", "a test")
    for where, file, host in (
        ("us-east-2", "", "sts.us-east-2.amazonaws.com"),
        ("cn-north-1", "", "sts.cn-north-1.amazonaws.com.cn"),
        ("eu-west-1", "https://sts.{region}.api.aws", "sts.eu-west-1.api.aws"),
    ):
        url = file and f"{file}?Action=GetCallerIdentity&Version=2011-06-15"
        document = json.loads(unquote(request(keys, where, "//iam.googleapis.com/p", url)))
        headers = {each["key"].lower(): each["value"] for each in document["headers"]}
        assert document["method"] == "POST"
        assert document["url"] == f"https://{host}?Action=GetCallerIdentity&Version=2011-06-15"
        assert headers["host"] == host
        assert f"/{where}/sts/aws4_request" in headers["authorization"]
        assert "x-goog-cloud-target-resource" in headers["authorization"]  # signed: for this provider and no other
        assert headers["x-goog-cloud-target-resource"] == "//iam.googleapis.com/p"


def test_a_fips_host_is_signed_for_the_service_sts_or_not_at_all() -> None:
    """An older google-auth signs for a service sts-fips, which AWS refuses: then nothing is signed, and it is told."""
    keys = Keys("AKIA1", "secret", "", "a test")
    host = "https://sts-fips.us-gov-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    by_google = RequestSigner("us-gov-west-1").get_request_options(AwsSecurityCredentials("AKIA1", "s"), host, "POST")
    if "/sts/aws4_request" in by_google["headers"]["Authorization"]:
        assert "us-gov-west-1%2Fsts%2Faws4_request" in request(keys, "us-gov-west-1", "//p", host).replace("/", "%2F")
    else:
        with pytest.raises(UsageError, match="pip install --upgrade google-auth"):
            request(keys, "us-gov-west-1", "//p", host)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"])
@pytest.mark.parametrize("name", ["EKS, IRSA web identity", "environment keys"])
def test_the_endpoint_variables_of_aws_are_where_its_sts_is_asked(place: Place, name: str, variable: str) -> None:
    with scene(name, place.sts, place.home) as here:
        env = here.env | {"AWS_ENDPOINT_URL_STS": "", variable: place.sts.url}
        answer = place.answer(env, expect_role=role(here.arn))
        assert answer.how == "minted"
        assert place.sts.actions()[-1] == "GetCallerIdentity"


def test_what_the_variables_say_can_be_switched_off_as_aws_has_it(place: Place) -> None:
    """Then AWS itself is asked, by its own name; with an emulator set that name leads there and nowhere else."""
    keys = place.sts.account.user("ada")
    env = keys.variables() | {"AWS_REGION": "none-test-1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    env |= {"HTTPS_PROXY": "http://127.0.0.1:9"}  # nothing leaves this machine
    place.answer(env, expect_role=keys.arn)
    assert place.sts.requests == []
    assert place.em.log()[0]["host"] == "sts.none-test-1.amazonaws.com"


def role(arn: str) -> str:
    """What --expect-role is given for an ARN: a user as it is, a session by its role."""
    head, session, rest = arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}" if session else arn
