"""`gbearer header`: print the HTTP header that carries the token."""

from gbearer.cli import answer, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("--audience", metavar="AUD", help="an ID token for this audience, instead of an access token")
    options.add_format(parser, "header")
    options.add_ask(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Print the header."""
    return answer.give(args, world, "header", args.audience)
