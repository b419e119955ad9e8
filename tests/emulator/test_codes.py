"""Codes and what comes of them: PKCE, client authentication, single use, refresh tokens that last, revocation."""

import stat
from pathlib import Path
from urllib.parse import quote

import pytest

from emulator.hands import ADA, call, good, oauth_error, refresh
from emulator.visitor import (
    VERIFIER,
    basic,
    client,
    code,
    exchange,
    own_basic,
    refreshed,
    s256,
    signed_in,
)
from gbearer import emulator
from gbearer.emulator import Emulator

OTHER = {"client_id": "emulator-other.apps.googleusercontent.com", "client_secret": "emulator-secret-other"}
NO_CLIENT: dict[str, str | None] = {"client_id": None, "client_secret": None}
PLAIN = {"code_challenge": "0a1b2c3d-0000-4000-8000-000000000000", "code_challenge_method": "plain"}


def test_a_code_is_good_once(em: Emulator) -> None:
    value = code(em)
    assert exchange(em, value).status == 200
    assert oauth_error(exchange(em, value)) == (400, "invalid_grant", "Bad Request")


def test_a_code_is_good_for_ten_minutes(em: Emulator) -> None:
    early, late = code(em), code(em)
    em.fault({"clock_skew": 590})
    assert exchange(em, early).status == 200
    em.fault({"clock_skew": 610})
    assert oauth_error(exchange(em, late)) == (400, "invalid_grant", "Bad Request")


def test_pkce_by_hash_and_by_a_plain_verifier_of_36_characters(em: Emulator) -> None:
    assert exchange(em, code(em, s256()), {"code_verifier": VERIFIER}).status == 200
    assert exchange(em, code(em, PLAIN), {"code_verifier": PLAIN["code_challenge"]}).status == 200
    implied = {"code_challenge": PLAIN["code_challenge"]}
    assert exchange(em, code(em, implied), {"code_verifier": PLAIN["code_challenge"]}).status == 200


@pytest.mark.parametrize("challenge", [s256(), PLAIN])
def test_a_wrong_verifier_is_refused_and_leaves_the_code_good(em: Emulator, challenge: dict[str, str | None]) -> None:
    value = code(em, challenge)
    assert oauth_error(exchange(em, value)) == (400, "invalid_grant", "Missing code verifier.")
    for wrong in (VERIFIER + "x", str(s256()["code_challenge"]), "é"):
        answer = exchange(em, value, {"code_verifier": wrong})
        assert oauth_error(answer) == (400, "invalid_grant", "Invalid code verifier.")
    right = VERIFIER if challenge == s256() else PLAIN["code_challenge"]
    assert exchange(em, value, {"code_verifier": right}).status == 200


def test_the_client_authenticates_in_the_body_or_by_basic_and_its_failure_burns_nothing(em: Emulator) -> None:
    value = code(em)
    for changes, headers, error in (
        (NO_CLIENT, {}, "invalid_request"),
        (NO_CLIENT, basic(client(em)["client_id"], "wrong"), "invalid_client"),
        ({"client_secret": None}, {}, "invalid_request"),
        ({"client_secret": "wrong"}, {}, "invalid_client"),
        ({"client_id": "nobody"}, {}, "invalid_client"),
        (OTHER, {}, "unauthorized_client"),
    ):
        answer = exchange(em, value, changes, headers)
        assert answer.json()["error"] == error
        assert answer.status in (400, 401)
    assert exchange(em, value, NO_CLIENT, own_basic(em)).status == 200


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"code": None}, (400, "invalid_request", "Missing required parameter: code")),
        ({"code": "garbage"}, (400, "invalid_grant", "Malformed auth code.")),
        ({"code": "4/0Aemulator-unknown"}, (400, "invalid_grant", "Bad Request")),
        ({"redirect_uri": None}, (400, "invalid_request", "Missing required parameter: redirect_uri")),
        ({"redirect_uri": "http://localhost:8085"}, (400, "redirect_uri_mismatch", "Bad Request")),
        ({"redirect_uri": "http://127.0.0.1:8085/"}, (400, "redirect_uri_mismatch", "Bad Request")),
        ({"code_verifier": VERIFIER}, (400, "invalid_grant", "code_verifier or verifier is not needed.")),
    ],
)
def test_a_bad_exchange_is_refused_and_leaves_the_code_good(
    em: Emulator, changes: dict[str, str | None], refusal: tuple[int, str, str]
) -> None:
    value = code(em)
    answer = exchange(em, value, changes)
    assert oauth_error(answer) == refusal
    assert answer.headers["Cache-Control"] == "no-store"
    assert exchange(em, value).status == 200


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize(("method", "place"), [("GET", "query"), ("POST", "query"), ("POST", "form")])
def test_revoking_a_token_ends_its_grant_and_no_other(em: Emulator, which: str, method: str, place: str) -> None:
    doomed, other = signed_in(em), signed_in(em)
    again = good(refreshed(em, doomed["refresh_token"]))["access_token"]
    path = "/revoke" if place == "form" else f"/revoke?token={quote(doomed[which], safe='')}"
    answer = call(em, method, path, form={"token": doomed[which]} if place == "form" else None)
    assert good(answer) == {}
    refused = oauth_error(refreshed(em, doomed["refresh_token"]))
    assert refused == (400, "invalid_grant", "Token has been expired or revoked.")
    for token in (doomed["access_token"], again):
        assert call(em, "GET", "/v1/protected", token=token).status == 401
    unknown = oauth_error(call(em, "POST", "/revoke", form={"token": doomed[which]}))
    assert unknown == (400, "invalid_token", "Token expired or revoked")
    assert refreshed(em, other["refresh_token"]).status == 200
    assert refresh(em).status == 200
    assert doomed[which] not in str(em.log())


