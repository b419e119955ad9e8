"""Which universe a credential belongs to (Google's own cloud, or one built like it), and who may say so."""

import re

from gbearer import endpoints
from gbearer.errors import BadCredentials, UsageError
from gbearer.sources import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source
    from gbearer.transport import Transport

VARIABLE = endpoints.UNIVERSE_VARIABLE
DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def of_environment(env: "Mapping[str, str]") -> str:
    """The universe that the user names with GOOGLE_CLOUD_UNIVERSE_DOMAIN, "" for none; UsageError for no domain."""
    named = env.get(VARIABLE, "").strip()
    if named and not DOMAIN.fullmatch(named):
        raise UsageError(
            f"{VARIABLE} is {named[:80]!r}, which is no domain",
            fix=f"export {VARIABLE}=apis.example, or unset it for {endpoints.UNIVERSE}",
        )
    return named


def of_file(info: "fields.Info", where: str, ask: "Ask", look: "Look", *, sends: bool = True) -> str:
    """The universe that the file at `where` names, once it agrees with the environment; BadCredentials otherwise.

    The hosts of a universe are trusted with secrets: where a file of its kind always sends one there (`sends`), the
    user has to have named any other than Google's own, for a file that one was handed must not choose where they go.
    """
    said = fields.text(info, "universe_domain")
    named, given = said or endpoints.UNIVERSE, of_environment(look.env)
    if given and given != named:
        raise mismatch(named, f"universe_domain in {where}" if said else f"{where} names no universe_domain", given)
    if named == endpoints.UNIVERSE:
        return named
    _not_past_emulator(named, where, look.env)
    if sends and not given and not ask.trust_config:
        raise _unnamed(named, where)
    return named


def of_source(source: "Source", transport: "Transport") -> str:
    """The universe of what was found; the metadata server is asked once, where it has not been known yet."""
    if source.tell_universe is not None:
        source.universe = source.tell_universe(transport)
        source.tell_universe = None
        _not_past_emulator(source.universe, source.where, transport.env)
    return source.universe


def check(ask: "Ask", source: "Source", env: "Mapping[str, str]", transport: "Transport") -> None:
    """BadCredentials when `source` is of another universe than the environment names.

    Or when `ask` would send a token of it to that universe's IAM Credentials or STS, and only its file has named it.
    UsageError for what there is in Google's own universe only.
    """
    given = of_environment(env)
    beyond = bool(ask.impersonate or source.impersonate or ask.boundary)
    if given or beyond:
        of_source(source, transport)
    if given and source.universe != given:
        raise mismatch(source.universe, source.where, given)
    if source.universe == endpoints.UNIVERSE:
        return
    if (beyond or ask.kind == "id") and source.kind != "metadata" and not given and not ask.trust_config:
        raise _unnamed(source.universe, source.where)
    if ask.subject:
        raise UsageError(
            f"there is no domain-wide delegation in the universe {source.universe}",
            why=f"{source.where} belongs there, and Google Workspace, whose users --subject names, is of "
            f"{endpoints.UNIVERSE} only",
            fix="drop --subject",
        )


def _unnamed(named: str, where: str) -> BadCredentials:
    return BadCredentials(
        f"universe_domain in {where} names {named}",
        why=f"secrets would be sent to hosts of that name, and {VARIABLE} does not name it; nothing was sent",
        fix=f"export {VARIABLE}={named} if that is your cloud, or get the file anew from Google",
    )


def _not_past_emulator(named: str, where: str, env: "Mapping[str, str]") -> None:
    """BadCredentials while an emulator is set that does not stand in for this universe's hosts."""
    if endpoints.emulator(env) is not None and not endpoints.emulated(f"iamcredentials.{named}", env):
        raise BadCredentials(
            f"{where} is of the real universe {named}, and {endpoints.EMULATOR_VARIABLE} is set",
            why="a real secret is never sent to an emulator, nor past it; nothing was sent",
            fix=f"unset {endpoints.EMULATOR_VARIABLE}, or use one of the emulator's own files",
        )


def mismatch(universe: str, told: str, given: str) -> BadCredentials:
    """The error for a credential of `universe`, as `told` says, where the environment names `given`."""
    return BadCredentials(
        f"the credential is of the universe {universe}, and {VARIABLE} names {given}",
        why=f"the first is from {told}" if told else "",
        fix=f"use a credential of {given}, or "
        + (f"unset {VARIABLE}" if universe == endpoints.UNIVERSE else f"export {VARIABLE}={universe}"),
    )
