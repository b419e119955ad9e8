"""`gbearer profile`: named sets of options: list, show, set, unset, use."""

import os

from gbearer import log, profiles
from gbearer.cli import options, say
from gbearer.errors import Error, UsageError
from gbearer.sources.look import Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World
    from gbearer.profiles.ini import Config

USAGE = "[options] list | show [NAME] | set NAME KEY VALUE... | unset NAME [KEY...] | use NAME | use --none"
MORE = """\
A profile is a section [profile NAME] of config.ini in the user's configuration folder; its keys are the names of
options, as in `credentials = key.json`. The one in force is that of --profile, of GBEARER_PROFILE, of the nearest
.gbearer.ini (which holds `[gbearer]` and `profile = NAME`, and nothing else), or the one that was last used.

  gbearer profile set work credentials ~/keys/work.json
  gbearer profile set work impersonate deploy@PROJECT.iam.gserviceaccount.com
  gbearer profile use work
"""
FORMATS = ("text", "json")


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("action", metavar="list|show|set|unset|use", help="what to do")
    parser.add_argument("words", metavar="NAME KEY VALUE", nargs="*", help="the profile, the option, what it is to be")
    parser.add_argument("--none", action="store_true", help="with use: choose no profile")
    parser.add_argument("--format", metavar="F", default="text", help="of list and show: text (default) or json")
    options.add_verbose(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Do one of the five."""
    options.start(args, world)
    options.check_format(args.format, FORMATS)
    action = {"list": _list, "show": _show, "set": _set, "unset": _unset, "use": _use}.get(args.action)
    if action is None:
        raise UsageError(
            f"profile has no action {args.action[:40]!r}", fix="gbearer profile list, show, set, unset or use"
        )
    if args.none and args.action != "use":
        raise UsageError("--none goes with use", fix="gbearer profile use --none")
    action(args, world, Look(world.env))
    return 0


def _list(args: "argparse.Namespace", world: "World", look: Look) -> None:
    _count(args, 0, 0, "gbearer profile list")
    try:
        active = profiles.options(look)
    except UsageError as error:  # the list is what shows the right name
        log.warn(f"{error.message}: {error.why}")
        active = profiles.Chosen(profiles.config_path(look))
    config = _config(look)
    told = {
        name: {key: log.redact(value.text) for key, value in found.items()} for name, found in config.profiles.items()
    }
    if args.format == "json":
        import json

        rows = [{"name": name, "active": name == active.name, "values": values} for name, values in told.items()]
        chosen_by = active.origin or None
        world.write(json.dumps({"file": config.path, "chosen_by": chosen_by, "profiles": rows}) + "\n")
        return
    width = max(map(len, told), default=0)
    for name, values in told.items():
        shown = "  ".join(f"{key}={value}" for key, value in values.items())
        world.write(say.plain(f"{'*' if name == active.name else ' '} {name:<{width}}  {shown}").rstrip() + "\n")
    if not told:
        say.note(f"there are no profiles yet in {config.path}\n", world.stderr)


def _show(args: "argparse.Namespace", world: "World", look: Look) -> None:
    _count(args, 0, 1, "gbearer profile show [NAME]")
    if args.words:
        config = _config(look)
        name = args.words[0]
        if name not in config.profiles:
            raise profiles.unknown(name, "gbearer profile show", config.path, list(config.profiles))
        chosen = profiles.chosen(look, config, name, "")
    else:
        chosen = profiles.options(look)
    values = {key: log.redact(value) for key, value in chosen.values.items()}
    if args.format == "json":
        import json

        rows = {key: {"value": value, "line": chosen.lines[key]} for key, value in values.items()}
        told = {"profile": chosen.name or None, "chosen_by": chosen.origin or None, "file": chosen.path, "values": rows}
        world.write(json.dumps(told) + "\n")
        return
    if not chosen.name:
        by = f"{chosen.origin} says so" if chosen.origin else "nothing chooses one"
        world.write(say.plain(f"no profile is in force: {by}\n"))
        return
    by = f", chosen by {chosen.origin}" if chosen.origin else ""
    lines = [f"{chosen.name}{by}"]
    width = max(map(len, values), default=0)
    lines += [f"  {key:<{width}}  {value}  ({chosen.path}:{chosen.lines[key]})" for key, value in values.items()]
    world.write(say.plain("\n".join(lines) + "\n"))


def _set(args: "argparse.Namespace", world: "World", look: Look) -> None:  # noqa: ARG001 (all five are called alike)
    from gbearer.profiles import edit, keys

    _count(args, 3, 1000, "gbearer profile set NAME KEY VALUE")
    name, key, *given = args.words
    key = key.lower().replace("_", "-")
    kind = keys.KEYS.get(key)
    if len(given) > 1 and kind not in (keys.LIST, None):
        raise UsageError(
            f"{key} has one value", why=f"{len(given)} are given", fix=f"gbearer profile set {name} {key} VALUE"
        )
    text = ", ".join(given)
    path = kind == keys.PATH and keys.problem(key, text) is None and not text.lstrip().startswith("{")
    if path and not text.startswith("~"):
        text = os.path.join(os.getcwd(), text)  # where it is now; in the file it would begin elsewhere
    edit.set_value(look, name, key, text)
    if path and not os.path.exists(keys.located(key, text, "", os.path.expanduser("~"))):
        log.warn(f"there is no file {text} yet")


def _unset(args: "argparse.Namespace", world: "World", look: Look) -> None:  # noqa: ARG001
    from gbearer.profiles import edit

    _count(args, 1, 1000, "gbearer profile unset NAME [KEY...]")
    edit.unset(look, args.words[0], [key.lower().replace("_", "-") for key in args.words[1:]])


def _use(args: "argparse.Namespace", world: "World", look: Look) -> None:  # noqa: ARG001
    from gbearer.profiles import edit

    if args.none:
        _count(args, 0, 0, "gbearer profile use --none")
    else:
        _count(args, 1, 1, "gbearer profile use NAME, or gbearer profile use --none")
    name = None if args.none or args.words[0] == profiles.NONE else args.words[0]
    edit.use(look, name)
    try:
        active = profiles.options(Look(look.env))
    except Error as error:
        log.warn(f"{error.message}: {error.why}")
        return
    if active.name != (name or ""):
        log.warn(f"here {active.origin} goes before it, and chooses {active.name or 'no profile'}")


def _config(look: Look) -> "Config":
    from gbearer.profiles import ini, places

    path = profiles.config_path(look)
    return ini.config(places.read(look, path, places.LARGEST) or b"", path)


def _count(args: "argparse.Namespace", least: int, most: int, usage: str) -> None:
    if not least <= len(args.words) <= most:
        raise UsageError(
            f"profile {args.action} takes {'other' if args.words else 'more'} words than these", fix=f"write {usage}"
        )
