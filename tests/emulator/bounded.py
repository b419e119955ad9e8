"""What tests of boundaries and of storage do with their hands: make a rule, get a boundary token, call storage."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from urllib3.response import BaseHTTPResponse

from emulator.federated import GRANT, TYPE
from emulator.hands import call, good
from gbearer.emulator import Emulator

STORAGE = "storage.googleapis.com"
BUCKET, OTHER_BUCKET = "emulator-bucket", "emulator-other"
RESOURCE = "//storage.googleapis.com/projects/_/buckets/"
ROLE = "inRole:roles/storage."


def rule(role: str = "objectViewer", bucket: str = BUCKET, expression: str = "") -> dict[str, Any]:
    """One rule: a role of storage's in a bucket, where the expression holds."""
    whole: dict[str, Any] = {"availableResource": RESOURCE + bucket, "availablePermissions": [ROLE + role]}
    return {**whole, "availabilityCondition": {"expression": expression}} if expression else whole


def under(prefix: str, bucket: str = BUCKET) -> str:
    """The condition for objects whose names begin with `prefix`, and for listing them, as Google documents it."""
    listed = f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{prefix}')"
    return f"resource.name.startsWith('projects/_/buckets/{bucket}/objects/{prefix}') || {listed}"


def downscope(
    em: Emulator, source: str, boundary: object, changes: Mapping[str, str] = {}, host: str = "sts.googleapis.com"
) -> BaseHTTPResponse:
    """The answer of STS to the exchange of an access token; `boundary` goes into the options as it is."""
    form = {
        "grant_type": GRANT,
        "requested_token_type": f"{TYPE}access_token",
        "subject_token": source,
        "subject_token_type": f"{TYPE}access_token",
        "options": json.dumps({"accessBoundary": boundary}),
        **changes,
    }
    return call(em, "POST", "/v1/token", host=host, form={name: value for name, value in form.items() if value})


def bounded(em: Emulator, source: str, *rules: object) -> str:
    """A boundary token for an access token."""
    return str(good(downscope(em, source, {"accessBoundaryRules": list(rules)}))["access_token"])


def object_path(name: str, bucket: str = BUCKET, query: str = "") -> str:
    """The JSON API's path of an object."""
    return f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}" + (f"?{query}" if query else "")


def storage(
    em: Emulator, method: str, path: str, token: str = "", body: object = None, headers: Mapping[str, str] = {}
) -> BaseHTTPResponse:
    """A request to Cloud Storage's host."""
    return call(em, method, path, token=token, host=STORAGE, body=body, headers=headers)


def read(em: Emulator, token: str, name: str, bucket: str = BUCKET) -> int:
    """The status of reading an object's data."""
    return storage(em, "GET", object_path(name, bucket, "alt=media"), token).status


def listing(em: Emulator, token: str, prefix: str | None = None, bucket: str = BUCKET) -> int:
    """The status of listing a bucket."""
    query = "" if prefix is None else f"?prefix={quote(prefix, safe='')}"
    return storage(em, "GET", f"/storage/v1/b/{bucket}/o{query}", token).status


def insert(em: Emulator, token: str, name: str, data: bytes = b"new", bucket: str = BUCKET) -> BaseHTTPResponse:
    """The answer to putting an object."""
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(name, safe='')}"
    return storage(em, "POST", path, token, data, {"Content-Type": "text/plain"})


def denial(response: BaseHTTPResponse) -> tuple[int, str]:
    """Status and message of storage's refusal, which must be of its own form."""
    error = response.json()["error"]
    assert error["code"] == response.status
    assert error["errors"][0]["message"] == error["message"]
    assert error["errors"][0]["domain"] == "global"
    return response.status, error["message"]
