"""The credential endpoints of containers: ECS and Fargate tasks, EKS Pod Identity, Greengrass and CloudShell."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_servers.account import ACCOUNT, Keys
from aws_servers.http import Reply, Request, Served, serve

PATH = "/v2/credentials/5a4b3c2d-0000-1111-2222-333344445555"
POD_PATH = "/v1/credentials"
METADATA = "/v4/0123456789abcdef"


class Container:
    """An endpoint. What it is to do is set on it.

    keys           of the task or pod
    authorization  what the Authorization header has to be; "" where none is wanted
    status         what it answers with instead of keys; 0 for none
    body           what it gives in place of the keys' document, None for that document
    """

    def __init__(self, keys: Keys, served: Served) -> None:
        self.url = served.url
        self.requests = served.requests
        self.paths = served.paths
        self.keys = keys
        self.authorization = ""
        self.status = 0
        self.body: bytes | None = None
        self.region = "us-east-2"

    def answer(self, request: Request) -> Reply:
        """What the agent on the host would say."""
        if request.path == f"{METADATA}/task":
            arn = f"arn:aws:ecs:{self.region}:{ACCOUNT}:task/cluster/5a4b3c2d"
            return Reply(200, {"TaskARN": arn, "AvailabilityZone": f"{self.region}a", "LaunchType": "FARGATE"})
        if request.path not in (PATH, POD_PATH):
            return Reply(404, {"code": "NotFound", "message": "credentials: no such id"})
        if self.status:
            return Reply(self.status, {"code": "Sorry", "message": f"the agent says {self.status}"})
        if self.authorization and request.headers.get("authorization") != self.authorization:
            return Reply(401, {"code": "Unauthorized", "message": "the token in Authorization is not valid"})
        return Reply(200, self.keys.document() if self.body is None else self.body)


@contextmanager
def container(keys: Keys) -> Iterator[Container]:
    """An endpoint that gives out `keys`, as long as the block lasts."""
    with serve() as served:
        made = Container(keys, served)
        served.handle = made.answer
        yield made
