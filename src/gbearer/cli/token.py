"""`gbearer token`: print an access token, or a self-signed JWT."""

from gbearer.cli import answer, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument(
        "--type", metavar="T", default="access", help="access (default), or jwt: self-signed, no network"
    )
    parser.add_argument(
        "--audience", metavar="AUD", help="who shall accept it: with --type jwt instead of scopes, on GDCH always"
    )
    options.add_format(parser, "raw")
    options.add_ask(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Print the token; the type is checked with everything else that is asked."""
    return answer.give(args, world, args.type, args.audience)
