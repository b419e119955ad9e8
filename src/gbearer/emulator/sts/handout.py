"""`GET /subject-token/PROVIDER`: what a platform's own token endpoint would hand out, as text or JSON."""

from aiohttp import web

from gbearer.emulator.answers import NO_STORE, answer, api_refusal, json_answer
from gbearer.emulator.state import Call, State
from gbearer.emulator.sts import subjects


async def subject_token(state: State, call: Call) -> web.StreamResponse:
    """An ID token for an OIDC provider; JSON (`?format=json`) only with the header `Metadata: True`, as on Azure."""
    try:
        provider = state.world.federation.find(call.args[0])
    except KeyError:
        raise api_refusal(404, f"No provider {call.args[0]}.", "NOT_FOUND") from None
    if provider.kind != "oidc":
        raise api_refusal(400, f"Provider {call.args[0]} does not take ID tokens.", "INVALID_ARGUMENT")
    token = subjects.id_token(state.world, provider)
    call.entry.principal = subjects.SUBJECT
    if call.request.query.get("format") != "json":
        return answer(token.encode(), content_type="text/plain", headers=NO_STORE)
    if call.request.headers.get("Metadata", "").lower() != "true":
        raise api_refusal(400, "The header Metadata: True is missing.", "INVALID_ARGUMENT")
    return json_answer({"id_token": token, "access_token": token}, headers=NO_STORE)
