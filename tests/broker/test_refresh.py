"""When a token is served, renewed, or refused: the windows, with the clock as the only thing that moves."""

import json

import pytest

from broker.conftest import Clock, made
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, Unreachable, UsageError
from gbearer.model import Ask

TARGET = "target@emulator-project.iam.gserviceaccount.com"
DEAD = {"count": None, "match": {"path": "/token"}, "drop": True}


def test_a_fresh_token_is_served_from_memory_and_then_from_disk(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    first = broker.answer(Ask())
    assert first.how == "minted"
    assert broker.answer(Ask()).how == "memory"
    second = Broker(env, clock).answer(Ask())
    assert (second.how, second.token) == ("disk", first.token)
    assert made(gbearer_emulator) == 1


def test_the_window_is_225_seconds(broker: Broker, clock: Clock, gbearer_emulator: Emulator) -> None:
    token = broker.get(Ask())
    clock.ahead = token.expires_in() - 227
    assert broker.get(Ask()) == token
    clock.ahead = token.expires_in() - 223
    assert broker.peek(Ask()) is None
    assert broker.get(Ask()) != token
    assert made(gbearer_emulator) == 2


def test_the_window_of_a_short_token_is_a_quarter_of_its_life(
    broker: Broker, clock: Clock, gbearer_emulator: Emulator
) -> None:
    ask = Ask(impersonate=(TARGET,), lifetime=400)
    token = broker.get(ask)
    clock.ahead = 290
    assert broker.get(ask) == token
    clock.ahead = 305
    assert broker.get(ask) != token
    assert made(gbearer_emulator, ":generateAccessToken") == 2


@pytest.mark.parametrize("fresh_process", [False, True])
def test_a_stale_token_is_served_when_google_cannot_be_reached(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator, fresh_process: bool
) -> None:
    token = broker.get(Ask())
    clock.ahead = token.expires_in() - 100
    gbearer_emulator.fault(DEAD)
    asked = Broker(env, clock) if fresh_process else broker
    answer = asked.answer(Ask())
    assert (answer.token, answer.how) == (token, "stale")
    assert made(gbearer_emulator) == 2, "one short try"
    gbearer_emulator.reset()
    assert asked.get(Ask()) != token, "and renewed as soon as that works"


def test_a_stale_token_is_not_served_when_google_says_no(
    broker: Broker, clock: Clock, gbearer_emulator: Emulator
) -> None:
    token = broker.get(Ask())
    clock.ahead = token.expires_in() - 100
    gbearer_emulator.fault({"match": {"path": "/token"}, "oauth_error": {"error": "invalid_grant"}})
    with pytest.raises(BadCredentials):
        broker.get(Ask())


def test_an_expired_token_is_never_served(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    token = broker.get(Ask())
    clock.ahead = token.expires_in() + 1
    gbearer_emulator.fault(DEAD)
    for asked in (broker, Broker(env, clock)):
        with pytest.raises(Unreachable):
            asked.get(Ask())


def test_min_ttl_is_never_undercut(broker: Broker, clock: Clock, gbearer_emulator: Emulator) -> None:
    token = broker.get(Ask())
    clock.ahead = 1200
    assert broker.get(Ask(min_ttl=2000)) == token
    longer = broker.get(Ask(min_ttl=3000))
    assert longer != token
    assert longer.expires_in(clock()) >= 3000
    assert made(gbearer_emulator) == 2
    with pytest.raises(UsageError, match="min-ttl"):
        broker.get(Ask(min_ttl=4000))
    assert made(gbearer_emulator) == 3, "made once, then an error"
    gbearer_emulator.fault(DEAD)
    clock.ahead = 2000
    with pytest.raises(Unreachable):
        broker.get(Ask(min_ttl=3000))
    assert broker.get(Ask()).expires_in(clock()) > 0, "what is there still serves who asks for less"


def test_refresh_makes_a_new_one_for_everybody(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    token = broker.get(Ask())
    new = broker.get(Ask(refresh=True))
    assert new != token
    assert broker.get(Ask()) == new
    assert Broker(env, clock).get(Ask()) == new
    assert made(gbearer_emulator) == 2


def test_no_cache_touches_no_disk(
    broker: Broker, env: dict[str, str], clock: Clock, gbearer_emulator: Emulator
) -> None:
    broker.get(Ask(no_cache=True))
    assert Broker(env, clock).answer(Ask()).how == "minted"
    assert Broker(env, clock).answer(Ask(no_cache=True)).how == "minted"
    assert made(gbearer_emulator) == 3


def test_a_renewal_that_brings_no_later_end_is_not_repeated_for_30_seconds(
    broker: Broker, clock: Clock, gbearer_emulator: Emulator
) -> None:
    """A server that caches hands out the same token until shortly before its end."""

    def says(left: int) -> dict[str, object]:
        body = json.dumps({"access_token": "ya29.same", "expires_in": left, "token_type": "Bearer"})
        return {"match": {"path": "/token"}, "status": 200, "body": body}

    gbearer_emulator.fault(says(60), says(14))
    first = broker.get(Ask())
    clock.ahead = 46
    assert broker.get(Ask()) == first, "stale, so it was asked, and there is no other"
    assert made(gbearer_emulator) == 2
    for moved in (1, 5, 11, 13):
        clock.ahead = 46 + moved
        assert broker.get(Ask()) == first
    assert made(gbearer_emulator) == 2
    clock.ahead = 61
    assert broker.get(Ask()) != first


def test_a_token_of_unknown_end_is_never_served_again(env: dict[str, str], clock: Clock) -> None:
    env["CLOUDSDK_AUTH_ACCESS_TOKEN"] = "ya29.first"
    broker = Broker(env, clock)
    assert broker.get(Ask(source="env")).value == "ya29.first"
    env["CLOUDSDK_AUTH_ACCESS_TOKEN"] = "ya29.second"
    assert broker.get(Ask(source="env")).value == "ya29.second"
    assert broker.peek(Ask(source="env")) is None


def test_environment_and_files_are_looked_at_again_after_reset(
    broker: Broker, env: dict[str, str], gbearer_emulator: Emulator
) -> None:
    robot = broker.get(Ask())
    env["GOOGLE_APPLICATION_CREDENTIALS"] = str(gbearer_emulator.user_file)
    assert broker.get(Ask()) == robot, "memory answers without looking"
    broker.reset()
    assert broker.get(Ask()).principal != robot.principal
