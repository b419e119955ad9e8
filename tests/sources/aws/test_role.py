"""--expect-role: nothing is exchanged for another identity, on the first call, on a hit in the cache, or anywhere."""

import pytest

from aws_servers.scenes import ASSUMED, ROLES, scene
from gbearer.errors import Denied, UsageError
from gbearer.sources.aws.caller import plays
from sources.aws.hands import TARGET, Place

POD = "EKS, IRSA web identity"


def test_the_role_that_is_expected_goes_on(place: Place) -> None:
    with scene(POD, place.sts, place.home) as here:
        assert place.answer(here.env, expect_role=f"{ROLES}pod", impersonate=(TARGET,)).how == "minted"
        assert place.caller() == f"{ASSUMED}pod/cart"
        assert place.answer(here.env, expect_role=f"{ROLES}pod", impersonate=(TARGET,)).how == "disk"


def test_another_role_is_stopped_before_google_hears_anything(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        text = place.refusal(Denied, here.env, expect_role=f"{ROLES}task")
    assert f"{ASSUMED}node/session" in text
    assert f"{ROLES}task" in text
    assert "nothing was exchanged" in text


def test_a_token_in_the_cache_does_not_get_past_it(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        place.answer(here.env)
        assert place.answer(here.env).how == "disk"
        before = len(place.em.log())
        with pytest.raises(Denied, match="nothing was exchanged"):
            place.answer(here.env, expect_role=f"{ROLES}task")
        assert len(place.em.log()) == before
        here.node.keys = place.sts.account.role("task")  # somebody attaches another role to the machine
        assert place.answer(here.env, expect_role=f"{ROLES}task").how == "minted"
        assert place.caller() == f"{ASSUMED}task/session"
        with pytest.raises(Denied):
            place.answer(here.env, expect_role=f"{ROLES}node")


def test_with_a_credential_that_is_not_of_aws_it_is_refused_and_not_ignored(place: Place) -> None:
    text = place.refusal(UsageError, {}, credentials=str(place.em.key_file), expect_role=f"{ROLES}task")
    assert "--expect-role" in text
    text = place.refusal(UsageError, {}, credentials=str(place.em.key_file), aws_token="jwt")
    assert "--aws-token" in text


def test_what_is_no_arn_is_a_usage_error(place: Place) -> None:
    with pytest.raises(UsageError, match="--expect-role arn:aws:iam::ACCOUNT:role/NAME"):
        place.answer({}, expect_role="worker")


@pytest.mark.parametrize(
    ("arn", "role", "same"),
    [
        (f"{ASSUMED}app/i-0123", f"{ROLES}app", True),
        (f"{ASSUMED}app/i-0123", f"{ROLES}team/one/app", True),  # STS drops the path
        (f"{ASSUMED}app/i-0123", f"{ASSUMED}app", True),
        (f"{ASSUMED}app/i-0123", f"{ASSUMED}app/i-0123", True),
        (f"{ASSUMED}app/i-0123", f"{ASSUMED}app/i-9999", False),
        (f"{ASSUMED}app2/i-0123", f"{ROLES}app", False),
        (f"{ASSUMED}app/i-0123", f"{ROLES}ap", False),
        ("arn:aws:sts::999999999999:assumed-role/app/i-0123", f"{ROLES}app", False),
        ("arn:aws-cn:sts::123456789012:assumed-role/app/x", f"{ROLES}app", False),
        ("arn:aws:iam::123456789012:user/ada", "arn:aws:iam::123456789012:user/ada", True),
        ("arn:aws:iam::123456789012:user/ada/eve", "arn:aws:iam::123456789012:user/ada", False),
        (f"{ASSUMED}app/x", "arn:aws:iam::123456789012:root", False),
    ],
)
def test_which_caller_plays_which_role(arn: str, role: str, same: bool) -> None:
    assert plays(arn, role) is same
