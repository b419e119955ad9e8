"""The options that every command with a token shares, and how they become an `Ask`."""

import argparse
import os

from gbearer import endpoints, grammar, log
from gbearer.errors import BadCredentials, UsageError
from gbearer.model import Ask
from gbearer.output import FORMATS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, ParamSpec, TypeVar

    from gbearer.cli.world import World

    P = ParamSpec("P")
    T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """argparse with our form of errors: raised, not printed; no abbreviations."""

    def __init__(self, prog: str, summary: str, world: "World", *, usage: str, more: str) -> None:
        super().__init__(
            prog=prog,
            usage=f"{prog} {usage}",
            description=summary,
            epilog=more or None,
            allow_abbrev=False,
            formatter_class=_formatter,
        )
        self.world = world

    def error(self, message: str) -> "NoReturn":
        """Raise what argparse would print."""
        raise UsageError(log.redact(message), fix=f"{self.prog} --help")

    def print_help(self, file: object = None) -> None:  # noqa: ARG002 (argparse's interface)
        """Write the help to the stdout of this run."""
        self.world.write(self.format_help())


def _formatter(prog: str) -> argparse.RawDescriptionHelpFormatter:
    """Argparse's own, told how wide the terminal is: to find that out it would import shutil, 5 ms, for every token."""
    try:
        width = int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        try:
            width = os.get_terminal_size(1).columns or 80
        except OSError:
            width = 80
    return argparse.RawDescriptionHelpFormatter(prog, width=max(width - 2, 20))


def add_ask(parser: argparse.ArgumentParser) -> None:
    """Which credential, what for, and how fresh."""
    add = parser.add_argument_group("credential").add_argument
    add("--credentials", metavar="X", help="a credential file, or - for stdin (default: see --source)")
    add(
        "--source",
        metavar="NAME",
        default="auto",
        help="where to look: auto (default), adc (Google's order), file, metadata, env, or, with --provider, "
        "aws, github, gitlab, azure; that one and no other",
    )
    add(
        "--provider", metavar="P", help="the workload identity provider that trusts --source aws, github, gitlab, azure"
    )
    add("--expect-role", metavar="ARN", help="on AWS: go no further unless this role is the one that is used")
    add("--aws-token", metavar="T", help="what AWS vouches with: signed (default), or jwt, for a provider of type OIDC")
    add("--impersonate", metavar="SA", help="act as this service account")
    add("--delegate", metavar="SA", action="append", default=[], help="a link of the chain before it (repeatable)")
    add("--subject", metavar="USER", help="act for this user by domain-wide delegation")
    add("--trust-config", action="store_true", help="accept hosts in the credential file that are not Google's")
    add = parser.add_argument_group("token").add_argument
    add("--scope", metavar="S", action="append", default=[], help="an OAuth scope, short or whole (repeatable)")
    add("--lifetime", metavar="D", help="how long it shall live: 15m, 3600s, 12h")
    add("--min-ttl", metavar="D", help="least life that the answer may have left")
    add("--quota-project", metavar="P", help="the project to charge, sent as x-goog-user-project")
    add("--refresh", action="store_true", help="mint anew")
    add("--no-cache", action="store_true", help="touch no disk")
    add_verbose(parser)


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """-v and -vv."""
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say what happens, redacted; -vv says more")


def add_format(parser: argparse.ArgumentParser, default: str) -> None:
    """--format, for the commands that print a token."""
    names = ", ".join(FORMATS)
    parser.add_argument("--format", metavar="F", default=default, help=f"{names} (default: {default})")


def check_format(name: str, known: tuple[str, ...]) -> None:
    """UsageError when there is no such format."""
    if name not in known:
        raise UsageError(f"there is no format {name!r}", fix=f"use --format {', '.join(known)}")


def ask_from(
    args: argparse.Namespace,
    world: "World",
    kind: str = "access",
    audience: str | None = None,
    formats: tuple[str, ...] = FORMATS,
) -> Ask:
    """The Ask that these options make; UsageError that says everything wrong with them at once."""
    problems = Problems()
    lifetime = problems.of(_duration, args.lifetime, "--lifetime")
    min_ttl = problems.of(_duration, args.min_ttl, "--min-ttl") or 0
    if getattr(args, "format", None) is not None:
        problems.of(check_format, args.format, formats)
    problems.of(_check_chain, args)
    chain = (*args.delegate, args.impersonate) if args.impersonate is not None else tuple(args.delegate)

    def ask() -> Ask:
        return Ask(
            kind,
            scopes=grammar.scopes(args.scope),
            audience=audience,
            source=args.source,
            credentials=credentials(args, world),
            provider=args.provider,
            expect_role=args.expect_role,
            aws_token=args.aws_token,
            impersonate=chain,
            subject=args.subject,
            lifetime=lifetime,
            quota_project=args.quota_project,
            trust_config=args.trust_config,
            min_ttl=min_ttl,
            refresh=args.refresh,
            no_cache=args.no_cache,
        )

    made = problems.of(ask)
    problems.end()
    assert made is not None  # noqa: S101 (or there was a problem)
    return made


class Problems:
    """Usage errors gathered while a command line is read, so that all of them are said at once."""

    def __init__(self) -> None:
        self._found: list[UsageError] = []

    def of(self, read: "Callable[P, T]", *args: "P.args", **named: "P.kwargs") -> "T | None":
        """What `read` returns; None, and a problem more, when it raises UsageError."""
        try:
            return read(*args, **named)
        except UsageError as error:
            self._found.append(error)
            return None

    def end(self) -> None:
        """Raise one UsageError that says all there were, if there were any."""
        if self._found:
            message, why, fix = (
                "; ".join(dict.fromkeys(getattr(error, part) for error in self._found if getattr(error, part)))
                for part in ("message", "why", "fix")
            )
            raise UsageError(message, why=why, fix=fix)


def _duration(text: str | None, name: str) -> int | None:
    return None if text is None else grammar.seconds(text, name)


def _check_chain(args: argparse.Namespace) -> None:
    if args.delegate and args.impersonate is None:
        raise UsageError("--delegate needs a target", fix="add --impersonate SA for the end of the chain")


def credentials(args: argparse.Namespace, world: "World") -> str | None:
    """What --credentials names: a path as it is, JSON with a warning, the JSON on stdin for `-`."""
    from gbearer.sources import file

    given: str | None = args.credentials
    if given == "":
        raise UsageError("--credentials is empty", fix="name a credential file, or leave the option out")
    if given == "-":
        return _from_stdin(world)
    if given is not None and file.inline(given) is not None:
        log.warn("others on this machine can read a credential on the command line; use a file, or - for stdin")
    return given


def _from_stdin(world: "World") -> str:
    """The JSON on stdin; a mebibyte is enough for any credential."""
    if world.stdin is None:
        raise UsageError("--credentials - reads stdin, which is closed", fix="pipe the credential's JSON into it")
    limit = 1 << 20
    try:
        text = world.stdin.read(limit + 1).lstrip("\ufeff \t\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text.startswith("{") or len(text) > limit:
        raise BadCredentials(
            "stdin holds no credential",
            why="--credentials - reads the JSON itself" + ("; there was nothing" if not text else ""),
            fix="gbearer token --credentials - < key.json",
        )
    return text


def start(args: argparse.Namespace, world: "World") -> None:
    """Set how much is said, and say at once when an emulator stands in for Google."""
    log.level = args.verbose
    here = endpoints.emulator(world.env)
    if here is not None:
        log.debug(f"{endpoints.EMULATOR_VARIABLE} is set: every request for Google goes to {here.origin}")
