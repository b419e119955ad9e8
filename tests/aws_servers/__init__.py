"""AWS on loopback, for tests: an account (moto) with its STS, and what hands out its keys on AWS's machines."""

from aws_servers.account import ACCOUNT, REGION, Account, Keys, account
from aws_servers.container import Container, container
from aws_servers.imds import Imds, imds
from aws_servers.sso import Portal, portal
from aws_servers.sts import Sts, sts

__all__ = [
    "ACCOUNT", "REGION", "Account", "Container", "Imds", "Keys", "Portal", "Sts", "account", "container", "imds",
    "portal", "sts",
]  # fmt: skip
