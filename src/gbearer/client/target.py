"""Which token a URL is called with, and whether it may be sent there at all."""

import re

from gbearer import endpoints
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.endpoints import URL

AUTH = ("auto", "access", "id", "none")
_FIRST = re.compile(r"/[^/?]+")
_EMULATED = re.compile(r"/functions/[^/?]+")


def choose(url: "URL", auth: str, audience: str | None, env: "Mapping[str, str]") -> tuple[str, str | None] | None:
    """(kind, audience) of the token for `url`, or None where nothing is to be sent.

    `auto` follows the host: an access token for Google's APIs, an ID token for Cloud Run (its URL without path and
    traffic tag) and Cloud Functions (origin and first path segment), the emulator's targets by their path.
    Raises UsageError where the host does not tell, and where the options contradict each other.
    """
    if auth not in AUTH:
        raise UsageError(f"there is no --auth {auth}", fix=f"use --auth {', '.join(AUTH)}")
    if auth in ("access", "none") and audience is not None:
        raise UsageError(
            f"--auth {auth} and --audience contradict each other",
            why="only an ID token has an audience",
            fix="drop one of the two",
        )
    if auth == "none":
        return None
    if auth == "access":
        return "access", None
    if audience is not None:
        return "id", audience
    known = _known(url, env)
    if known is None or (auth == "id" and known[1] is None):
        raise UsageError(
            f"{url.origin} does not tell which token it wants",
            why="only *.googleapis.com, *.run.app and *.cloudfunctions.net do",
            fix="add --audience URL for an ID token, --auth access for an access token, or --auth none",
        )
    return known


def _known(url: "URL", env: "Mapping[str, str]") -> tuple[str, str | None] | None:
    """What a host (at an emulator: a path) is known to want; None where nothing is known."""
    here = endpoints.emulator(env)
    if here is not None and url.origin == here.origin:
        function = _EMULATED.match(url.target)
        if function:
            return "id", url.origin + function[0]
        return ("access", None) if re.match(r"/v1/protected(?![^/?])", url.target) else None
    if url.host.endswith(".googleapis.com"):
        return "access", None
    if url.host.endswith(".run.app"):
        return "id", f"https://{url.host.rpartition('---')[2]}"
    if url.host.endswith(".cloudfunctions.net"):
        name = _FIRST.match(url.target)
        if name is None:
            raise UsageError(
                f"{url.origin} names no function",
                why="the audience of a Cloud Function is its host and the first part of the path",
                fix=f"write {url.origin}/NAME, or add --audience URL",
            )
        return "id", f"https://{url.host}{name[0]}"
    return None


def check(url: "URL", env: "Mapping[str, str]", *, bearer: bool) -> None:
    """UsageError when a request may not go to `url`: a bearer in clear text, or past the emulator that is set."""
    if bearer and url.scheme != "https" and not endpoints.is_loopback(url.host):
        raise UsageError(
            f"a token is not sent to {url.origin}",
            why="everybody on the way could read and use it: only https, or this machine itself",
            fix=f"write https://{url.host}/..., or --auth none to send no token",
        )
    if endpoints.emulator(env) is not None and not (endpoints.is_google(url.host) or endpoints.is_loopback(url.host)):
        raise UsageError(
            f"{url.origin} is not called while {endpoints.EMULATOR_VARIABLE} is set",
            why="with an emulator nothing leaves this machine, and this host is none of Google's",
            fix=f"unset {endpoints.EMULATOR_VARIABLE}, or call a server of this machine",
        )
