"""The instance metadata service: what goes wrong there ends in one error with the command that mends it."""

import time

from aws_servers.scenes import scene
from gbearer.errors import BadCredentials, CredentialsNotFound, Unreachable
from sources.aws.hands import Place

EC2 = "EC2 instance role, IMDSv2"


def test_no_metadata_service_lists_what_else_was_looked_at(place: Place) -> None:
    begun = time.monotonic()
    text = place.refusal(CredentialsNotFound, {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"})
    assert time.monotonic() - begun < 5
    assert "no AWS credentials were found" in text
    assert "127.0.0.1:9" in text
    assert "AWS_PROFILE" in text


def test_a_metadata_service_that_is_not_to_be_asked_is_not(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        text = place.refusal(CredentialsNotFound, here.env | {"AWS_EC2_METADATA_DISABLED": "true"})
        assert "AWS_EC2_METADATA_DISABLED" in text
        assert here.node.requests == []


def test_a_hop_limit_of_1_seen_from_a_container(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        here.node.hop_limit = 1
        here.node.version_1 = True
        text = place.refusal(Unreachable, here.env)
        assert {each.method for each in here.node.requests} == {"PUT"}
    assert "hop limit" in text
    assert "--http-put-response-hop-limit 2" in text


def test_version_2_refused_is_told_and_version_1_is_not_asked_instead(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        here.node.version_1, here.node.version_2 = True, False
        text = place.refusal(Unreachable, here.env)
        assert {each.method for each in here.node.requests} == {"PUT"}
    assert "does not know version 2" in text
    assert "AWS_EC2_METADATA_V1_DISABLED=false" in text
    assert "--http-tokens required" in text


def test_a_metadata_service_that_is_switched_off(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        here.node.disabled = True
        text = place.refusal(Unreachable, here.env)
    assert "answered 403" in text
    assert "--http-endpoint enabled" in text


def test_an_instance_without_a_role(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        here.node.role = ""
        text = place.refusal(CredentialsNotFound, here.env)
    assert "this instance has no role" in text
    assert "associate-iam-instance-profile" in text


def test_a_role_that_ec2_may_not_assume(place: Place) -> None:
    with scene(EC2, place.sts, place.home) as here:
        here.node.code = "AssumeRoleUnauthorizedAccess"
        text = place.refusal(BadCredentials, here.env)
    assert "AssumeRoleUnauthorizedAccess" in text
    assert "aws iam get-role --role-name node" in text
