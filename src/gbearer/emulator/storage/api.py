"""Cloud Storage's JSON API: objects read, listed, put and deleted, and what there is to know of a bucket."""

import base64
import binascii
import datetime
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import web

from gbearer.emulator.answers import json_answer
from gbearer.emulator.state import Call, State
from gbearer.emulator.storage import access, roles
from gbearer.emulator.storage.buckets import Object
from gbearer.emulator.storage.problem import Problem, bad_request, no_bucket, no_object, unknown
from gbearer.emulator.world import PROJECT_NUMBER

_LARGEST = 32 * 1024 * 1024
_PAGE = 1000


async def json_api(state: State, call: Call) -> web.StreamResponse:
    """`/storage/v1/b...`, `/download/storage/v1/b...` and `/upload/storage/v1/b...`."""
    try:
        return await _answered(state, call)
    except Problem as problem:
        raise problem.as_json() from None


async def _answered(state: State, call: Call) -> web.StreamResponse:
    before, _, rest = call.raw_path.partition("/storage/v1")
    parts = [unquote(part) for part in rest.strip("/").split("/")]
    method = "GET" if call.request.method == "HEAD" else call.request.method
    here = (method, before, len(parts))
    if parts[0] != "b" or parts[2:3] not in ([], ["o"]):
        raise unknown(f"{method} {call.raw_path}")
    if here == ("POST", "/upload", 3):
        return await _insert(state, call, parts[1])
    if here == ("GET", "", 1):
        access.check(state, call, roles.BUCKET_LIST, "")
        return json_answer(
            {"kind": "storage#buckets", "items": [_bucket(call, name) for name in state.storage.objects]}
        )
    if here == ("GET", "", 2):
        access.check(state, call, roles.BUCKET_GET, parts[1])
        contents(state, parts[1])
        return json_answer(_bucket(call, parts[1]))
    if here == ("GET", "", 3):
        return _list(state, call, parts[1])
    if method == "GET" and before in ("", "/download") and len(parts) == 4:
        found = get(state, call, parts[1], parts[3])
        return media(found) if call.request.query.get("alt") == "media" else json_answer(_about(call, found))
    if here == ("DELETE", "", 4):
        delete(state, call, parts[1], parts[3])
        return web.Response(status=204)
    raise unknown(f"{method} {call.raw_path}")


def contents(state: State, bucket: str) -> dict[str, Object]:
    """The objects of `bucket`; raises Problem where there is none of that name."""
    if bucket not in state.storage.objects:
        raise no_bucket()
    return state.storage.objects[bucket]


def get(state: State, call: Call, bucket: str, name: str) -> Object:
    """The object, for a caller who may read it; raises Problem."""
    access.check(state, call, roles.GET, bucket, name)
    found = contents(state, bucket).get(name)
    if found is None:
        raise no_object(bucket, name)
    return found


def delete(state: State, call: Call, bucket: str, name: str) -> None:
    """Delete the object, for a caller who may; raises Problem."""
    access.check(state, call, roles.DELETE, bucket, name)
    if contents(state, bucket).pop(name, None) is None:
        raise no_object(bucket, name)


async def put(state: State, call: Call, bucket: str, name: str) -> Object:
    """Store the body as an object, for a caller who may create it, and delete the one that is there; raises Problem."""
    if not 0 < len(name.encode()) <= 1024 or "\r" in name or "\n" in name:
        raise bad_request("The name of an object has 1 to 1024 bytes and no line breaks.")
    access.check(state, call, roles.CREATE, bucket, name)
    if name in contents(state, bucket):
        access.check(state, call, roles.DELETE, bucket, name)
    data = bytearray()
    async for chunk in call.request.content.iter_any():
        data += chunk
        if len(data) > _LARGEST:
            message = f"The emulator's storage takes objects of up to {_LARGEST} bytes."
            raise Problem(413, "uploadTooLarge", "EntityTooLarge", "The object is too large.", message)
    kind = call.request.headers.get("Content-Type", "application/octet-stream")
    return state.storage.put(bucket, name, bytes(data), kind, state.world.clock.now())


def media(found: Object) -> web.Response:
    """The data of an object, as it was put."""
    headers = {
        "Content-Type": found.content_type,
        "ETag": f'"{found.generation:x}"',
        "x-goog-generation": str(found.generation),
        "x-goog-hash": f"md5={found.md5}",
        "x-goog-storage-class": "STANDARD",
    }
    return web.Response(body=found.data, headers=headers)


async def _insert(state: State, call: Call, bucket: str) -> web.StreamResponse:
    query = call.request.query
    if query.get("uploadType") != "media":
        raise bad_request("The emulator's storage takes uploadType=media, which says the name in the query.")
    if not query.get("name"):
        raise bad_request("Required parameter: name", "required")
    return json_answer(_about(call, await put(state, call, bucket, query["name"])))


def _list(state: State, call: Call, bucket: str) -> web.StreamResponse:
    query = call.request.query
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    access.check(state, call, roles.LIST, bucket, list_prefix=query.get("prefix"))
    try:
        most = min(int(query.get("maxResults", _PAGE)), _PAGE)
        after = base64.b64decode(query.get("pageToken", ""), b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        most, after = 0, ""
    if most < 1:
        raise bad_request("Invalid argument: maxResults or pageToken.")
    items: list[dict[str, Any]] = []
    prefixes: list[str] = []
    last = ""
    for name, found in sorted(contents(state, bucket).items()):
        head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        folded = prefix + head + cut if cut else ""
        if (
            not name.startswith(prefix)
            or name <= after
            or (folded and (folded in prefixes or after.startswith(folded)))
        ):
            continue
        if len(items) + len(prefixes) == most:
            break
        last = name
        if folded:
            prefixes.append(folded)
        else:
            items.append(_about(call, found))
    else:
        last = ""
    shown: dict[str, Any] = {"kind": "storage#objects"}
    if last:
        shown["nextPageToken"] = base64.urlsafe_b64encode(last.encode()).decode()
    return json_answer(shown | ({"prefixes": prefixes} if prefixes else {}) | ({"items": items} if items else {}))


def _about(call: Call, found: Object) -> dict[str, Any]:
    path = f"b/{found.bucket}/o/{quote(found.name, safe='')}"
    when = _time(found.created)
    return {
        "kind": "storage#object",
        "id": f"{found.bucket}/{found.name}/{found.generation}",
        "selfLink": f"{call.origin}/storage/v1/{path}",
        "mediaLink": f"{call.origin}/download/storage/v1/{path}?generation={found.generation}&alt=media",
        "name": found.name,
        "bucket": found.bucket,
        "generation": str(found.generation),
        "metageneration": "1",
        "contentType": found.content_type,
        "storageClass": "STANDARD",
        "size": str(len(found.data)),
        "md5Hash": found.md5,
        "etag": f"{found.generation:x}",
        "timeCreated": when,
        "updated": when,
    }


def _bucket(call: Call, name: str) -> dict[str, Any]:
    when = _time(1577836800)
    return {
        "kind": "storage#bucket",
        "id": name,
        "selfLink": f"{call.origin}/storage/v1/b/{name}",
        "name": name,
        "projectNumber": str(PROJECT_NUMBER),
        "location": "US",
        "storageClass": "STANDARD",
        "timeCreated": when,
        "updated": when,
    }


def _time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
