"""Tokens from the metadata server: one per scope set or audience, handed out again until shortly before its end."""

import hashlib
import re
from urllib.parse import unquote

from aiohttp import web

from gbearer.emulator import jose, scopes
from gbearer.emulator.answers import Refusal, encode, html_page
from gbearer.emulator.issued import HOUR, account_id_token
from gbearer.emulator.state import State
from gbearer.emulator.world import DEFAULT, PROJECT_ID, PROJECT_NUMBER

INSTANCE_ID = 4520031799277581759
INSTANCE_NAME = "emulator-instance"
ZONE = "us-central1-a"
SCOPES = (scopes.CLOUD_PLATFORM, scopes.EMAIL)
RENEW = 270
"""Seconds of life left at which the server makes a new token: between Google's "4 minutes" and "5 minutes"."""
HEADERS = {
    "Metadata-Flavor": "Google",
    "Server": "Metadata Server for VM",
    "X-XSS-Protection": "0",
    "X-Frame-Options": "SAMEORIGIN",
}
# Node and gcloud do not encode the audience: it ends where a known parameter begins.
_AUDIENCE = re.compile(r"(?:\A|&)audience=(.*?)(?=&(?:format|licenses)=|\Z)")


def answer(state: State, what: str, raw_query: str, query: dict[str, str]) -> web.Response:
    """The answer to `.../token` or `.../identity`; raises Refusal."""
    if what == "token":
        body, content_type = encode(access_token(state, query.get("scopes", ""))), "application/json"
    else:
        body, content_type = identity(state, raw_query, query).encode(), "text/html"
    return send(body, content_type)


def send(body: bytes, content_type: str) -> web.Response:
    """`body` with the headers that every answer of the metadata server has."""
    return web.Response(body=body, headers={**HEADERS, "Content-Type": content_type, "ETag": etag(body)})


def etag(body: bytes) -> str:
    """Sixteen hex digits that change with `body`."""
    return hashlib.sha256(body).hexdigest()[:16]


def refusal(status: int, title: str, text: str) -> Refusal:
    """An HTML error page of the metadata server."""
    return Refusal(status, html_page(status, title, text), "text/html", dict(HEADERS))


def access_token(state: State, wanted: str) -> dict[str, object]:
    """The access token for the comma list `wanted` (empty: the machine's scopes) with what is left of its life."""
    asked = tuple(scope for scope in re.split("[, ]", wanted) if scope) or SCOPES
    if not all(scopes.well_formed(scope) for scope in asked):
        raise refusal(400, "Bad Request", "Invalid OAuth scope.")
    key = tuple(sorted(set(asked)))
    kept = state.cached.get(key)
    now = state.world.clock.now()
    if kept is None or not RENEW < kept[1].expires_at - now <= HOUR:
        kept = state.cached[key] = state.issued.for_account(DEFAULT, asked, universe=state.universe)
    left = int(kept[1].expires_at - now)
    return {"access_token": kept[0], "expires_in": min(left, HOUR - 1), "token_type": "Bearer"}


def identity(state: State, raw_query: str, query: dict[str, str]) -> str:
    """The machine's ID token; `format=full` adds what the machine is."""
    found = _AUDIENCE.search(raw_query)
    audience = unquote(found[1]) if found else ""
    if not audience:
        raise refusal(400, "Bad Request", "non-empty audience parameter required")
    form = query.get("format") or "standard"
    if form not in ("standard", "full"):
        raise refusal(400, "Bad Request", "format must be standard or full")
    licences = query.get("licenses", "").upper() == "TRUE"
    key = (audience, form, str(licences))
    kept = state.cached_id.get(key)
    if kept is not None:
        seen = jose.peek(kept)
        if seen is not None and RENEW < seen.claims["exp"] - state.world.clock.now() <= HOUR:
            return kept
    extra = _machine(licences) if form == "full" else {}
    state.cached_id[key] = account_id_token(state.world, DEFAULT, audience, extra)
    return state.cached_id[key]


def _machine(licences: bool) -> dict[str, object]:
    engine: dict[str, object] = {
        "instance_confidentiality": 0,
        "instance_creation_timestamp": 1577836800,
        "instance_id": str(INSTANCE_ID),
        "instance_name": INSTANCE_NAME,
        "project_id": PROJECT_ID,
        "project_number": PROJECT_NUMBER,
        "zone": ZONE,
    }
    if licences:
        engine["license_id"] = ["1000204"]
    return {"email": DEFAULT, "email_verified": True, "google": {"compute_engine": engine}}
