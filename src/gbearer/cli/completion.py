"""`gbearer completion`: print a script with which bash, zsh or fish complete commands, options and known values."""

import re

from gbearer.cli import options
from gbearer.cli.shells import SCRIPTS
from gbearer.cli.shells.table import ACCOUNT, COMMAND, FILE, FOLDER, PROFILE, TEXT, Command, Option, Place
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from gbearer.cli.world import World

    Known = Mapping[str, Callable[[], tuple[str, ...]]]

USAGE = "[options] bash|zsh|fish"
MORE = """\
Put the script where the shell finds it, and anew after an upgrade:

  mkdir -p ~/.local/share/bash-completion/completions
  gbearer completion bash > ~/.local/share/bash-completion/completions/gbearer

  mkdir -p ~/.zfunc     # and in ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)
  gbearer completion zsh > ~/.zfunc/_gbearer

  mkdir -p ~/.config/fish/completions
  gbearer completion fish > ~/.config/fish/completions/gbearer.fish

Where bash lacks the package bash-completion, write `. <(gbearer completion bash)` into ~/.bashrc instead. Names of
profiles and accounts are asked of gbearer while you type; everything else is in the script.
"""
_KINDS = {"--credentials": FILE, "--dir": FOLDER, "--profile": PROFILE, "--account": ACCOUNT, "--use": ACCOUNT}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("shell", metavar="bash|zsh|fish", nargs="?", help="the shell that is to complete")


def run(args: "argparse.Namespace", world: "World") -> int:
    """Print the script."""
    if args.shell not in SCRIPTS:
        likely = (world.env.get("SHELL") or "").rpartition("/")[2]
        raise UsageError(
            f"there is no completion for {args.shell!r}" if args.shell else "completion needs the name of a shell",
            why=f"there are scripts for {', '.join(SCRIPTS)}",
            fix=f"gbearer completion {likely if likely in SCRIPTS else 'bash'}; --help tells where it goes",
        )
    world.write(SCRIPTS[args.shell](table()))
    return 0


def table() -> list[Command]:
    """Every command with its options and words, read from the parsers that the commands themselves use."""
    from importlib import import_module

    from gbearer.cli import COMMANDS
    from gbearer.cli.world import World

    asked_for_help = World(["--help"])
    made = []
    for name, summary in COMMANDS.items():
        module = import_module(f"gbearer.cli.{name.replace('-', '_')}")
        parser = options.Parser(f"gbearer {name}", summary, asked_for_help, usage="", more="")
        module.add(parser)
        known = _known(vars(module))
        named, places = [], []
        for action in parser._actions:  # noqa: SLF001 (argparse has no other way to ask; its own tools go this one)
            takes, values = _takes(action, known)
            text = (action.help or "").replace("\n", " ")
            if action.option_strings:
                named.append(Option(tuple(action.option_strings), text, takes, values, _repeats(action)))
            elif action.metavar == "NAME KEY VALUE":
                from gbearer.profiles import keys

                places += [Place("NAME", PROFILE, (), False), Place("KEY", TEXT, tuple(sorted(keys.KEYS)), False)]
            else:
                several = action.nargs in ("*", "+", "...")
                places.append(Place(str(action.metavar or action.dest), takes, values, several))
        made.append(Command(name, summary, tuple(named), tuple(places)))
    return made


def _repeats(action: "argparse.Action") -> bool:
    """Whether the option may come again: those that gather, and -v."""
    return isinstance(action.default, list) or type(action.default) is int


def _known(module: "Mapping[str, object]") -> "Known":
    """Where the values that an option knows are listed, the very list that it is checked against."""
    from gbearer import grammar, output
    from gbearer.client import target

    formats = module.get("FORMATS", output.FORMATS)
    return {
        "--source": lambda: grammar.SOURCES,
        "--type": lambda: grammar.KINDS,
        "--aws-token": lambda: ("signed", "jwt"),
        "--auth": lambda: target.AUTH,
        "--format": lambda: formats if isinstance(formats, tuple) else (),
        "METHOD": lambda: _METHODS,
    }


def _takes(
    action: "argparse.Action", known: "Mapping[str, Callable[[], tuple[str, ...]]]"
) -> tuple[str, tuple[str, ...]]:
    """What follows an option or stands in a place: "" for nothing, else its kind, and the values that are known."""
    if action.option_strings and action.nargs == 0:
        return "", ()
    label = str(action.metavar or "")
    for name in (*action.option_strings, label):
        if name in known:
            return TEXT, known[name]()
        if name in _KINDS:
            return _KINDS[name], ()
    if re.fullmatch(r"[a-z][a-z-]*(\|[a-z][a-z-]*)+", label):  # dir|list|clear
        return TEXT, tuple(label.split("|"))
    if label == "-- CURL-ARGS":
        return COMMAND, ("curl",)
    return (FILE if re.search(r"\b(FILE|PATH)\b", label) else TEXT), ()
