"""The instance metadata service of EC2: version 2 with session tokens, version 1 where it is left on, the hop limit."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from aws_servers.account import Keys
from aws_servers.http import Reply, Request, Served, serve

_ROLES = "/latest/meta-data/iam/security-credentials/"


class Imds:
    """A metadata service. What it is to do is set on it.

    keys       of the instance's role
    role       the name of that role; "" for an instance without one
    version_1  whether it also answers without a session token
    version_2  whether it knows session tokens; without, it is as old as 2018
    hop_limit  1: what answers a PUT does not get as far as into a container
    disabled   whether the service is off: everything is 403
    code       what it says about the role's keys
    """

    def __init__(self, keys: Keys, role: str, served: Served) -> None:
        self.url = served.url
        self.requests = served.requests
        self.paths = served.paths
        self.keys = keys
        self.role = role
        self.region = "us-east-2"
        self.version_1 = False
        self.version_2 = True
        self.hop_limit = 2
        self.disabled = False
        self.code = "Success"
        self.region_known = True
        self._tokens: set[str] = set()

    def answer(self, request: Request) -> Reply | None:
        """What the service would say from inside a container."""
        if self.disabled or "x-forwarded-for" in request.headers:
            return Reply(403, "Forbidden")
        if request.path == "/latest/api/token":
            return self._token(request)
        if request.method != "GET":
            return Reply(405, "Method Not Allowed")
        token = request.headers.get("x-aws-ec2-metadata-token")
        if token is None and not self.version_1:
            return Reply(401, "Unauthorized")
        if token is not None and token not in self._tokens:
            return Reply(401, "Unauthorized")
        return self._read(request.path)

    def _token(self, request: Request) -> Reply | None:
        if not self.version_2:
            return Reply(404, "Not Found")
        if request.method != "PUT":
            return Reply(405, "Method Not Allowed")
        if self.hop_limit < 2:
            return None
        seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            return Reply(400, "Bad Request")
        token = secrets.token_urlsafe(40)
        self._tokens.add(token)
        return Reply(200, token)

    def _read(self, path: str) -> Reply:
        if path == "/latest/meta-data/placement/region" and self.region_known:
            return Reply(200, self.region)
        if path == "/latest/meta-data/placement/availability-zone":
            return Reply(200, f"{self.region}b")
        if path.rstrip("/") + "/" == _ROLES and self.role:
            return Reply(200, self.role)
        if path == _ROLES + self.role and self.role:
            if self.code != "Success":
                return Reply(200, {"Code": self.code, "Message": "EC2 cannot assume the role"})
            return Reply(200, self.keys.document(Code="Success", Type="AWS-HMAC", LastUpdated="2026-11-22T00:00:00Z"))
        return Reply(404, "Not Found")


@contextmanager
def imds(keys: Keys, role: str = "node") -> Iterator[Imds]:
    """A metadata service that gives out `keys` of `role`, as long as the block lasts."""
    with serve() as served:
        made = Imds(keys, role, served)
        served.handle = made.answer
        yield made
