"""Reauthentication: what a refresh is told, the session with a password, and the proof that opens the way again."""

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from emulator.hands import ADA, access_token, api_error, call, good, oauth_error, refresh, user_file, user_token
from emulator.visitor import refreshed, signed_in
from gbearer.emulator import Emulator

REAUTH = "https://www.googleapis.com/auth/accounts.reauth"
HOST = "reauth.googleapis.com"
TYPES = {"supportedChallengeTypes": ["PASSWORD", "SECURITY_KEY", "SAML"]}


def start(em: Emulator, token: str, body: object = TYPES) -> Any:
    return call(em, "POST", "/v2/sessions:start", host=HOST, token=token, body=body)


def respond(em: Emulator, token: str, session: str, changes: dict[str, Any] | None = None) -> Any:
    body = {
        "sessionId": session,
        "challengeId": 1,
        "action": "RESPOND",
        "proposalResponse": {"credential": "emulator"},
        **(changes or {}),
    }
    return call(em, "POST", f"/v2/sessions/{session}:continue", host=HOST, token=token, body=body)


def reauth_token(em: Emulator) -> str:
    return str(good(refresh(em, {"scope": REAUTH}))["access_token"])


@pytest.mark.parametrize("subtype", ["invalid_rapt", "rapt_required"])
def test_a_refresh_is_refused_until_a_new_sign_in(em: Emulator, subtype: str) -> None:
    former = signed_in(em)["refresh_token"]
    other = signed_in(em, account="grace@example.com")["refresh_token"]
    assert em.require_reauth(subtype=subtype) >= 2
    for answer in (refresh(em), refreshed(em, former), refresh(em, {"rapt": "wrong"})):
        assert oauth_error(answer) == (400, "invalid_grant", f"reauth related error ({subtype})")
        assert answer.json()["error_subtype"] == subtype
    assert refreshed(em, other).status == 200
    assert refreshed(em, signed_in(em)["refresh_token"]).status == 200
    assert refreshed(em, former).status == 400
    em.reset()
    assert refreshed(em, former).status == 200


def test_a_token_that_is_still_alive_stays_good(em: Emulator) -> None:
    token = user_token(em)
    em.require_reauth()
    assert call(em, "GET", "/v1/protected", token=token).status == 200


def test_a_password_gives_a_proof_and_with_it_a_refresh_works(em: Emulator) -> None:
    em.require_reauth()
    token = reauth_token(em)
    begun = good(start(em, token))
    assert begun["status"] == "CHALLENGE_REQUIRED"
    assert begun["challenges"] == [{"status": "READY", "challengeId": 1, "challengeType": "PASSWORD"}]
    wrong = good(respond(em, token, begun["sessionId"], {"proposalResponse": {"credential": "wrong"}}))
    assert wrong["status"] == "CHALLENGE_REQUIRED"
    done = good(respond(em, token, begun["sessionId"]))
    assert done["status"] == "AUTHENTICATED"
    proof = done["encodedProofOfReauthToken"]
    assert good(refresh(em, {"rapt": proof}))["access_token"]
    assert refresh(em).status == 400
    assert proof not in str(em.log())
    em.fault({"clock_skew": 16 * 3600 + 10})
    assert refresh(em, {"rapt": proof}).status == 400


def test_a_proof_is_its_owners_and_ends_when_reauthentication_is_asked_for_anew(em: Emulator) -> None:
    grace = signed_in(em, account="grace@example.com")["refresh_token"]
    em.require_reauth()
    em.require_reauth("grace@example.com")
    token = reauth_token(em)
    proof = good(respond(em, token, good(start(em, token))["sessionId"]))["encodedProofOfReauthToken"]
    assert refreshed(em, grace, {"rapt": proof}).status == 400
    em.require_reauth()
    assert refresh(em, {"rapt": proof}).status == 400


def test_who_need_not_reauthenticate_gets_a_proof_at_once(em: Emulator) -> None:
    assert good(start(em, reauth_token(em)))["status"] == "AUTHENTICATED"


def test_a_client_without_passwords_has_no_challenge(em: Emulator) -> None:
    em.require_reauth()
    answer = good(start(em, reauth_token(em), {"supportedChallengeTypes": ["SECURITY_KEY"]}))
    assert answer == {"status": "NO_AVAILABLE_CHALLENGES"}


