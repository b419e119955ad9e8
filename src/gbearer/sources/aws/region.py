"""The AWS region: of the environment, then of the profile, then of the task's metadata, then of the instance."""

import re

from gbearer import log
from gbearer.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.aws.imds import Imds
    from gbearer.sources.aws.place import Place
    from gbearer.transport import Transport

_FORM = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+){1,5}")
_TASK = "ECS_CONTAINER_METADATA_URI_V4"
_ARN = re.compile(r"arn:aws[a-z-]*:ecs:([a-z0-9-]+):")


def region(place: "Place", transport: "Transport", imds: "Imds") -> str:
    """The region to sign for; UsageError when nobody knows it, or when it cannot be part of a host's name."""
    env = transport.env
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if env.get(name):
            return _checked(env[name], name)
    named = place.profiles.section().get("region", "")
    if named:
        return _checked(named, f"region of the profile {place.profile}")
    asked = _task(transport) if env.get(_TASK) else ""
    if asked:
        return asked
    try:
        asked = imds.region()
        why = "the instance's metadata does not say"
    except Error as error:
        if place.kind == "instance":
            raise  # there its keys come from as well: that is what is wrong
        why = error.message
    if asked:
        return asked
    raise UsageError(
        "the AWS region is not known",
        why=f"AWS_REGION and AWS_DEFAULT_REGION are not set, no profile in force has one, and {why}",
        fix="export AWS_REGION=us-east-1, or the region that you are in",
    )


def _task(transport: "Transport") -> str:
    """The region of the ECS task; "" where its metadata does not say."""
    quick = type(transport)(transport.env, total=4.0, tries=2)
    try:
        told = quick.send("GET", transport.env[_TASK].rstrip("/") + "/task", timeout=2.0).json()
    except Error as error:
        log.debug(f"task metadata: {error.message}")
        return ""
    found = _ARN.match(str(told.get("TaskARN", ""))) if isinstance(told, dict) else None
    return found[1] if found else ""


def _checked(text: str, where: str) -> str:
    if _FORM.fullmatch(text):
        return text
    raise UsageError(
        f"{where} is {text[:60]!r}, which is no region of AWS",
        why="it becomes part of a host's name",
        fix="write it as us-east-1",
    )
