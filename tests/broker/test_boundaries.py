"""Boundaries in the broker: one base token for all, renewed together, made anew where it is refused."""

import pytest

from broker.conftest import Clock, made
from gbearer import boundary, cache
from gbearer.broker import Broker
from gbearer.cli import cache as command
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, UsageError
from gbearer.model import Ask

ROBOT, TARGET = (f"{name}@emulator-project.iam.gserviceaccount.com" for name in ("robot", "target"))
BOUNDARY = boundary.for_bucket("emulator-bucket", "customer-a/", "objectViewer")


def boundaries(count: int) -> list[str]:
    return [boundary.for_bucket("emulator-bucket", f"customer-{number}/", "objectViewer") for number in range(count)]


def test_ten_boundaries_take_one_base_token(broker: Broker, env: dict[str, str], gbearer_emulator: Emulator) -> None:
    tokens = {broker.get(Ask(boundary=text)).value for text in boundaries(10)}
    assert len(tokens) == 10
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (1, 10)
    later = Broker(env)
    assert {later.get(Ask(boundary=text)).value for text in boundaries(10)} == tokens, "from disk"
    assert later.get(Ask()).source == env["GOOGLE_APPLICATION_CREDENTIALS"], "the base is the token without a boundary"
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (1, 10)


def test_ten_boundaries_around_an_impersonated_account_take_one_token_on_each_floor(
    broker: Broker, gbearer_emulator: Emulator
) -> None:
    for text in boundaries(10):
        assert broker.get(Ask(boundary=text, impersonate=(TARGET,), lifetime=900)).principal == TARGET
    paths = ("/token", ":generateAccessToken", "/v1/token")
    assert [made(gbearer_emulator, path) for path in paths] == [1, 1, 10]


def test_a_base_token_that_sts_refuses_is_made_anew_once(broker: Broker, gbearer_emulator: Emulator) -> None:
    first, second, third = boundaries(3)
    broker.get(Ask(boundary=first))
    refused = {"match": {"path": "/v1/token"}, "oauth_error": {"error": "invalid_grant"}}
    gbearer_emulator.fault(refused)
    assert broker.get(Ask(boundary=second)).value.startswith("ya29.dr.")
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (2, 3)
    gbearer_emulator.fault({**refused, "count": None})
    with pytest.raises(BadCredentials, match="does not accept the token"):
        broker.get(Ask(boundary=third))
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (3, 5)


def test_a_boundary_that_google_refuses_makes_no_new_base_token(broker: Broker, gbearer_emulator: Emulator) -> None:
    broker.get(Ask(boundary=BOUNDARY))
    bad = boundary.for_bucket("emulator-bucket", None, "roles/storage.notARole")
    with pytest.raises(UsageError, match="does not accept this boundary"):
        broker.get(Ask(boundary=bad))
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (1, 2)


def test_near_its_end_base_and_boundary_are_renewed_together(
    broker: Broker, clock: Clock, gbearer_emulator: Emulator
) -> None:
    ask = Ask(boundary=BOUNDARY)
    token = broker.get(ask)
    clock.ahead = token.expires_in() - 227
    assert broker.get(ask) == token
    clock.ahead += 10
    later = broker.get(ask)
    assert later.expires_at > token.expires_at + 3000
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (2, 2)


def test_a_boundary_asked_for_late_ends_with_its_base(broker: Broker, clock: Clock, gbearer_emulator: Emulator) -> None:
    first, second = boundaries(2)
    token = broker.get(Ask(boundary=first))
    clock.ahead = 3000
    late = broker.get(Ask(boundary=second))
    assert abs(late.expires_at - token.expires_at) < 2
    assert made(gbearer_emulator) == 1
    longer = broker.get(Ask(boundary=second, min_ttl=1800))
    assert longer.expires_in(clock()) > 1800, "the least life is had of the base as well"
    assert made(gbearer_emulator) == 2


def test_refresh_makes_both_anew(broker: Broker, gbearer_emulator: Emulator) -> None:
    token = broker.get(Ask(boundary=BOUNDARY))
    assert broker.get(Ask(boundary=BOUNDARY, refresh=True)) != token
    assert (made(gbearer_emulator), made(gbearer_emulator, "/v1/token")) == (2, 2)


def test_an_old_one_serves_on_while_google_cannot_be_reached(
    broker: Broker, clock: Clock, gbearer_emulator: Emulator
) -> None:
    ask = Ask(boundary=BOUNDARY)
    token = broker.get(ask)
    clock.ahead = token.expires_in() - 100
    gbearer_emulator.fault(
        {"count": None, "match": {"path": "/token"}, "drop": True},
        {"count": None, "match": {"path": "/v1/token"}, "drop": True},
    )
    answer = broker.answer(ask)
    assert (answer.token, answer.how) == (token, "stale")


def test_the_cache_tells_which_token_is_held_down(broker: Broker, env: dict[str, str]) -> None:
    broker.get(Ask(boundary=BOUNDARY))
    lines = [command._line(key, token) for key, token in cache.open_cache(env).list()]
    assert sorted("bounded" in line.split() for line in lines) == [False, True]
    assert all(ROBOT in line for line in lines)


def test_the_quota_project_stays_beside_it(broker: Broker) -> None:
    assert broker.get(Ask(boundary=BOUNDARY, quota_project="my-project")).quota_project == "my-project"
