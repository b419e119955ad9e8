"""What the tests of AWS do with their hands: ask for a token in a scene, see who it was, read an error."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import urllib3

from aws_servers import Sts
from gbearer import exchange, sources
from gbearer.broker import Answer, Broker
from gbearer.emulator import Emulator
from gbearer.errors import Error
from gbearer.model import Ask, Token
from gbearer.sources import Look
from gbearer.transport import Answer as Answered
from gbearer.transport import Transport

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
PROVIDER = f"{POOL}/providers/aws"
SUBJECTS = f"principal://iam.googleapis.com/{POOL}/subject/"
TARGET = "target@emulator-project.iam.gserviceaccount.com"
AUDIENCE = "https://service-abc.run.app"
TASK_AGENT = "169.254.170.2"
_POOL = urllib3.PoolManager(retries=False, timeout=15)


class Place:
    """One test's surroundings: a Google, an AWS, a home."""

    def __init__(self, em: Emulator, sts: Sts, home: Path) -> None:
        self.em = em
        self.sts = sts
        self.home = home
        self.env = {
            "GBEARER_EMULATOR_HOST": em.host,
            "GBEARER_CACHE": str(home / "cache"),
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL_STS": sts.url,
        }

    def answer(self, env: Mapping[str, str], **options: Any) -> Answer:
        """What a broker of its own says to `--source aws` with `options`."""
        wanted: dict[str, Any] = {"source": "aws", "provider": PROVIDER} | options
        if wanted.get("credentials"):
            del wanted["source"], wanted["provider"]
        return Broker(self.env | dict(env)).answer(Ask(**wanted))

    def refusal(self, kind: type[Error], env: Mapping[str, str], **options: Any) -> str:
        """The whole text of the error, which is of exactly the class `kind`, after which Google was asked nothing."""
        with pytest.raises(Error) as caught:
            self.answer(env, **options)
        assert type(caught.value) is kind, caught.value
        assert caught.value.why
        assert caught.value.fix
        assert self.em.log() == []
        text = str(caught.value)
        assert all(line.isprintable() for line in text.split("\n"))
        return text

    def caller(self) -> str:
        """The ARN in the last exchange that Google's STS was asked for."""
        asked = [entry for entry in self.em.log() if entry["path"] == "/v1/token"]
        assert asked[-1]["status"] == 200, asked[-1]
        principal = str(asked[-1]["principal"])
        assert principal.startswith(SUBJECTS)
        return principal.removeprefix(SUBJECTS)

    def accepts(self, token: Token) -> None:
        """The emulator's targets take this token."""
        if token.kind == "id":
            assert token.audience is not None
            url = f"{self.em.url}/functions/hello"
            assert token.audience == url
        else:
            url = f"{self.em.url}/v1/protected"
        answer = _POOL.request("GET", url, headers={"Authorization": f"Bearer {token.value}"})
        assert answer.status == 200, answer.data


def elsewhere(env: Mapping[str, str], here: str) -> Transport:
    """A transport on which ECS's agent, which no variable can move, is at `here`."""

    class Moved(Transport):
        def send(self, method: str, url: str, **options: Any) -> Answered:
            return super().send(method, url.replace(f"http://{TASK_AGENT}", here), **options)

    return Moved(env, total=20)


def mint(env: Mapping[str, str], way: Transport, clock: Callable[[], float] = time.time, **options: Any) -> Token:
    """A token by the real road on a transport of the test's own: located, base first where there is one, exchanged."""
    ask = Ask(source="aws", provider=PROVIDER, **options)
    source = sources.locate(ask, Look(env), way)
    base_ask = exchange.needs_base(ask)
    base = None if base_ask is None else exchange.token(base_ask, source, way, None, clock)
    return exchange.token(ask, source, way, base, clock)