def test_revoking_without_a_token_and_an_expired_one_is_refused(em: Emulator) -> None:
    missing = (400, "invalid_request", "Missing required parameter: token")
    assert oauth_error(call(em, "POST", "/revoke")) == missing
    token = signed_in(em)["access_token"]
    em.fault({"clock_skew": 3700})
    answer = oauth_error(call(em, "POST", "/revoke", form={"token": token}))
    assert answer == (400, "invalid_token", "Token expired or revoked")


def test_a_refresh_token_is_its_clients_alone(em: Emulator) -> None:
    token = signed_in(em)["refresh_token"]
    assert oauth_error(refreshed(em, token, OTHER)) == (401, "unauthorized_client", "Unauthorized")
    assert refreshed(em, token).status == 200


def test_of_a_hundred_and_one_refresh_tokens_of_a_user_and_client_the_oldest_stops(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path / "dir") as em:
        stranger = signed_in(em, account="grace@example.com")["refresh_token"]
        tokens = [signed_in(em)["refresh_token"] for _ in range(101)]  # that of user.json is the first of them all
        assert oauth_error(refreshed(em, tokens[0])) == (400, "invalid_grant", "Bad Request")
        assert refreshed(em, tokens[1]).status == 200
        assert refreshed(em, tokens[-1]).status == 200
        assert refreshed(em, stranger).status == 200
        em.reset()
        assert refresh(em).status == 200


def test_grants_outlive_a_restart_and_their_file_holds_no_token(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path / "dir") as em:
        good_one, revoked = signed_in(em), signed_in(em)
        pending = code(em)
        call(em, "POST", "/revoke", form={"token": revoked["refresh_token"]})
    kept = tmp_path / "dir" / "emulator-grants.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for answer in (good_one, revoked):
        assert answer["refresh_token"] not in kept.read_text()
        assert answer["refresh_token"] not in (tmp_path / "dir" / "emulator-tokens.jsonl").read_text()
    with emulator.running(dir=tmp_path / "dir") as em:
        token = good(refreshed(em, good_one["refresh_token"]))["access_token"]
        assert good(call(em, "GET", "/v1/protected", token=token))["caller"]["email"] == ADA
        assert oauth_error(refreshed(em, revoked["refresh_token"]))[2] == "Token has been expired or revoked."
        assert call(em, "GET", "/v1/protected", token=revoked["access_token"]).status == 401
        assert oauth_error(exchange(em, pending)) == (400, "invalid_grant", "Bad Request")
        assert good(call(em, "POST", "/revoke", form={"token": good_one["access_token"]})) == {}


def test_a_file_of_grants_that_is_not_ours_costs_only_the_memory(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path / "dir") as em:
        token = signed_in(em)["refresh_token"]
    (tmp_path / "dir" / "emulator-grants.json").write_text("[{]")
    with emulator.running(dir=tmp_path / "dir") as em:
        assert oauth_error(refreshed(em, token)) == (400, "invalid_grant", "Bad Request")
        assert refresh(em).status == 200
