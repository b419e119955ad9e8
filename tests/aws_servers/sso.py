"""The portal of IAM Identity Center (SSO): keys of a role for who has signed in; and the file that this leaves."""

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

from aws_servers.account import ACCOUNT, Keys
from aws_servers.http import Reply, Request, Served, serve

START = "https://example.awsapps.com/start"


class Portal:
    """A portal; `token` is the one that it accepts, `role` whom it gives keys of."""

    def __init__(self, keys: Keys, role: str, served: Served) -> None:
        self.url = served.url
        self.requests = served.requests
        self.keys = keys
        self.role = role
        self.token = "aoaAAAAA-signed-in"
        self._ends = float("inf")

    def answer(self, request: Request) -> Reply:
        """What GetRoleCredentials says."""
        if request.path != "/federation/credentials":
            return Reply(404, {"message": "Not Found"})
        if request.headers.get("x-amz-sso_bearer_token") != self.token or time.time() > self._ends:
            return _refused(401, "UnauthorizedException", "Session token not found or invalid")
        asked = {name: values[0] for name, values in parse_qs(request.query).items()}
        if asked != {"role_name": self.role, "account_id": ACCOUNT}:
            return _refused(403, "ForbiddenException", "No access")
        ends = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
        names = ("accessKeyId", "secretAccessKey", "sessionToken")
        return Reply(200, {"roleCredentials": dict(zip(names, self.keys, strict=False)) | {"expiration": ends}})

    def sign_in(self, home: Path, *, session: str = "", hours: float = 8) -> Path:
        """What `aws sso login` leaves in `home`, for the start URL or for a named session."""
        name = hashlib.sha1((session or START).encode()).hexdigest()
        path = home / ".aws" / "sso" / "cache" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._ends = time.time() + hours * 3600
        ends = datetime.fromtimestamp(self._ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        path.write_text(
            json.dumps({"startUrl": START, "region": "us-east-2", "accessToken": self.token, "expiresAt": ends})
        )
        return path


def _refused(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"__type": code, "message": message})


@contextmanager
def portal(keys: Keys, role: str = "Admin") -> Iterator[Portal]:
    """A portal that gives out `keys` of `role`, as long as the block lasts."""
    with serve() as served:
        made = Portal(keys, role, served)
        served.handle = made.answer
        yield made
