"""--aws-token jwt: AWS vouches with a JWT of GetWebIdentityToken, for a provider of the type OIDC."""

import json

import jwt
import pytest

from aws_servers.scenes import scene
from gbearer.errors import BadCredentials, Denied, Unreachable, UsageError
from sources.aws.hands import POOL, TARGET, Place

NAME = "aws-vouches"
PROVIDER = f"{POOL}/providers/{NAME}"


@pytest.fixture
def vouched(place: Place) -> Place:
    """A provider that trusts the issuer that an AWS account gets when it may vouch for its roles outside."""
    issuer = place.sts.vouches
    settings = {"issuerUri": issuer.url, "jwksJson": json.dumps(issuer.jwks())}
    place.em.provider(NAME, {"oidc": settings, "attributeMapping": {"google.subject": "assertion.sub"}})
    return place


@pytest.mark.parametrize("name", ["environment keys", "EKS Pod Identity", "EC2 instance role, IMDSv2"])
def test_a_jwt_is_asked_for_and_exchanged(vouched: Place, name: str) -> None:
    with scene(name, vouched.sts, vouched.home) as here:
        token = vouched.answer(here.env, provider=PROVIDER, aws_token="jwt", impersonate=(TARGET,)).token
        assert vouched.sts.actions() == ["GetWebIdentityToken"]
    vouched.accepts(token)
    assert vouched.caller().startswith(here.arn)
    asked = vouched.sts.requests[-1].parameters
    assert asked["Audience.member.1"] == f"https://iam.googleapis.com/{PROVIDER}"
    assert asked["DurationSeconds"] == "300"


def test_the_file_of_an_aws_provider_may_be_used_with_it(vouched: Place) -> None:
    document = json.loads((vouched.em.dir / "external-aws.json").read_text())
    path = vouched.home / "vouches.json"
    path.write_text(json.dumps(document | {"audience": f"//iam.googleapis.com/{PROVIDER}"}))
    with scene("environment keys", vouched.sts, vouched.home) as here:
        vouched.answer(here.env, credentials=str(path), aws_token="jwt")
    assert vouched.sts.actions() == ["GetWebIdentityToken"]


def test_the_two_ways_do_not_share_a_token(vouched: Place) -> None:
    with scene("environment keys", vouched.sts, vouched.home) as here:
        vouched.answer(here.env, provider=PROVIDER, aws_token="jwt")
        with pytest.raises(BadCredentials):  # a provider of the type OIDC takes no signed request
            vouched.answer(here.env, provider=PROVIDER)


def test_the_role_is_checked_before_it(vouched: Place) -> None:
    with scene("environment keys", vouched.sts, vouched.home) as here:
        other = "arn:aws:iam::123456789012:role/other"
        vouched.refusal(Denied, here.env, provider=PROVIDER, aws_token="jwt", expect_role=other)
    assert vouched.sts.actions() == ["GetCallerIdentity"]


def test_an_account_that_does_not_vouch_outside(vouched: Place) -> None:
    vouched.sts.outbound = False
    with scene("environment keys", vouched.sts, vouched.home) as here:
        text = vouched.refusal(Denied, here.env, provider=PROVIDER, aws_token="jwt")
    assert "aws iam enable-outbound-web-identity-federation" in text


def test_a_role_that_may_not_have_itself_vouched_for(vouched: Place) -> None:
    vouched.sts.fails = (403, "AccessDenied", "not authorized to perform: sts:GetWebIdentityToken")
    with scene("environment keys", vouched.sts, vouched.home) as here:
        text = vouched.refusal(Denied, here.env, provider=PROVIDER, aws_token="jwt")
    assert "allow sts:GetWebIdentityToken" in text


def test_an_answer_without_a_token(vouched: Place) -> None:
    vouched.sts.fails = (200, "None", "at all")
    with scene("environment keys", vouched.sts, vouched.home) as here:
        text = vouched.refusal(Unreachable, here.env, provider=PROVIDER, aws_token="jwt")
    assert "gave no token" in text


def test_another_word_for_it_is_a_usage_error(vouched: Place) -> None:
    with pytest.raises(UsageError, match="signed or jwt"):
        vouched.answer({}, aws_token="saml")


def test_the_account_s_token_is_a_real_one(vouched: Place) -> None:
    """The small STS signs it, so that the emulator's verification means something."""
    token = vouched.sts.vouches.token("a", "b")
    with pytest.raises(jwt.InvalidAudienceError):
        vouched.sts.vouches.claims(token, "c")
    with pytest.raises(jwt.InvalidTokenError):
        vouched.sts.cluster.claims(token, "b")
