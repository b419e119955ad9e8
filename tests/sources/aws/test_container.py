"""Container endpoints and token files: what goes wrong there names the variable, and is never the node instead."""

import pytest

from aws_servers.scenes import ROLES, scene
from gbearer.errors import BadCredentials, Denied
from sources.aws.hands import Place

IRSA = "EKS, IRSA web identity"
POD = "EKS Pod Identity"


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"[]", b"{}", b'{"AccessKeyId": "AKIA"}', b""])
def test_rubbish_of_a_container_endpoint(place: Place, body: bytes) -> None:
    with scene(POD, place.sts, place.home) as here:
        assert here.endpoint is not None
        here.endpoint.body = body
        text = place.refusal(BadCredentials, here.env)
        assert here.node.requests == []
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in text


@pytest.mark.parametrize("uri", ["http://example.com/creds", "http://10.0.0.1/creds", "http://169.254.170.2.evil.test"])
def test_a_container_endpoint_in_plain_http_elsewhere_is_not_spoken_to(place: Place, uri: str) -> None:
    text = place.refusal(BadCredentials, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": uri, "AWS_REGION": "us-east-2"})
    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" in text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\nmore"])
@pytest.mark.parametrize(("name", "file"), [(POD, "eks-pod-identity-token"), (IRSA, "token")])
def test_a_token_file_with_a_newline(place: Place, name: str, file: str, end: str) -> None:
    with scene(name, place.sts, place.home) as here:
        path = place.home / file
        path.write_bytes(path.read_bytes() + end.encode())
        text = place.refusal(BadCredentials, here.env)
    assert "newline" in text
    assert str(path) in text
    assert "printf" in text


def test_a_token_with_a_newline_in_its_variable(place: Place) -> None:
    with scene("CloudShell, Greengrass", place.sts, place.home) as here:
        text = place.refusal(BadCredentials, here.env | {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\nb"})
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" in text
    assert "newline" in text


def test_an_empty_token_file(place: Place) -> None:
    with scene(IRSA, place.sts, place.home) as here:
        (place.home / "token").write_text("")
        assert "is empty" in place.refusal(BadCredentials, here.env)


def test_a_web_identity_token_that_aws_does_not_take(place: Place) -> None:
    with scene(IRSA, place.sts, place.home) as here:
        (place.home / "token").write_text(place.sts.vouches.token("somebody", "sts.amazonaws.com"))
        text = place.refusal(BadCredentials, here.env)
        assert "InvalidIdentityToken" in text
        assert "AWS_WEB_IDENTITY_TOKEN_FILE" in text
        (place.home / "token").write_text(place.sts.cluster.token("somebody", "sts.amazonaws.com", lifetime=-600))
        text = place.refusal(BadCredentials, here.env)
    assert "ExpiredTokenException" in text


def test_a_role_that_may_not_be_assumed(place: Place) -> None:
    place.sts.closed.add(f"{ROLES}pod")
    with scene(IRSA, place.sts, place.home) as here:
        text = place.refusal(Denied, here.env)
    assert "may not call sts:AssumeRoleWithWebIdentity" in text
    assert "trust policy" in text
