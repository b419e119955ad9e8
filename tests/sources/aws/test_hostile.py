"""A file that points elsewhere sends nothing anywhere, and makes nothing be signed but the question who we are."""

import json
from pathlib import Path
from typing import Any

import pytest

from aws_servers.http import Served, serve
from aws_servers.scenes import scene
from gbearer.errors import BadCredentials
from sources.aws.hands import Place

METADATA = ("url", "region_url", "imdsv2_session_token_url")
SPELLINGS = [
    "http://evil.test/latest/meta-data",
    "https://evil.test/latest/meta-data",
    "http://169.254.169.254.evil.test/latest",
    "http://169.254.169.254@evil.test/latest",
    "http://169.254.169.254:8080/latest",
    "https://169.254.169.254/latest",
    "http://2852039166/latest",
    "http://0xa9fea9fe/latest",
    "http://169.254.169.254\\@evil.test/",
    "http://[::ffff:a9fe:a9fe]/latest",
    "http://169.254.169.253/latest",
    "ftp://169.254.169.254/latest",
    "http://127.0.0.1:{port}/latest",
]
VERIFICATIONS = [
    "https://sts.{region}.amazonaws.com.evil.test?Action=GetCallerIdentity&Version=2011-06-15",
    "https://evil.test?Action=GetCallerIdentity&Version=2011-06-15",
    "http://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    "https://sts.{region}.amazonaws.com:8443?Action=GetCallerIdentity&Version=2011-06-15",
    "https://user@sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    "https://s3.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    "https://iam.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    "https://{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
    "https://127.0.0.1:{port}?Action=GetCallerIdentity&Version=2011-06-15",
]
OTHER_REQUESTS = [
    "https://sts.{region}.amazonaws.com?Action=AssumeRole&RoleArn=arn:aws:iam::1:role/x&Version=2011-06-15",
    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Action=AssumeRole&Version=2011-06-15",
    "https://sts.{region}.amazonaws.com?Action=GetSessionToken&Version=2011-06-15",
    "https://sts.{region}.amazonaws.com/other?Action=GetCallerIdentity&Version=2011-06-15",
    "https://sts.{region}.amazonaws.com",
]


@pytest.fixture
def trap() -> Any:
    """A server that counts."""
    with serve() as served:
        yield served


def changed(place: Place, **fields: str) -> str:
    """The file of gcloud with other fields in its credential_source."""
    document = json.loads((place.em.dir / "external-aws.json").read_text())
    document["credential_source"] |= fields
    path = Path(place.home) / "changed.json"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize("field", METADATA)
@pytest.mark.parametrize("url", SPELLINGS)
def test_a_metadata_service_elsewhere(place: Place, trap: Served, field: str, url: str) -> None:
    path = changed(place, **{field: url.replace("{port}", trap.url.rpartition(":")[2])})
    with scene("environment keys", place.sts, place.home) as here:
        text = place.refusal(BadCredentials, here.env, credentials=path)
        assert here.node.requests == []
    assert f"credential_source.{field}" in text
    assert trap.requests == []


@pytest.mark.parametrize("url", VERIFICATIONS)
def test_a_verification_elsewhere(place: Place, trap: Served, url: str) -> None:
    path = changed(place, regional_cred_verification_url=url.replace("{port}", trap.url.rpartition(":")[2]))
    with scene("environment keys", place.sts, place.home) as here:
        text = place.refusal(BadCredentials, here.env, credentials=path)
    assert "credential_source.regional_cred_verification_url" in text
    assert trap.requests == []


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("url", OTHER_REQUESTS)
def test_nothing_else_is_ever_signed_not_even_on_trust(place: Place, url: str, trust: bool) -> None:
    """Whoever gets a signed AssumeRole or GetSessionToken has our keys, as good as."""
    path = changed(place, regional_cred_verification_url=url)
    with scene("environment keys", place.sts, place.home) as here:
        text = place.refusal(BadCredentials, here.env, credentials=path, trust_config=trust)
    assert "regional_cred_verification_url" in text
    assert "GetCallerIdentity" in text


@pytest.mark.parametrize(
    "host",
    [
        "sts.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        "sts-fips.us-gov-west-1.amazonaws.com",
        "sts.cn-northwest-1.amazonaws.com.cn",
        "sts.eu-west-1.api.aws",
        "sts.cn-north-1.api.amazonwebservices.com.cn",
    ],
)
def test_every_host_of_aws_s_sts_will_do(place: Place, host: str) -> None:
    url = f"https://{host}?Action=GetCallerIdentity&Version=2011-06-15"
    path = changed(place, regional_cred_verification_url=url)
    with scene("environment keys", place.sts, place.home) as here:
        source = located(place, here.env, path)
    assert source.kind == "external_account"


def located(place: Place, env: dict[str, str], path: str) -> Any:
    from gbearer import sources
    from gbearer.model import Ask
    from gbearer.sources import Look
    from gbearer.transport import Transport

    look = Look(place.env | env)
    return sources.locate(Ask(credentials=path), look, Transport(look.env))


def test_a_metadata_service_that_aws_s_own_variable_names_will_do(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        at = f"{here.node.url}/latest/meta-data"
        path = changed(place, url=f"{at}/iam/security-credentials", region_url=f"{at}/placement/availability-zone")
        place.answer(here.env, credentials=path)
        assert place.caller() == here.arn


def test_a_metadata_service_elsewhere_on_trust(place: Place) -> None:
    with scene("EC2 instance role, IMDSv2", place.sts, place.home) as here:
        at = f"{here.node.url}/latest/meta-data"
        path = changed(place, url=f"{at}/iam/security-credentials", region_url=f"{at}/placement/availability-zone")
        env = here.env | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": ""}
        place.refusal(BadCredentials, env, credentials=path)
        place.answer(env, credentials=path, trust_config=True)
        assert place.caller() == here.arn


BROKEN = {
    "environment_id": ["aws2", "azure1", "aws", ""],
    "regional_cred_verification_url": [""],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in BROKEN.items() for value in values])
def test_a_file_that_is_not_gcloud_s(place: Place, field: str, value: str) -> None:
    text = place.refusal(BadCredentials, {"AWS_REGION": "us-east-2"}, credentials=changed(place, **{field: value}))
    assert f"credential_source.{field}" in text
    assert "create-cred-config" in text
