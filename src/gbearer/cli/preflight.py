"""`gbearer preflight FILE`: check a federation file before it is used; nothing is run and nothing is sent."""

from gbearer.cli import options, say
from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World
    from gbearer.diagnose.finding import Finding

USAGE = "[options] FILE"
FORMATS = ("text", "json")
MORE = """What is told as a note under the mapping of Google's guides depends on the provider's own mapping,
which only Google knows. Exit code 4 when something will not work."""


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("file", metavar="FILE", help="a file of the type external_account, or - for stdin")
    parser.add_argument("--format", metavar="F", default="text", help="text (default) or json")
    parser.add_argument("--expect-role", metavar="ARN", help="the AWS role that will use it: its names are worked out")
    parser.add_argument("--trust-config", action="store_true", help="accept hosts in the file that are not Google's")
    options.add_verbose(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Print what was found; BadCredentials after that when something is bad."""
    options.start(args, world)
    options.check_format(args.format, FORMATS)
    from gbearer.diagnose import preflight
    from gbearer.diagnose.finding import BAD
    from gbearer.sources import Look, file

    args.credentials = args.file
    text = options.credentials(args, world) or ""
    info, where = file.document(text, "FILE", Look(world.env))
    if info.get("type") != "external_account":
        raise BadCredentials(
            f"{where} is no federation file",
            why=f"its type is {str(info.get('type'))[:60]!r}, and preflight checks files of the type external_account",
            fix=f"gbearer whoami --credentials {args.file} tells what it is good for",
        )
    found = preflight.examine(info, where, world.env, trust=args.trust_config, role=args.expect_role)
    if args.format == "json":
        import json

        told = [{"level": each.level, "about": each.about, "text": each.text, "fix": each.fix} for each in found]
        world.write(json.dumps({"file": where, "findings": told}) + "\n")
    else:
        world.write(say.plain("".join(map(_lines, found))))
    bad = [each for each in found if each.level == BAD]
    if bad:
        raise BadCredentials(
            f"{where} will not work",
            why="; ".join(f"{each.about}: {each.text}" for each in bad),
            fix="; ".join(dict.fromkeys(each.fix for each in bad if each.fix)) or "get the file anew from gcloud",
        )
    return 0


def _lines(found: "Finding") -> str:
    line = f"{found.level:<5} {found.about}: {found.text}\n"
    return line + (f"      {found.fix}\n" if found.fix else "")