def test_five_wrong_passwords_end_the_session(em: Emulator) -> None:
    em.require_reauth()
    token = reauth_token(em)
    session = good(start(em, token))["sessionId"]
    wrong = {"proposalResponse": {"credential": "é"}}
    states = [good(respond(em, token, session, wrong))["status"] for _ in range(5)]
    assert states == ["CHALLENGE_REQUIRED"] * 4 + ["FAILED"]
    assert api_error(respond(em, token, session))[:2] == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "changes",
    [
        {"sessionId": "another"},
        {"challengeId": 2},
        {"action": "START_ALTERNATE"},
        {"proposalResponse": None},
        {"proposalResponse": {"credential": 1}},
    ],
)
def test_an_answer_that_does_not_fit_is_refused(em: Emulator, changes: dict[str, Any]) -> None:
    em.require_reauth()
    token = reauth_token(em)
    session = good(start(em, token))["sessionId"]
    assert api_error(respond(em, token, session, changes))[:2] == (400, "INVALID_ARGUMENT")


def test_who_may_not_reauthenticate_is_refused(em: Emulator) -> None:
    em.require_reauth()
    assert api_error(call(em, "POST", "/v2/sessions:start", host=HOST, body=TYPES))[2] == "CREDENTIALS_MISSING"
    assert api_error(start(em, "ya29.nobody"))[:2] == (401, "UNAUTHENTICATED")
    robot = access_token(em)
    assert api_error(start(em, robot))[2] == "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    assert api_error(start(em, access_token(em, REAUTH)))[:2] == (403, "PERMISSION_DENIED")
    token = reauth_token(em)
    assert api_error(start(em, token, {}))[:2] == (400, "INVALID_ARGUMENT")
    assert api_error(start(em, token, []))[:2] == (400, "INVALID_ARGUMENT")
    assert api_error(start(em, token, b"{"))[:2] == (400, "INVALID_ARGUMENT")
    assert api_error(respond(em, token, "unknown"))[:2] == (404, "NOT_FOUND")
    session = good(start(em, token))["sessionId"]
    grace = signed_in(em, {"scope": REAUTH}, account="grace@example.com")["access_token"]
    assert api_error(respond(em, grace, session))[:2] == (404, "NOT_FOUND")


def test_the_control_address_does_the_same_and_refuses_what_it_does_not_know(em: Emulator) -> None:
    assert good(call(em, "POST", "/_emulator/reauth", body={"account": ADA}))["grants"] >= 1
    assert refresh(em).status == 400
    wrong: list[object] = [
        {"account": "nobody@example.com"},
        {"account": ADA, "subtype": "other"},
        {"account": ADA, "more": 1},
        {"account": None},
        [],
    ]
    for body in wrong:
        assert call(em, "POST", "/_emulator/reauth", body=body).status == 400
    with pytest.raises(ValueError, match="no user nobody"):
        em.require_reauth("nobody")


CLIENT = """
import sys, json, google.auth.transport.requests as transport
from google.oauth2 import reauth
class Here(transport.Request):
    def __call__(self, url, **rest):
        return super().__call__(url=url.replace("https://reauth.googleapis.com", sys.argv[1]), **rest)
user = json.load(open(sys.argv[2]))
answer = reauth.refresh_grant(Here(), sys.argv[1] + "/token", user["refresh_token"], user["client_id"],
                              user["client_secret"], enable_reauth_refresh=True)
print("TOKEN", answer[0][:8], "RAPT", answer[4][:13])
"""


def test_google_auth_reauthenticates_at_a_terminal(em: Emulator) -> None:
    em.require_reauth()
    ours, theirs = pty.openpty()
    command = ["timeout", "60", sys.executable, "-c", CLIENT, em.url, str(em.user_file)]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    ) as client:  # fmt: skip
        os.close(theirs)
        assert client.stdout is not None
        said = b""
        while piece := os.read(client.stdout.fileno(), 4096):
            if b"enter your password" in piece and b"enter your password" not in said:
                os.write(ours, b"emulator\n")
            said += piece
    os.close(ours)
    assert client.returncode == 0, said
    assert b"TOKEN ya29.a0A RAPT emulator-rapt" in said
    assert json.loads(em.user_file.read_text())["refresh_token"] == user_file(em)["refresh_token"]
    paths = [entry["path"] for entry in em.log()]
    assert paths[:3] == ["/token", "/token", "/v2/sessions:start"]
    assert paths[-1] == "/token"
