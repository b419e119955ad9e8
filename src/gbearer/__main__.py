"""The console entry: the warm path first, the command line second."""

import os
import sys

from gbearer._version import __version__
from gbearer.warm import BEGAN, answer


def main() -> int:
    """Run `gbearer` with the arguments of this process; returns the exit code."""
    argv = sys.argv[1:]
    if answer(argv, __version__):
        return 0
    import gc

    gc.set_threshold(100_000)  # nothing of a short run is worth collecting; a long one is still bounded
    from gbearer.cli import main as command_line

    return command_line(argv, began=BEGAN)


def run() -> None:
    """`main`, and then the end of the process without taking the interpreter apart: a tenth of a cold start."""
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # nobody reads, or it was never open
            pass
    os._exit(code)


if __name__ == "__main__":
    run()
