"""The command line: a table of commands; each is one file with `add(parser)` and `run(args, world)`."""

from gbearer import log
from gbearer.cli import say
from gbearer.cli.world import World
from gbearer.errors import Error, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

COMMANDS = {
    "token": "print an access token, or a self-signed JWT",
    "id-token": "print an ID token for an audience",
    "header": "print the Authorization header",
    "request": "make an HTTP call with the right token",
    "curl": "run curl with the token, never in its arguments",
    "whoami": "show which credential won, and why the others did not",
    "login": "sign in with a browser",
    "logout": "sign out: revoked at Google, forgotten here",
    "profile": "named sets of options: list, show, set, unset, use",
    "preflight": "check a federation file before it is used",
    "cache": "the token cache: dir, list, clear",
    "completion": "print the completion script for bash, zsh or fish",
    "emulator": "a local Google to test against",
    "demo": "a tour: a token made, placed and accepted on a local Google",
}
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that ends because nobody reads its output: 128 + SIGPIPE."""


def main(
    argv: list[str],
    *,
    stdin: "TextIO | None" = None,
    stdout: "TextIO | None" = None,
    stderr: "TextIO | None" = None,
    env: "Mapping[str, str] | None" = None,
    began: float | None = None,
) -> int:
    """Run one command line (without the program's name) and return its exit code; no exception comes out.

    `began` is when the process did (Unix time): what other processes failed at since then, it need not try again.
    """
    world = World(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=env, began=began)
    log.level = 0
    try:
        return _run(world)
    except Error as problem:
        say.error(problem, world.stderr)
        return problem.code
    except SystemExit as end:  # argparse, after --help
        return end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as problem:  # noqa: BLE001 (the last resort: a bug of ours, told without its secrets)
        say.bug(problem, world.stderr)
        return Error.code


def _run(world: World) -> int:
    name, *rest = world.argv or ["--help"]
    if name in ("-h", "--help", "help"):
        world.write(_overview())
        return 0
    if name in ("-V", "--version"):
        from gbearer._version import __version__

        world.write(f"gbearer {__version__}\n")
        return 0
    if name not in COMMANDS:
        raise _unknown(name)
    from importlib import import_module

    from gbearer.cli.options import Parser

    command = import_module(f"gbearer.cli.{name.replace('-', '_')}")
    summary = COMMANDS[name]
    usage, more = getattr(command, "USAGE", "[options]"), getattr(command, "MORE", "")
    parser = Parser(f"gbearer {name}", summary[0].upper() + summary[1:] + ".", world, usage=usage, more=more)
    command.add(parser)
    code: int = command.run(parser.parse_args(rest), world)
    return code


def _overview() -> str:
    lines = [f"  {name:<10} {summary}" for name, summary in COMMANDS.items()]
    return (
        "usage: gbearer COMMAND [options]\n\nGoogle bearer tokens, from any credential into any request.\n\n"
        + "\n".join(lines)
        + "\n\ngbearer COMMAND --help tells the options of one; gbearer --version the version.\n"
    )


def _unknown(name: str) -> UsageError:
    if name.startswith("-"):
        return UsageError(
            f"gbearer does not know the option {log.redact(name)[:60]}",
            why="the command comes first, its options after it",
            fix="gbearer token [options], or gbearer --help",
        )
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, 1)
    return UsageError(
        f"there is no command {log.redact(name)[:60]!r} in this version",
        why=f"there are {', '.join(COMMANDS)}",
        fix=f"gbearer {near[0]} --help" if near else "gbearer --help",
    )
