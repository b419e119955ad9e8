"""The AWS account: moto in a thread, with a user and roles whose keys are real to it, and to whoever asks it."""

import itertools
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import boto3  # type: ignore[import-untyped]
import urllib3
from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
REGION = "us-east-2"
_POOL = urllib3.PoolManager(retries=False, timeout=10)


class Keys(NamedTuple):
    """An access key and, for a role, its session token; `arn` is what GetCallerIdentity says."""

    access_key: str
    secret_key: str
    token: str
    arn: str

    def variables(self) -> dict[str, str]:
        """As Lambda and people put them into the environment."""
        named = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}
        return named | ({"AWS_SESSION_TOKEN": self.token} if self.token else {})

    def document(self, **more: object) -> dict[str, object]:
        """As metadata services and container endpoints give them."""
        ends = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        names = {"AccessKeyId": self.access_key, "SecretAccessKey": self.secret_key, "Token": self.token}
        return {**names, "Expiration": ends, **more}


class Account:
    """One account on a moto server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._users = 0
        self._admin: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": REGION,
            "aws_access_key_id": "admin",
            "aws_secret_access_key": "admin",
        }
        self._iam = boto3.client("iam", **self._admin)
        self._sts = boto3.client("sts", **self._admin)

    def user(self, name: str) -> Keys:
        """A new user, whose name begins with `name`, with a key of its own."""
        self._users += 1
        taken = {user["UserName"] for user in self._iam.list_users()["Users"]}  # moto has one account a process
        name = next(each for n in itertools.count(self._users) if (each := f"{name}-{n}") not in taken)
        self._iam.create_user(UserName=name)
        made = self._iam.create_access_key(UserName=name)["AccessKey"]
        return Keys(made["AccessKeyId"], made["SecretAccessKey"], "", f"arn:aws:iam::{ACCOUNT}:user/{name}")

    def role(self, name: str, session: str = "session") -> Keys:
        """Keys of a session in the role `name`."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        made = self._sts.assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
        assumed = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name.rpartition('/')[2]}/{session}"
        return Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"], assumed)

    def secrets(self) -> dict[str, tuple[str, str]]:
        """Access key -> (secret, session token) of everything that the account has given out."""
        data = json.loads(_POOL.request("GET", f"{self.url}/moto-api/data.json").data)
        known = {each["access_key_id"]: (each["secret_access_key"], "") for each in data["iam"]["AccessKey"]}
        for each in data["sts"]["AssumedRole"]:
            known[each["access_key_id"]] = (each["secret_access_key"], each["session_token"])
        return known


@contextmanager
def account() -> Iterator[Account]:
    """An account that lasts as long as the block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would print every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Account(f"http://{host}:{port}")
    finally:
        server.stop()
