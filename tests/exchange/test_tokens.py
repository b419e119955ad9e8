"""Every exchange, by the real road: the token is accepted where it belongs, and not one request more was made."""

import json
import threading
import time
from typing import Any

import jwt
import pytest

from exchange.hands import (
    ADA,
    AUDIENCE,
    CLOUD,
    DEFAULT,
    LONG,
    MIDDLE,
    PREFIX,
    ROBOT,
    TARGET,
    TARGET2,
    call,
    mint,
    refusal,
    served,
)
from gbearer import exchange
from gbearer.emulator import Emulator
from gbearer.errors import Denied, UsageError
from gbearer.model import Ask

KEY, USER, IMPERSONATED, MACHINE = "key.json", "user.json", "impersonated.json", ""
INFO = ("default", 200)
UNIVERSE = ("universe-domain", 404)
ACCESS: list[tuple[str, dict[str, Any], str, list[tuple[str, int]]]] = [
    (KEY, {}, ROBOT, [("token", 200)]),
    (USER, {}, ADA, [("token", 200)]),
    (IMPERSONATED, {}, TARGET, [("token", 200), ("generateAccessToken", 200)]),
    (MACHINE, {}, DEFAULT, [INFO, ("token", 200)]),
    (KEY, {"impersonate": (TARGET,)}, TARGET, [("token", 200), ("generateAccessToken", 200)]),
    (KEY, {"impersonate": (MIDDLE, TARGET2)}, TARGET2, [("token", 200), ("generateAccessToken", 200)]),
    (USER, {"impersonate": (TARGET,)}, TARGET, [("token", 200), ("generateAccessToken", 200)]),
    (MACHINE, {"impersonate": (TARGET,)}, TARGET, [UNIVERSE, INFO, ("token", 200), ("generateAccessToken", 200)]),
    (KEY, {"subject": ADA}, ADA, [("token", 200)]),
    (KEY, {"subject": ADA, "impersonate": (ROBOT,)}, ADA, [("token", 200), ("signJwt", 200), ("token", 200)]),
]
IDENTITY: list[tuple[str, dict[str, Any], str, list[tuple[str, int]]]] = [
    (KEY, {}, ROBOT, [("token", 200)]),
    (IMPERSONATED, {}, TARGET, [("token", 200), ("generateIdToken", 200)]),
    (MACHINE, {}, DEFAULT, [("identity", 200)]),
    (KEY, {"impersonate": (TARGET,)}, TARGET, [("token", 200), ("generateIdToken", 200)]),
    (KEY, {"impersonate": (MIDDLE, TARGET2)}, TARGET2, [("token", 200), ("generateIdToken", 200)]),
    (USER, {"impersonate": (TARGET,)}, TARGET, [("token", 200), ("generateIdToken", 200)]),
    (MACHINE, {"impersonate": (TARGET,)}, TARGET, [UNIVERSE, INFO, ("token", 200), ("generateIdToken", 200)]),
]


def credentials(em: Emulator, name: str) -> dict[str, Any]:
    return {"credentials": str(em.dir / name)} if name else {}


@pytest.mark.parametrize(("name", "options", "whose", "requests"), ACCESS)
def test_access_tokens(
    gbearer_emulator: Emulator, name: str, options: dict[str, Any], whose: str, requests: list[tuple[str, int]]
) -> None:
    threads = threading.active_count()
    token = mint(gbearer_emulator, **credentials(gbearer_emulator, name), **options)
    assert threading.active_count() == threads  # google-auth looks up nothing behind our back
    assert served(gbearer_emulator) == requests
    assert (token.kind, token.principal) == ("access", whose)
    assert 3590 <= token.expires_in() <= 3600
    assert abs(token.issued_at - time.time()) < 5
    assert CLOUD in token.scopes
    status, body = call(gbearer_emulator, f"/v1/protected?scope={CLOUD}", token)
    assert status == 200, body
    assert whose in json.dumps(body)


@pytest.mark.parametrize(("name", "options", "whose", "requests"), IDENTITY)
def test_id_tokens(
    gbearer_emulator: Emulator, name: str, options: dict[str, Any], whose: str, requests: list[tuple[str, int]]
) -> None:
    audience = f"{gbearer_emulator.url}/functions/get_range"
    token = mint(gbearer_emulator, kind="id", audience=audience, **credentials(gbearer_emulator, name), **options)
    assert served(gbearer_emulator) == requests
    assert (token.kind, token.principal, token.audience) == ("id", whose, audience)
    assert 3590 <= token.expires_in() <= 3600
    claims = jwt.decode(token.value, options={"verify_signature": False})
    assert abs(token.expires_at - claims["exp"]) < 5
    status, body = call(gbearer_emulator, "/functions/get_range", token)
    assert status == 200, body
    assert whose in json.dumps(body)
    assert call(gbearer_emulator, "/functions/another", token)[0] in (401, 403)


