"""Exchanging a code: what it has to come with, and what is said when it does not (RFC 6749 §4.1.3, RFC 7636 §4.6)."""

from collections.abc import Mapping

from gbearer.emulator.answers import oauth_refusal
from gbearer.emulator.signin.visits import Code
from gbearer.emulator.state import State


def redeem(state: State, client_id: str, form: Mapping[str, str], *, workforce: bool = False) -> Code:
    """The code in `form`, used up by this, for a client that has authenticated; Refusal leaves it good."""
    for name in ("code", "redirect_uri"):
        if not form.get(name):
            raise oauth_refusal("invalid_request", f"Missing required parameter: {name}")
    value, verifier = form["code"], form.get("code_verifier", "")
    code = state.visits.code(value, state.world.clock.now())
    if code is None or (code.asked.provider is not None) != workforce:
        raise oauth_refusal("invalid_grant", "Bad Request" if value.startswith("4/") else "Malformed auth code.")
    if code.asked.client_id != client_id:
        raise oauth_refusal("unauthorized_client", "Unauthorized", status=401)
    if code.asked.redirect_uri != form["redirect_uri"]:
        raise oauth_refusal("redirect_uri_mismatch", "Bad Request")
    if code.asked.challenge and not verifier:
        raise oauth_refusal("invalid_grant", "Missing code verifier.")
    if verifier and not code.asked.challenge:
        raise oauth_refusal("invalid_grant", "code_verifier or verifier is not needed.")
    if verifier and not code.verified(verifier):
        raise oauth_refusal("invalid_grant", "Invalid code verifier.")
    state.visits.use(value)
    return code
