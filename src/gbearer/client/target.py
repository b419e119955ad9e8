"""Which token a URL is called with, and whether it may be sent there at all."""

import re

from gbearer import endpoints
from gbearer.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gbearer.endpoints import URL

AUTH = ("auto", "access", "id", "none")
_FIRST = re.compile(r"/[^/?]+")
_EMULATED = re.compile(r"/functions/[^/?]+")


def choose(
    url: "URL",
    auth: str,
    audience: str | None,
    env: "Mapping[str, str]",
    universe: "Callable[[], str] | None" = None,
) -> tuple[str, str | None] | None:
    """(kind, audience) of the token for `url`, or None where nothing is to be sent.

    `auto` follows the host: an access token for Google's APIs and those of the credential's `universe` (asked only
    where the host says nothing else), an ID token for Cloud Run (its URL without path and traffic tag) and Cloud
    Functions (origin and first path segment), the emulator's targets by their path.
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
    named = "" if known is not None else _universe(env, universe)
    if named and endpoints.in_universe(url.host, named):
        known = "access", None
    elif named and endpoints.universe_of(url.host, env):
        raise _mismatch(url, named, endpoints.universe_of(url.host, env))
    if known is None or (auth == "id" and known[1] is None):
        others = f", and *.{named} for a credential of that universe" if named not in ("", endpoints.UNIVERSE) else ""
        raise UsageError(
            f"{url.origin} does not tell which token it wants",
            why=f"only *.googleapis.com, *.run.app and *.cloudfunctions.net do{others}",
            fix="add --audience URL for an ID token, --auth access for an access token, or --auth none",
        )
    return known


def _universe(env: "Mapping[str, str]", universe: "Callable[[], str] | None") -> str:
    """The universe that the user names, else the credential's; "" where that cannot be found out: told later."""
    named = env.get(endpoints.UNIVERSE_VARIABLE, "").strip()
    if named or universe is None:
        return named
    try:
        return universe()
    except Error:
        return ""


def check_universe(url: "URL", universe: str, env: "Mapping[str, str]", *, bound: bool) -> None:
    """UsageError when a credential of `universe` is about to be sent to a host that is known to be another one's.

    bound  the audience was given: then an ID token may go to any service
    """
    there = endpoints.universe_of(url.host, env)
    if not there and url.host.endswith((".run.app", ".cloudfunctions.net")) and not bound:
        there = endpoints.UNIVERSE
    if there not in ("", universe):
        raise _mismatch(url, universe, there)


def _mismatch(url: "URL", universe: str, there: str) -> UsageError:
    return UsageError(
        f"the credential is of the universe {universe}, and {url.host} is of {there}",
        why="neither knows the other's tokens; nothing was sent",
        fix=f"call a host of *.{universe}, or name a credential of {there} with --credentials",
    )


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
    here = endpoints.is_loopback(url.host) or endpoints.emulated(url.host, env)
    if endpoints.emulator(env) is not None and not here:
        raise UsageError(
            f"{url.origin} is not called while {endpoints.EMULATOR_VARIABLE} is set",
            why="with an emulator nothing leaves this machine, and this host is none of Google's",
            fix=f"unset {endpoints.EMULATOR_VARIABLE}, or call a server of this machine",
        )
