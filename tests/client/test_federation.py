"""A program that is federated: the options of the command line as options of the client, awaited too."""

import asyncio

import pytest

import gbearer
from aws_servers import Account, account
from gbearer import aio, emulator
from gbearer.errors import Denied, UsageError

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
PROVIDER = f"{POOL}/providers/aws"
TARGET = "target@emulator-project.iam.gserviceaccount.com"


def keys(made: Account, role: str) -> dict[str, str]:
    return made.role(role).variables() | {"AWS_REGION": "us-east-2", "AWS_ENDPOINT_URL_STS": made.url}


def test_source_provider_and_role_are_options_of_both_clients() -> None:
    with account() as made, emulator.running(aws=made.url) as google:
        env = google.env | keys(made, "app") | {"GBEARER_CACHE": "off"}
        role = "arn:aws:iam::123456789012:role/app"
        for module in (gbearer, aio):
            client = module.Client(source="aws", provider=PROVIDER, expect_role=role, impersonate=TARGET, env=env)
            got = client.token()
            token = asyncio.run(got) if module is aio else got
            assert token.principal == TARGET
        exchanges = [entry for entry in google.log() if entry["path"] == "/v1/token"]
        assert {str(entry["principal"]).rpartition("/subject/")[2] for entry in exchanges} == {
            "arn:aws:sts::123456789012:assumed-role/app/session"
        }
        google.reset()
        with pytest.raises(Denied, match="nothing was exchanged"):
            gbearer.Client(source="aws", provider=PROVIDER, expect_role=f"{role}2", env=env).token()
        assert google.log() == []


def test_another_way_of_vouching_is_checked_where_the_client_is_made() -> None:
    with pytest.raises(UsageError, match="signed or jwt"):
        gbearer.Client(source="aws", provider=PROVIDER, aws_token="saml")
    with pytest.raises(UsageError, match="needs a provider"):
        gbearer.Client(source="aws")