def test_a_users_id_token_is_for_the_users_own_client_and_no_other(gbearer_emulator: Emulator) -> None:
    client_id = json.loads(gbearer_emulator.user_file.read_text())["client_id"]
    given = credentials(gbearer_emulator, USER)
    token = mint(gbearer_emulator, kind="id", audience=client_id, **given)
    assert (token.principal, token.audience) == (ADA, client_id)
    assert "--impersonate" in refusal(Denied, gbearer_emulator, kind="id", audience=AUDIENCE, **given)
    assert served(gbearer_emulator) == [("token", 200)]


def test_a_user_sends_no_scope_unless_one_is_given(gbearer_emulator: Emulator) -> None:
    given = credentials(gbearer_emulator, USER)
    everything = mint(gbearer_emulator, **given)
    narrow = mint(gbearer_emulator, scopes=(PREFIX + "compute",), **given)
    assert len(everything.scopes) > 3
    assert narrow.scopes == (PREFIX + "compute",)
    sent = [entry["scope"] for entry in gbearer_emulator.log()]
    assert sent[1] == PREFIX + "compute"
    assert len(sent[0].split()) > 3  # the emulator notes the grant's own scopes when none is asked for


def test_scopes_are_those_asked_for_else_cloud_platform(gbearer_emulator: Emulator) -> None:
    wanted = (PREFIX + "drive.readonly", PREFIX + "spreadsheets")
    chains: tuple[dict[str, Any], ...] = ({}, {"impersonate": (TARGET,)})
    for options in chains:
        for scopes in ((), wanted):
            gbearer_emulator.reset()
            token = mint(gbearer_emulator, scopes=scopes, **credentials(gbearer_emulator, KEY), **options)
            assert token.scopes == (scopes or (CLOUD,))
            assert gbearer_emulator.log()[-1]["scope"] == " ".join(token.scopes)
            if options:  # the token beneath is the same whatever is asked of the target
                assert gbearer_emulator.log()[0]["scope"] == CLOUD


def test_a_file_that_impersonates_brings_its_own_scopes(gbearer_emulator: Emulator) -> None:
    document = json.loads(gbearer_emulator.impersonated_file.read_text()) | {"scopes": [PREFIX + "drive"]}
    assert mint(gbearer_emulator, credentials=json.dumps(document)).scopes == (PREFIX + "drive",)


def test_the_chain_of_the_file_comes_before_that_of_the_question(gbearer_emulator: Emulator) -> None:
    document = json.loads(gbearer_emulator.impersonated_file.read_text())
    url = document["service_account_impersonation_url"].replace(TARGET, MIDDLE)
    token = mint(
        gbearer_emulator,
        credentials=json.dumps(document | {"service_account_impersonation_url": url}),
        impersonate=(TARGET2,),
    )
    assert token.principal == TARGET2
    assert gbearer_emulator.log()[-1]["delegates"] == [f"projects/-/serviceAccounts/{MIDDLE}"]


def test_one_base_token_serves_every_target_audience_and_scope() -> None:
    asks = [
        Ask(kind="id", audience=AUDIENCE, impersonate=(TARGET,)),
        Ask(kind="id", audience=AUDIENCE + "/x", impersonate=(MIDDLE, TARGET2), min_ttl=60),
        Ask(scopes=(PREFIX + "drive",), impersonate=(LONG,), lifetime=7200, quota_project="p"),
        Ask(subject=ADA, impersonate=(ROBOT,), refresh=True),
    ]
    assert {exchange.needs_base(ask) for ask in asks} == {Ask()}
    assert exchange.needs_base(Ask()) is None


def test_a_lifetime_is_given_to_impersonated_tokens(gbearer_emulator: Emulator) -> None:
    given = credentials(gbearer_emulator, KEY)
    for target, lifetime in ((TARGET, 600), (LONG, 43_200)):
        token = mint(gbearer_emulator, impersonate=(target,), lifetime=lifetime, **given)
        assert lifetime - 5 <= token.expires_in() <= lifetime
    text = refusal(UsageError, gbearer_emulator, lifetime=600, **given)
    assert "--impersonate" in text


@pytest.mark.parametrize("lifetime", [None, 600])
def test_a_self_signed_jwt_needs_no_network_and_is_accepted(gbearer_emulator: Emulator, lifetime: int | None) -> None:
    given = credentials(gbearer_emulator, KEY)
    own = f"{gbearer_emulator.url}/"
    for_audience = mint(gbearer_emulator, kind="jwt", audience=own, lifetime=lifetime, **given)
    with_scope = mint(gbearer_emulator, kind="jwt", lifetime=lifetime, **given)
    assert served(gbearer_emulator) == []
    for token in (for_audience, with_scope):
        claims = jwt.decode(token.value, options={"verify_signature": False})
        assert (claims["iss"], claims["sub"]) == (ROBOT, ROBOT)
        assert claims["exp"] - claims["iat"] == (lifetime or 3600)
        assert abs(token.expires_at - claims["exp"]) < 3
        assert ("aud" in claims) != ("scope" in claims)
        header = jwt.get_unverified_header(token.value)
        assert header["kid"] == json.loads(gbearer_emulator.key_file.read_text())["private_key_id"]
        assert call(gbearer_emulator, "/v1/protected", token)[0] == 200
    for name in (USER, MACHINE):
        text = refusal(UsageError, gbearer_emulator, kind="jwt", **credentials(gbearer_emulator, name))
        assert "needs a service account key" in text


