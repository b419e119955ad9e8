"""`gbearer logout`: end a login at Google, and forget it here."""

from gbearer.cli import options, say
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World
    from gbearer.login.sign_out import Gone
    from gbearer.sources import Look

MORE = """\
Exit codes: 0 signed out (with --all also where nobody was signed in); 3 that account is not signed in;
7 forgotten on this machine, but Google could not be told.
"""


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("--account", metavar="A", help="whose login (default: the active one)")
    parser.add_argument("--all", action="store_true", help="every login")
    options.add_verbose(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Sign out, and say of whom."""
    options.start(args, world)
    if args.all and args.account is not None:
        raise UsageError("--all and --account contradict each other", fix="drop one of them")

    from gbearer.login import sign_out
    from gbearer.sources import Look

    look = Look(world.env)
    accounts = sign_out.chosen(args.account, args.all, look)
    if not accounts:
        say.note("nobody is signed in with gbearer\n", world.stderr)
        return 0
    gone = [sign_out.sign_out(account, look) for account in accounts]
    left = [each for each in gone if each.unrevoked]
    ended = [each for each in gone if not each.unrevoked]
    for each in gone:
        say.note(_also(each), world.stderr)
    if not args.all:
        say.note(_active(look), world.stderr)
    if ended:
        world.write(say.plain("".join(f"signed out: {each.account}\n" for each in ended)) if not left else "")
    if left:
        for each in ended:
            say.note(f"signed out: {each.account}\n", world.stderr)
        raise sign_out.not_revoked(left)
    return 0


def _also(gone: "Gone") -> str:
    """What went with the login."""
    return f"deleted as well: {gone.adc}, which held the same login\n" if gone.adc else ""


def _active(look: "Look") -> str:
    """Whose login is used from now on."""
    from gbearer.sources import logins

    active = logins.chosen(look, logins.folder(look))
    return f"{active} is used from now on\n" if active else ""
