"""`gbearer emulator`: a local Google on loopback, with ready-made credential files."""

from gbearer.cli import say
from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from gbearer.cli.world import World

MORE = """\
It prints `ready http://127.0.0.1:PORT` when it is up, and runs until it is stopped. In DIR: key.json, user.json,
impersonated.json, and env.sh with every export that a client needs.

  gbearer emulator --port 8085 --dir ./fake & . ./fake/env.sh
  gbearer token --credentials ./fake/key.json
"""


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    parser.add_argument("--port", metavar="P", default="0", help="the port of 127.0.0.1 (default: one that is free)")
    parser.add_argument("--dir", metavar="D", help="where the files go (default: a temporary folder)")


def run(args: "argparse.Namespace", world: "World") -> int:
    """Serve until it is stopped."""
    if not args.port.isascii() or not args.port.isdigit() or int(args.port) > 65535:
        raise UsageError(f"--port {args.port!r} is no port", fix="write --port 8085, or leave it out")
    if args.dir == "":
        raise UsageError("--dir is empty", fix="name a folder, or leave it out")
    from gbearer import emulator

    port = int(args.port)
    if args.dir is not None:
        emulator.run(port, args.dir, world.stdout)
        return 0
    import tempfile

    with tempfile.TemporaryDirectory(prefix="gbearer-emulator-") as folder:
        say.note(f"its files are in {folder}, until it ends; for a client: . {folder}/env.sh\n", world.stderr)
        emulator.run(port, folder, world.stdout)
    return 0
