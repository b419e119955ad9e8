"""The emulator's own addresses under /_emulator/: log, reset, faults, and changes to pools; for this machine only."""

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gbearer.emulator import bindings, faults
from gbearer.emulator.answers import NO_STORE, json_answer
from gbearer.emulator.state import State, host_of, is_loopback
from gbearer.emulator.sts import default, pools, subjects, x509

PREFIX = "/_emulator/"
SUBTYPES = ("invalid_rapt", "rapt_required")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+\Z")


async def control(state: State, request: web.Request) -> web.StreamResponse:
    """Answer a control request; these are not logged, and no fault hits them."""
    own = is_loopback(host_of(request))
    origin = request.headers.get("Origin")
    if not own or (origin is not None and not is_loopback(origin.partition("://")[2])):
        return _problem(403, "control requests are for this machine: the Host header must be a loopback address")
    action = (request.method, request.path.removeprefix(PREFIX))
    if action == ("GET", "log"):
        return json_answer(state.log.as_json(), headers=NO_STORE)
    if action == ("POST", "reset"):
        state.reset()
        return json_answer({})
    if action == ("POST", "faults"):
        try:
            planned, skew = faults.parse(json.loads(await request.read()))
        except ValueError as error:
            return _problem(400, str(error))
        plan(state, planned, skew)
        return json_answer({"planned": len(state.faults.planned), "clock_skew": state.world.clock.skew})
    if request.method == "POST" and action[1] in _CHANGES:
        try:
            return json_answer(_CHANGES[action[1]](state, json.loads(await request.read())))
        except (ValueError, KeyError) as error:
            return _problem(400, str(error))
    return _problem(404, f"GET log, POST reset, POST faults, {', '.join(f'POST {name}' for name in _CHANGES)}")


def plan(state: State, planned: list[faults.Fault], skew: float | None) -> None:
    """Put faults behind those already planned, and shift the clock where `skew` (seconds) says so."""
    state.faults.planned += planned
    if skew is not None:
        state.world.clock.skew = skew


def bind(state: State, document: object) -> dict[str, int]:
    """Add and remove role bindings: `{"add": [BINDING], "remove": [BINDING]}`; ValueError if not understood."""
    given: dict[str, Any] = document if isinstance(document, dict) else {}
    if not given or set(given) - {"add", "remove"}:
        raise ValueError("an object with add, remove or both, each a list of bindings")
    added = {one for item in given.get("add", []) for one in bindings.parse(item)}
    removed = {one for item in given.get("remove", []) for one in bindings.parse(item)}
    state.world.bindings = (state.world.bindings | added) - removed
    return {"bindings": len(state.world.bindings)}


def add_provider(state: State, document: object) -> str:
    """Add or replace `{"pool": RESOURCE, "name": ID, "provider": PROVIDER}`; its audience, or ValueError."""
    given: dict[str, Any] = document if isinstance(document, dict) else {}
    pool, name = given.get("pool", default.POOL_RESOURCE), given.get("name")
    if not isinstance(pool, str) or not isinstance(name, str):
        raise ValueError("an object with name and provider, and pool (a resource name) if it is not the usual one")
    provider = pools.parse_provider(pool, name, given.get("provider"))
    if provider.kind == "x509" and state.tls is not None:
        state.tls.load_verify_locations(cadata="".join(itertools.chain(*x509.anchors(state.world, provider))))
    state.world.federation.providers[provider.resource] = provider
    return provider.audience


def set_universe(state: State, document: object) -> dict[str, str | None]:
    """What the metadata server says its universe is: `{"universe_domain": DOMAIN}`; null: it knows of none."""
    given: dict[str, Any] = document if isinstance(document, dict) else {"universe_domain": 0}
    domain = given.get("universe_domain")
    if domain is not None and not (isinstance(domain, str) and _DOMAIN.match(domain)):
        raise ValueError("an object with universe_domain, a domain or null")
    state.universe = domain or ""
    state.cached.clear()
    return {"universe_domain": domain}


def require_reauth(state: State, document: object) -> dict[str, int]:
    """Make somebody sign in anew: `{"account": A, "subtype": invalid_rapt or rapt_required}`; how many grants it hits.

    A workforce session of the principal A ends. ValueError if not understood.
    """
    given: dict[str, Any] = document if isinstance(document, dict) else {}
    account, subtype = given.get("account"), given.get("subtype", SUBTYPES[0])
    if not isinstance(account, str) or subtype not in SUBTYPES or set(given) - {"account", "subtype"}:
        raise ValueError(f"an object with account, and subtype ({' or '.join(SUBTYPES)}) if it is to be another")
    if account not in state.world.users and not account.startswith("principal:"):
        raise ValueError(f"no user {account}; known: {', '.join(state.world.users)}, or a workforce principal")
    state.proofs.forget(account)
    return {"grants": state.world.grants.require_reauth(account, subtype)}


def _subject_token(state: State, document: object) -> dict[str, str]:
    given: dict[str, Any] = document if isinstance(document, dict) else {}
    claims, provider = given.get("claims", {}), state.world.federation.find(str(given.get("provider", "oidc")))
    if not isinstance(claims, dict) or provider.kind != "oidc":
        raise ValueError("an object with provider (an OIDC one) and claims")
    return {"token": subjects.id_token(state.world, provider, claims)}


_CHANGES: dict[str, Callable[[State, object], object]] = {
    "bindings": bind,
    "providers": lambda state, document: {"audience": add_provider(state, document)},
    "subject-token": _subject_token,
    "reauth": require_reauth,
    "universe": set_universe,
}


def _problem(status: int, message: str) -> web.Response:
    return json_answer({"error": message}, status=status)
