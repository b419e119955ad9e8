"""The console entry: the warm path first, the command line second."""

import sys

from gbearer import _version, warm


def main() -> int:
    """Run `gbearer` with the arguments of this process; returns the exit code."""
    argv = sys.argv[1:]
    if warm.answer(argv, _version.__version__):
        return 0
    from gbearer.cli import main as command_line

    return command_line(argv)


if __name__ == "__main__":
    sys.exit(main())
