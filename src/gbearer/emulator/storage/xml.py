"""Cloud Storage's XML API, as far as one object goes: `https://storage.googleapis.com/BUCKET/OBJECT`."""

from urllib.parse import unquote

from aiohttp import web

from gbearer.emulator.state import Call, State
from gbearer.emulator.storage import api
from gbearer.emulator.storage.problem import Problem, unknown


async def xml_api(state: State, call: Call) -> web.StreamResponse:
    """GET, HEAD, PUT and DELETE of an object."""
    try:
        return await _answered(state, call)
    except Problem as problem:
        raise problem.as_xml() from None


async def _answered(state: State, call: Call) -> web.StreamResponse:
    bucket, _, name = (unquote(part) for part in call.raw_path.removeprefix("/").partition("/"))
    method = call.request.method
    if not bucket or not name or method not in ("GET", "HEAD", "PUT", "DELETE"):
        raise unknown(f"{method} {call.raw_path}")
    if method == "PUT":
        made = await api.put(state, call, bucket, name)
        return web.Response(headers={"ETag": f'"{made.generation:x}"', "x-goog-generation": str(made.generation)})
    if method == "DELETE":
        api.delete(state, call, bucket, name)
        return web.Response(status=204)
    return api.media(api.get(state, call, bucket, name))
