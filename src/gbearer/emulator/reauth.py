"""The reauthentication API: a session with a password challenge, and at its end a proof (RAPT) to refresh with."""

import json
from typing import Any

from aiohttp import web

from gbearer.emulator import gateway, scopes
from gbearer.emulator.answers import NO_STORE, api_refusal, invalid_argument, json_answer
from gbearer.emulator.state import Call, State

_CHALLENGE = {"status": "READY", "challengeId": 1, "challengeType": "PASSWORD"}


async def start(state: State, call: Call) -> web.StreamResponse:
    """`POST /v2/sessions:start`: which challenge is to be met; none where nobody asks for one."""
    user, body = _user(state, call), await _read(call)
    supported = body.get("supportedChallengeTypes")
    if not isinstance(supported, list) or not supported:
        raise invalid_argument()
    if not state.world.grants.needs_reauth(user):
        return _authenticated(state, user)
    if "PASSWORD" not in supported:
        return json_answer({"status": "NO_AVAILABLE_CHALLENGES"}, headers=NO_STORE)
    return _required(state.proofs.start(user))


async def carry_on(state: State, call: Call) -> web.StreamResponse:
    """`POST /v2/sessions/{id}:continue`: an answer to the challenge; a wrong one may be given again a few times."""
    user, body = _user(state, call), await _read(call)
    name, response = call.args[0], body.get("proposalResponse")
    session = state.proofs.session(name, user)
    if session is None:
        raise api_refusal(404, "Requested entity was not found.", "NOT_FOUND")
    credential = response.get("credential") if isinstance(response, dict) else None
    fits = body.get("sessionId") == name and body.get("challengeId") == 1 and body.get("action") == "RESPOND"
    if not fits or not isinstance(credential, str):
        raise invalid_argument()
    if state.proofs.answer(name, credential):
        return _authenticated(state, user)
    if session.left > 0:
        return _required(name)
    return json_answer({"status": "FAILED", "sessionId": name}, headers=NO_STORE)


def _user(state: State, call: Call) -> str:
    caller = gateway.authenticate(state, call, (scopes.REAUTH,))
    if caller.email not in state.world.users:
        raise api_refusal(403, "The caller does not have permission", "PERMISSION_DENIED")
    return caller.email


async def _read(call: Call) -> dict[str, Any]:
    try:
        body = json.loads(await call.request.read() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid_argument("Invalid JSON payload received.")
    return body


def _required(name: str) -> web.Response:
    shown = {"status": "CHALLENGE_REQUIRED", "sessionId": name, "challenges": [_CHALLENGE]}
    return json_answer(shown, headers=NO_STORE)


def _authenticated(state: State, user: str) -> web.Response:
    proof = state.proofs.issue(user, state.world.clock.now())
    return json_answer({"status": "AUTHENTICATED", "encodedProofOfReauthToken": proof}, headers=NO_STORE)
