"""`gbearer whoami`: the chain as it was walked, which credential won, and what its token is good for."""

import re
import time

from gbearer import boundary, endpoints, grammar, log, output
from gbearer.cli import options, say
from gbearer.errors import CredentialsNotFound, Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.broker import Answer
    from gbearer.cli.world import World
    from gbearer.model import Ask, Token
    from gbearer.profiles import Chosen
    from gbearer.sources import Source, Step
    from gbearer.transport import Transport

FORMATS = ("text", "json")


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("--format", metavar="F", default="text", help="text (default) or json")
    parser.add_argument("--audience", metavar="AUD", help="of the token, for a credential of a Distributed Cloud")
    options.add_ask(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Find the credential, get its token, and tell about both; the token itself is not shown."""
    options.start(args, world)
    from gbearer.broker import Broker
    from gbearer.sources import Look, project
    from gbearer.transport import Transport

    look, broker = Look(world.env), Broker(world.env, began=world.began)
    given = options.Given(args, world, look, FORMATS)
    ask = given.ask(audience=args.audience)
    try:
        answer = broker.answer(ask, look)
    except Error as error:
        say.note("looked at\n" + _chain(look.steps, given), world.stderr)
        if isinstance(error, CredentialsNotFound):
            error.why = "none of these places has one"
        error.why = "; ".join(part for part in (error.why, given.profile.told()) if part)
        raise
    transport = Transport(world.env, total=8.0)
    facts = _facts(answer, world, transport)
    facts["profile"] = _profile(given.profile)
    facts["project"] = project(look, answer.source, transport)
    facts["federation"] = _federation(answer.source, transport)
    if args.format == "json":
        import json

        chain = [{"place": _place(step, given), "found": step.found, "reason": step.reason} for step in look.steps]
        world.write(json.dumps({**facts, "chain": chain}) + "\n")
    else:
        world.write(say.plain(_text(facts, _chain(look.steps, given))))
    return 0


def _facts(answer: "Answer", world: "World", transport: "Transport") -> dict[str, object]:
    """What is known of the credential and of its token."""
    token, ask, source = answer.token, answer.ask, answer.source
    principal, scopes, ends = token.principal, token.scopes, token.expires_at
    universe = _universe(source, transport)
    own = source.introspect is not None and not ask.impersonate
    if not (principal and scopes and ends) and (own or universe == endpoints.UNIVERSE):
        told = tokeninfo(token, source, ask, transport)
        principal = principal or told.get("email", "") or told.get("sub", "")
        scopes = scopes or tuple(told.get("scope", "").split())
        exp = told.get("exp", "")
        ends = ends or (float(exp) if re.fullmatch(r"[0-9]{1,12}", exp) else 0.0)
    emulator = endpoints.emulator(world.env)
    return {
        "principal": principal or None,
        "project": None,
        "credential": f"{source.kind} from {source.where}",
        "profile": None,
        "impersonate": list(ask.impersonate),
        "subject": ask.subject,
        "boundary": boundary.words(ask.boundary) if ask.boundary else None,
        "scopes": list(scopes),
        "expires_at": output.utc(ends) if ends else None,
        "expires_in": max(0, int(ends - time.time())) if ends else None,
        "quota_project": token.quota_project,
        "universe": universe,
        "token": answer.how,
        "emulator": emulator.origin if emulator else None,
    }


def _profile(chosen: "Chosen") -> dict[str, str] | None:
    """Which profile is in force and what chose it; None where there is none."""
    return {"name": chosen.name, "chosen_by": chosen.origin, "file": chosen.path} if chosen.name else None


def _federation(source: "Source", transport: "Transport") -> dict[str, str] | None:
    """Who a federated identity is before Google has mapped it; None for any other credential."""
    found = source.federation
    if found is None or source.identify is None:
        return None
    facts = {"provider": found.provider}
    try:
        identity = source.identify(transport)
    except Error as error:
        return {**facts, "unknown": error.message}
    facts.update((label.replace(" ", "_"), text) for label, text in identity.rows)
    if found.pool and identity.subject:
        facts["expected_principal"] = found.principal(identity.subject)
    return facts


def _universe(source: "Source", transport: "Transport") -> str | None:
    """The universe of the credential, None where the metadata server does not tell now."""
    from gbearer.sources import universe_of

    try:
        return universe_of(source, transport)
    except Error as error:
        log.debug(f"universe: {error.message}")
        return None


def tokeninfo(token: "Token", source: "Source", ask: "Ask", transport: "Transport") -> dict[str, str]:
    """What is said about an access token, which travels in a header or a body and never in a URL; {} for nothing.

    Google says it (https://developers.google.com/identity/protocols/oauth2, tokeninfo), of a workforce login its own
    token service.
    """
    try:
        if source.introspect is not None and not ask.impersonate:
            said = source.introspect(token.value, transport)
            exp = said.get("exp")
            facts = {"sub": said.get("username"), "scope": said.get("scope"), "exp": str(exp) if exp else None}
            return {name: value for name, value in facts.items() if isinstance(value, str)}
        headers = {"Authorization": f"Bearer {token.value}"}
        told = transport.send("POST", endpoints.TOKENINFO, body=b"", headers=headers).json()
    except Error as error:
        log.debug(f"tokeninfo: {error.message}")
        return {}
    said = told if isinstance(told, dict) else {}
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    if texts.get("email") and not grammar.EMAIL.fullmatch(texts["email"]):
        del texts["email"]
    return texts


_LABELS = {
    "principal": "who",
    "project": "project",
    "credential": "credential",
    "profile": "profile",
    "impersonate": "acting as",
    "subject": "acting for",
    "boundary": "bounded to",
    "scopes": "scopes",
    "expires_at": "until",
    "quota_project": "charged to",
    "universe": "universe",
    "token": "token",
    "federation": "federation",
    "emulator": "emulator",
}
_UNKNOWN = ("principal", "project", "expires_at")


def _text(facts: dict[str, object], chain: str) -> str:
    lines = []
    for name, label in _LABELS.items():
        value = facts[name]
        if name == "profile" and isinstance(value, dict):
            value = f"{value['name']} of {value['file']}, chosen by {value['chosen_by']}"
        if isinstance(value, dict):
            lines += [f"{label.replace('_', ' '):<11} {text}\n" for label, text in value.items()]
            continue
        if isinstance(value, list):
            value = {"impersonate": " -> ", "boundary": "; "}.get(name, " ").join(value)
        if name == "expires_at" and value:
            value = f"{value} ({int(str(facts['expires_in'])) // 60} min left)"
        if name == "emulator" and value:
            value = f"{value} stands in for Google ({endpoints.EMULATOR_VARIABLE} is set)"
        if name == "universe" and value == endpoints.UNIVERSE:
            continue
        if value or name in _UNKNOWN:
            lines.append(f"{label:<12}{value or 'unknown'}\n")
    return "".join(lines) + "looked at\n" + chain


def _chain(steps: "list[Step]", given: options.Given) -> str:
    return "".join(
        f"  {'found ' if step.found else 'absent'}  {_place(step, given)}: {step.reason}\n" for step in steps
    )


def _place(step: "Step", given: options.Given) -> str:
    """Where a step looked; an option that nobody typed is the profile's."""
    by_profile = step.place == "--credentials" and given.by_profile("credentials")
    return f"credentials of the profile {given.profile.name}" if by_profile else step.place
