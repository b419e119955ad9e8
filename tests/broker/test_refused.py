"""After a refusal: a 401 drops the refused token and no other, once; a refused base token is made anew."""

import pytest

from broker.conftest import Clock, made
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import Error
from gbearer.model import Ask

TARGET = "target@emulator-project.iam.gserviceaccount.com"


def test_a_refused_token_is_dropped_everywhere_and_once_in_30_seconds(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    token = broker.get(Ask())
    assert broker.drop(Ask(), token)
    new = broker.get(Ask())
    assert new != token
    assert Broker(env, clock).get(Ask()) == new
    assert not broker.drop(Ask(), new), "not again so soon"
    assert broker.get(Ask()) == new
    other = Broker(env, clock)
    other.get(Ask())
    assert not other.drop(Ask(), new), "in another process neither"
    clock.ahead = 31
    assert broker.drop(Ask(), new)
    assert made(gbearer_emulator) == 2


def test_a_token_that_somebody_renewed_meanwhile_stays(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    old = broker.get(Ask())
    new = Broker(env, clock).get(Ask(refresh=True))
    assert broker.drop(Ask(), old)
    assert broker.get(Ask()) == new
    assert made(gbearer_emulator) == 2


def test_a_base_token_that_is_refused_is_made_anew(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    broker.get(Ask(impersonate=(TARGET,)))
    gbearer_emulator.reset()
    gbearer_emulator.fault({"match": {"path": "/v1/projects/-/serviceAccounts"}, "status": 401})
    token = Broker(env, clock).get(Ask("id", audience="https://x.run.app", impersonate=(TARGET,)))
    assert token.principal == TARGET
    assert made(gbearer_emulator) == 1, "the base token"
    assert made(gbearer_emulator, ":generateIdToken") == 2


def test_a_base_token_just_made_is_not_made_twice(broker: Broker, gbearer_emulator: Emulator) -> None:
    gbearer_emulator.fault({"count": None, "match": {"path": "/v1/projects/-/serviceAccounts"}, "status": 401})
    with pytest.raises(Error, match="401"):
        broker.get(Ask(impersonate=(TARGET,)))
    assert made(gbearer_emulator) == 1


def test_the_delegation_chain_shares_the_base_token(broker: Broker, gbearer_emulator: Emulator) -> None:
    domain = "emulator-project.iam.gserviceaccount.com"
    broker.get(Ask(impersonate=(TARGET,)))
    broker.get(Ask(impersonate=(f"middle@{domain}", f"target2@{domain}")))
    assert made(gbearer_emulator) == 1
    assert made(gbearer_emulator, ":generateAccessToken") == 2
