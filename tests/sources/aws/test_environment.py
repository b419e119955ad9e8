"""Keys and region of the environment: half of them, ended ones, unknown ones, and regions that are none."""

from datetime import UTC, datetime, timedelta

import pytest

from aws_servers import Keys
from gbearer.errors import BadCredentials, UsageError
from sources.aws.hands import Place


def test_half_a_key_in_the_environment(place: Place) -> None:
    assert "AWS_SECRET_ACCESS_KEY" in place.refusal(
        BadCredentials, {"AWS_ACCESS_KEY_ID": "AKIA1", "AWS_REGION": "us-east-2"}
    )


def test_keys_in_the_environment_that_have_ended(place: Place) -> None:
    keys = place.sts.account.role("ended")
    ended = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    env = keys.variables() | {"AWS_REGION": "us-east-2", "AWS_CREDENTIAL_EXPIRATION": ended}
    text = place.refusal(BadCredentials, env)
    assert "AWS_CREDENTIAL_EXPIRATION" in text
    assert "expired" in text


def test_a_region_that_nobody_knows(place: Place) -> None:
    keys = place.sts.account.role("lost")
    text = place.refusal(UsageError, keys.variables() | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"})
    assert "region is not known" in text
    assert "export AWS_REGION" in text


@pytest.mark.parametrize("region", ["x.evil.test/?", "us east 2", "us-east-2.evil.test", "{region}", "us", "a" * 80])
def test_a_region_that_would_be_another_host_is_refused(place: Place, region: str) -> None:
    keys = place.sts.account.role("lost")
    assert "AWS_REGION" in place.refusal(UsageError, keys.variables() | {"AWS_REGION": region})


def test_keys_that_aws_does_not_know_are_refused_by_google_and_told(place: Place) -> None:
    stranger = Keys("AKIASTRANGERSTRANGER", "made-up", "", "")
    with pytest.raises(BadCredentials) as caught:
        place.answer(stranger.variables() | {"AWS_REGION": "us-east-2"})
    text = str(caught.value)
    assert "aws sts get-caller-identity" in text
    assert "InvalidClientTokenId" in text
