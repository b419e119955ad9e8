"""What the tests of the exchanges do with their hands: mint a token by the real road, call with it, read an error."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import urllib3

from gbearer import exchange, sources
from gbearer.emulator import Emulator
from gbearer.errors import Error
from gbearer.model import Ask, Token
from gbearer.sources import Look
from gbearer.transport import Transport

DOMAIN = "emulator-project.iam.gserviceaccount.com"
ROBOT, TARGET, MIDDLE, TARGET2, LONG, DEFAULT = (
    f"{name}@{DOMAIN}" for name in ("robot", "target", "middle", "target2", "long", "default")
)
ADA = "ada@example.com"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
PREFIX = "https://www.googleapis.com/auth/"
AUDIENCE = "https://service-abc.run.app"
_POOL = urllib3.PoolManager(retries=False, timeout=15)


def mint(
    em: Emulator,
    *,
    env: Mapping[str, str] = {},
    clock: Callable[[], float] = time.time,
    tries: int = 2,
    **options: Any,
) -> Token:
    """The token for a question with `options`: located, its base token first where there is one, then exchanged."""
    look = Look({"GBEARER_EMULATOR_HOST": em.host, "HOME": "/nowhere", **env})
    way = Transport(look.env, total=3, tries=tries)
    ask = Ask(**options)
    source = sources.locate(ask, look, way)
    full = ask.replace(impersonate=(*source.impersonate, *ask.impersonate))

    def made(ask: Ask) -> Token:
        base_ask = exchange.needs_base(ask)
        base = None if base_ask is None else made(base_ask)
        return exchange.token(ask, source, way, base, clock)

    return made(full)


def refusal(kind: type[Error], em: Emulator, /, **options: Any) -> str:
    """The whole text of the error that minting ends with, which is of exactly the class `kind`."""
    with pytest.raises(Error) as caught:
        mint(em, **options)
    assert type(caught.value) is kind, caught.value
    text = str(caught.value)
    assert caught.value.why
    assert caught.value.fix
    for secret in ("eyJ", "ya29.", "1//", "emulator-secret", "BEGIN"):
        assert secret not in text
    assert all(line.isprintable() for line in text.split("\n"))
    return text


def served(em: Emulator) -> list[tuple[str, int]]:
    """(last part of the path, status) of every request since the last reset, in order."""
    return [(entry["path"].rstrip("/").rpartition("/")[2].rpartition(":")[2], entry["status"]) for entry in em.log()]


def call(em: Emulator, path: str, token: Token) -> tuple[int, Any]:
    """(status, body) of a call with the token at one of the emulator's targets."""
    answer = _POOL.request("POST", em.url + path, headers={"Authorization": f"Bearer {token.value}"}, body=b"{}")
    return answer.status, answer.json() if answer.status == 200 else answer.data