def test_a_ready_made_token_is_what_it_is(gbearer_emulator: Emulator) -> None:
    made = mint(gbearer_emulator, **credentials(gbearer_emulator, KEY))
    env = {"CLOUDSDK_AUTH_ACCESS_TOKEN": made.value}
    token = mint(gbearer_emulator, env=env, source="env")
    assert (token.value, token.expires_at) == (made.value, 0.0)
    impersonated = mint(gbearer_emulator, env=env, source="env", impersonate=(TARGET,), kind="id", audience=AUDIENCE)
    assert impersonated.principal == TARGET
    for options in ({"kind": "id", "audience": AUDIENCE}, {"kind": "jwt"}, {"scopes": (CLOUD,)}, {"subject": ADA}):
        assert "--impersonate" in refusal(UsageError, gbearer_emulator, env=env, source="env", **options)


@pytest.mark.parametrize("name", [USER, MACHINE])
def test_domain_wide_delegation_needs_an_account_that_can_sign(gbearer_emulator: Emulator, name: str) -> None:
    text = refusal(UsageError, gbearer_emulator, subject=ADA, **credentials(gbearer_emulator, name))
    assert "--impersonate" in text
    assert served(gbearer_emulator) == []


@pytest.mark.parametrize(("name", "options"), [(KEY, {}), (KEY, {"impersonate": (TARGET,)}), (MACHINE, {})])
@pytest.mark.parametrize("kind", ["access", "id"])
def test_ends_are_by_the_clock_that_is_given(
    gbearer_emulator: Emulator, name: str, options: dict[str, Any], kind: str
) -> None:
    audience = AUDIENCE if kind == "id" else None
    given = credentials(gbearer_emulator, name)
    token = mint(gbearer_emulator, clock=lambda: 5000.0, kind=kind, audience=audience, **given, **options)
    assert 5000 + 3590 <= token.expires_at <= 5000 + 3600
    assert token.issued_at == 5000


@pytest.mark.parametrize("skew", [-1800, 1800])
@pytest.mark.parametrize("options", [{}, {"kind": "id", "audience": AUDIENCE}])
def test_an_end_stated_by_a_clock_that_differs_is_reckoned_by_that_clock(
    gbearer_emulator: Emulator, skew: int, options: dict[str, Any]
) -> None:
    gbearer_emulator.fault({"clock_skew": skew})
    token = mint(gbearer_emulator, impersonate=(TARGET,), **credentials(gbearer_emulator, USER), **options)
    assert 3590 <= token.expires_in() <= 3605


@pytest.mark.parametrize(("expires_in", "left"), [("3599", 3599), (120, 120), (120.5, 120.5)])
def test_an_end_may_be_text_or_short(gbearer_emulator: Emulator, expires_in: object, left: float) -> None:
    body = json.dumps({"access_token": "ya29.x", "expires_in": expires_in, "token_type": "Bearer"})
    gbearer_emulator.fault({"body": body, "match": {"path": "/token"}})
    assert abs(mint(gbearer_emulator, **credentials(gbearer_emulator, KEY)).expires_in() - left) < 3


def test_a_token_without_an_end_has_an_unknown_one(gbearer_emulator: Emulator) -> None:
    gbearer_emulator.fault({"body": '{"access_token": "ya29.x"}', "match": {"path": "/token"}})
    assert mint(gbearer_emulator, **credentials(gbearer_emulator, KEY)).expires_at == 0.0


def test_scopes_that_the_login_does_not_grant_are_told(
    gbearer_emulator: Emulator, capfd: pytest.CaptureFixture[str]
) -> None:
    body = json.dumps({"access_token": "ya29.x", "expires_in": 3599, "scope": CLOUD})
    gbearer_emulator.fault({"body": body, "match": {"path": "/token"}})
    token = mint(gbearer_emulator, scopes=(CLOUD, PREFIX + "drive"), **credentials(gbearer_emulator, USER))
    assert token.scopes == (CLOUD,)
    assert capfd.readouterr().err == f"warning: this login does not grant {PREFIX}drive\n"


def test_a_retried_endpoint_is_asked_again_by_the_transport_alone(gbearer_emulator: Emulator) -> None:
    machine = "/computeMetadata/v1/instance/service-accounts/default/token"
    for name, path in ((KEY, "/token"), (USER, "/token"), (MACHINE, machine)):
        gbearer_emulator.reset()
        gbearer_emulator.fault({"status": 503, "match": {"path": path}})
        mint(gbearer_emulator, **credentials(gbearer_emulator, name))
        assert served(gbearer_emulator)[-2:] == [("token", 503), ("token", 200)]
