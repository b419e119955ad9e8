"""The emulator's own addresses under /_emulator/: log, reset, faults; answered to this machine only."""

import json

from aiohttp import web

from gbearer.emulator import faults
from gbearer.emulator.answers import NO_STORE, json_answer
from gbearer.emulator.state import State, host_of, is_loopback

PREFIX = "/_emulator/"


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
    return _problem(404, "GET log, POST reset, POST faults")


def plan(state: State, planned: list[faults.Fault], skew: float | None) -> None:
    """Put faults behind those already planned, and shift the clock where `skew` (seconds) says so."""
    state.faults.planned += planned
    if skew is not None:
        state.world.clock.skew = skew


def _problem(status: int, message: str) -> web.Response:
    return json_answer({"error": message}, status=status)
