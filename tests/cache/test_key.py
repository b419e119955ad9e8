"""The name of an entry: two questions that may get different tokens never share it; what only places a token does."""

from itertools import combinations

import pytest

from gbearer import cache
from gbearer.model import Ask

SA, SB = "a@p.iam.gserviceaccount.com", "b@p.iam.gserviceaccount.com"
DIFFERENT: list[Ask] = [
    Ask(),
    Ask(scopes=("openid",)),
    Ask(scopes=("https://www.googleapis.com/auth/a",)),
    Ask("id", audience="https://a"),
    Ask("id", audience="https://b"),
    Ask("jwt"),
    Ask("jwt", audience="https://a"),
    Ask(impersonate=(SA,)),
    Ask(impersonate=(SB,)),
    Ask(impersonate=(SA, SB)),
    Ask(impersonate=(SB, SA)),
    Ask(impersonate=(SA,), lifetime=600),
    Ask(lifetime=600),
    Ask(subject="ada@example.com"),
    Ask(subject="bob@example.com"),
    Ask(source="aws", provider="projects/1/locations/global/workloadIdentityPools/pool/providers/one"),
    Ask(boundary="x"),
    Ask(expect_role="arn:aws:iam::123456789012:role/one"),
    Ask(trust_config=True),
]


def key(ask: Ask, fingerprint: str = "f", env: dict[str, str] | None = None, universe: str = "googleapis.com") -> str:
    return cache.key(ask, fingerprint, env or {}, universe=universe, metadata=False)


def test_every_part_of_a_question_counts() -> None:
    for one, other in combinations(DIFFERENT, 2):
        assert key(one) != key(other), (one, other)


@pytest.mark.parametrize(
    "ask",
    [
        Ask(min_ttl=300),
        Ask(refresh=True),
        Ask(no_cache=True),
        Ask(quota_project="p"),
        Ask(source="file", credentials="key.json"),
        Ask(source="adc"),
        Ask(account="ada@example.com"),  # the fingerprint says whose login it is
    ],
)
def test_what_only_places_a_token_does_not(ask: Ask) -> None:
    assert key(ask) == key(Ask())


def test_the_order_of_scopes_does_not_count() -> None:
    assert key(Ask(scopes=("openid", "x"))) == key(Ask(scopes=("x", "openid")))


def test_who_answers_and_where_it_counts_do() -> None:
    emulator = {"GBEARER_EMULATOR_HOST": "127.0.0.1:8080"}
    keys = {
        key(Ask()),
        key(Ask(), "g"),
        key(Ask(), universe="example.com"),
        key(Ask(), env=emulator),
        key(Ask(), env={"GBEARER_EMULATOR_HOST": "127.0.0.1:8081"}),
        cache.key(Ask(), "f", {}, universe="googleapis.com", metadata=True),
        cache.key(Ask(), "f", {"GCE_METADATA_HOST": "10.0.0.1"}, universe="googleapis.com", metadata=True),
        cache.key(Ask(), "f", emulator, universe="googleapis.com", metadata=True),
    }
    assert len(keys) == 8
    assert all(len(k) == 64 and set(k) <= set("0123456789abcdef") for k in keys)
    assert key(Ask(), env={"GCE_METADATA_HOST": "10.0.0.1"}) == key(Ask()), "a key file has no metadata server"
