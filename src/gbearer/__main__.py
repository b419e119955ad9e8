"""The console entry: the warm path first, the command line second."""

import sys

from gbearer._version import __version__
from gbearer.warm import answer


def main() -> int:
    """Run `gbearer` with the arguments of this process; returns the exit code."""
    argv = sys.argv[1:]
    if answer(argv, __version__):
        return 0
    from gbearer.cli import main as command_line

    return command_line(argv)


if __name__ == "__main__":
    sys.exit(main())
