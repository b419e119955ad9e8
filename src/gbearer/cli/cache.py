"""`gbearer cache`: where the token cache is, what is in it (never the tokens themselves), and how to empty it."""

import os
import time

from gbearer import output
from gbearer.boundary import BOUNDED
from gbearer.cli import options, say
from gbearer.errors import CacheError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World
    from gbearer.model import Token

USAGE = "[options] dir|list|clear"
ACTIONS = ("dir", "list", "clear")


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("action", metavar="dir|list|clear", help="print its path; list what it holds; delete all of it")
    options.add_verbose(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Do one of the three; exit code 8 when the cache cannot be used."""
    options.start(args, world)
    if args.action not in ACTIONS:
        raise UsageError(f"the cache has no action {args.action!r}", fix="gbearer cache dir, list or clear")
    from gbearer import cache

    store = cache.open_cache(world.env, create=False)
    if not store.path:
        raise CacheError("the cache is off", why="GBEARER_CACHE is off", fix="unset GBEARER_CACHE")
    if args.action == "dir":
        world.write(f"{say.plain(store.path)}\n")
        return 0
    there = os.path.lexists(store.path)
    if args.action == "list":
        tokens = store.list() if there else []
        world.write("".join(f"{_line(key, token)}\n" for key, token in tokens))
    else:
        count = store.clear() if there else 0
        world.write(f"{count} {'token' if count == 1 else 'tokens'} deleted\n")
    return 0


def _line(key: str, token: "Token") -> str:
    left = token.expires_in(time.time())
    state = f"{int(left // 60)} min left" if left > 0 else "expired"
    about = token.audience or " ".join(token.scopes)
    if token.source.endswith(f", {BOUNDED}"):
        about = f"{BOUNDED}  {about}"
    parts = [key[:12], f"{token.kind:<6}", output.utc(token.expires_at), f"({state})", token.principal or "-", about]
    return say.plain("  ".join(parts)).replace("\n", " ").rstrip()
