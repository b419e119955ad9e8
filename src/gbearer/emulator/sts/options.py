"""The `options` of an exchange: JSON with the project to charge, or with an access boundary."""

import json
from typing import Any
from urllib.parse import unquote

from gbearer.emulator.answers import Refusal, api_refusal, oauth_refusal
from gbearer.emulator.state import Call
from gbearer.emulator.world import DENIED_QUOTA_PROJECT

_LONGEST = 4096
Options = dict[str, Any]


def parsed(text: str) -> Options:
    """The options in `text`, which Python percent-encodes once more than others do; empty for no text."""
    if not text:
        return {}
    plain = text if text.lstrip().startswith("{") else unquote(text)
    try:
        found = json.loads(plain)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or len(plain) > _LONGEST:
        raise refused("options", "not a JSON object of at most 4096 characters.")
    return found


def refused(where: str, problem: str) -> Refusal:
    """The refusal of one value."""
    return oauth_refusal("invalid_request", f"Invalid value for {where}: {problem}")


def check_project(call: Call, options: Options) -> None:
    """Raise Refusal when the options name a project that nobody may charge, or something that is none."""
    project = options.get("userProject")
    if project is None:
        return
    if not isinstance(project, str) or not 0 < len(project) <= 32:
        raise refused("options", "userProject.")
    call.entry.details["user_project"] = project
    if project == DENIED_QUOTA_PROJECT:
        raise api_refusal(
            403,
            f"Caller does not have required permission to use project {project}. Grant the caller the "
            "roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use "
            "permission, and then retry. Propagation of the new permission may take a few minutes.",
            "PERMISSION_DENIED",
            reason="USER_PROJECT_DENIED",
            metadata={"consumer": f"projects/{project}", "service": "sts.googleapis.com"},
        )
