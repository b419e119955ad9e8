"""The options that every command with a token shares, and how they become an `Ask`."""

import argparse
import os

from gbearer import endpoints, log, profiles
from gbearer.errors import BadCredentials, UsageError
from gbearer.output import FORMATS
from gbearer.profiles.ask import Problems, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from gbearer.cli.world import World
    from gbearer.model import Ask
    from gbearer.sources.look import Look

__all__ = [
    "OPTIONS", "Given", "Parser", "Problems", "add_ask", "add_format", "add_profile", "add_verbose", "check_format",
    "credentials", "start",
]  # fmt: skip

OPTIONS = (
    "credentials", "source", "account", "provider", "expect-role", "aws-token", "impersonate", "delegate", "subject",
    "trust-config", "scope", "lifetime", "boundary", "bucket", "prefix", "role", "min-ttl", "quota-project", "refresh",
    "no-cache",
)  # fmt: skip
"""The options of `add_ask` that make a question, and that a profile can hold."""


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
        help="where to look: auto (default), adc (Google's order), file, login, gcloud, metadata, env, or, with "
        "--provider, aws, github, gitlab, azure; that one and no other",
    )
    add_profile(parser, add)
    add("--account", metavar="A", help="of those who are signed in (login, gcloud): this one, not the active one")
    add(
        "--provider", metavar="P", help="the workload identity provider that trusts --source aws, github, gitlab, azure"
    )
    add("--expect-role", metavar="ARN", help="on AWS: go no further unless this role is the one that is used")
    add("--aws-token", metavar="T", help="what AWS vouches with: signed (default), or jwt, for a provider of type OIDC")
    add("--impersonate", metavar="SA", help="act as this service account")
    add("--delegate", metavar="SA", action="append", help="a link of the chain before it (repeatable)")
    add("--subject", metavar="USER", help="act for this user by domain-wide delegation")
    add(
        "--trust-config",
        action="store_const",
        const=True,
        help="accept hosts in the credential file that are not Google's",
    )
    add = parser.add_argument_group("token").add_argument
    add("--scope", metavar="S", action="append", help="an OAuth scope, short or whole (repeatable)")
    add("--lifetime", metavar="D", help="how long it shall live: 15m, 3600s, 12h")
    add("--boundary", metavar="FILE", help="hold it down to what this credential access boundary leaves (JSON)")
    add("--bucket", metavar="B", help="hold it down to --role on this bucket of Cloud Storage")
    add("--prefix", metavar="P", help="with --bucket: to the objects whose names begin so")
    add("--role", metavar="R", help="with --bucket: what is left, as in objectViewer")
    add("--min-ttl", metavar="D", help="least life that the answer may have left")
    add("--quota-project", metavar="P", help="the project to charge, sent as x-goog-user-project")
    add("--refresh", action="store_const", const=True, help="mint anew")
    add("--no-cache", action="store_const", const=True, help="touch no disk")
    add_verbose(parser)


def add_profile(parser: argparse.ArgumentParser, add: "Callable[..., object] | None" = None) -> None:
    """--profile, to `parser` or by the `add` of one of its groups."""
    told = "the options of this profile, as far as they are not given here (see gbearer profile); none for no profile"
    (add or parser.add_argument)("--profile", metavar="NAME", help=told)


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """-v and -vv."""
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say what happens, redacted; -vv says more")


def add_format(parser: argparse.ArgumentParser, default: str) -> None:
    """--format, for the commands that print a token; a profile may choose another default."""
    names = ", ".join(FORMATS)
    parser.add_argument("--format", metavar="F", help=f"{names} (default: {default})")
    parser.set_defaults(default_format=default)


def check_format(name: str, known: tuple[str, ...]) -> None:
    """UsageError when there is no such format."""
    if name not in known:
        raise UsageError(f"there is no format {name!r}", fix=f"use --format {', '.join(known)}")


class Given:
    """The options of one command line and the profile that goes with them; the questions that they make.

    Raises UsageError for a profile that is not there, and BadCredentials for one that cannot be understood; what is
    wrong with the options themselves is told by `ask`, all at once.
    """

    def __init__(
        self, args: argparse.Namespace, world: "World", look: "Look", formats: tuple[str, ...] = FORMATS
    ) -> None:
        self.look = look
        self.profile = profiles.options(look, args.profile)
        if self.profile.name:
            log.debug(f"profile {self.profile.name}, chosen by {self.profile.origin}")
        self._problems = Problems()
        named = {key: getattr(args, key.replace("-", "_")) for key in OPTIONS}
        self._typed = {key: value for key, value in named.items() if value is not None}
        if args.credentials is not None:
            self._typed["credentials"] = self._problems.of(credentials, args, world)
        default: str | None = getattr(args, "default_format", None)
        if default is not None and args.format is None:
            args.format = self.profile.values.get("format", default)
        if getattr(args, "format", None) is not None:
            self._problems.of(check_format, args.format, formats)

    def by_profile(self, option: str) -> bool:
        """Whether the profile says what this option is, and nobody typed it."""
        return option not in self._typed and option in self.profile.values

    def ask(self, kind: str = "access", audience: str | None = None) -> "Ask":
        """The question for a token of this kind; UsageError that says everything wrong with the options at once."""
        made = self._problems.of(ask, {**self._typed, "audience": audience}, self.profile, self.look, kind)
        self._problems.end()
        assert made is not None  # noqa: S101 (or there was a problem)
        return made


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
