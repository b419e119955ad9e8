"""`gbearer id-token`: print an OpenID Connect ID token for one audience, from every kind of credential."""

from gbearer.cli import answer, options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("--audience", metavar="AUD", help="who shall accept it: the URL of the service (needed)")
    options.add_format(parser, "raw")
    options.add_ask(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Print the token."""
    return answer.give(args, world, "id", args.audience)
