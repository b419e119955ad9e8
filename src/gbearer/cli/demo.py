"""`gbearer demo`: a tour on a local Google; every command shown is run, and what came of it is checked."""

import os
import re
import sys

from gbearer.cli import options, tour

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from gbearer.cli.world import World
    from gbearer.emulator import Emulator

MORE = "Nothing of it leaves this machine, and nothing of this machine is read or changed: no credential, no cache.\n"
_CHOOSING = (
    "CLOUDSDK_AUTH_ACCESS_TOKEN", "GBEARER_CREDENTIALS", "GCLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT",
    "NO_GCE_CHECK",
)  # fmt: skip
_TOKEN = re.compile(r"\b(ya29\.[\w.~+/=-]{6}|eyJ[\w-]{9})[\w.~+/=-]+")


def add(parser: "argparse.ArgumentParser") -> None:
    """The options of this command."""
    options.add_verbose(parser)


def run(args: "argparse.Namespace", world: "World") -> int:
    """Walk the tour; 0 when every step ended as it should."""
    import tempfile

    from gbearer import emulator

    options.start(args, world)
    paint = _paint(world)
    with (
        tempfile.TemporaryDirectory(prefix="gbearer-demo-") as folder,
        emulator.running(dir=os.path.join(folder, "google")) as google,
    ):
        world.write(f"A local Google is up at {google.url}; in its folder lie key.json and user.json.\n")
        failed = _walk(tour.steps(google), google, _environment(world, google, folder), world, paint)
    if failed:
        world.write(paint(f"\n{failed} of these did not end as they should.\n", "31"))
        return 1
    world.write(paint("\nMade, placed and accepted. Next: gbearer --help\n", "1"))
    return 0


def _walk(
    steps: list[tour.Step], google: "Emulator", env: dict[str, str], world: "World", paint: "Callable[[str, str], str]"
) -> int:
    """Run every step; returns how many failed."""
    import subprocess

    failed = 0
    for step in steps:
        google.reset()
        world.write(f"\n{step.title}\n{paint('$ ' + _typed(step.command), '1')}\n")
        command = [sys.executable, "-m", *step.command] if step.command[0] == "gbearer" else step.command
        if command[0] == "python":
            command = [sys.executable, *command[1:]]
        done = subprocess.run(
            command,
            env=env,
            cwd=google.dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=False,
        )
        world.write(paint(_shown(done.stdout + done.stderr, step.show), "2"))
        if step.check(done, google.log()):
            world.write(f"  {paint('ok', '32')}: {step.fine}\n")
        else:
            failed += 1
            world.write(f"  {paint('FAILED', '31')}: exit code {done.returncode}; expected: {step.fine}\n")
            world.write(_redacted(done.stdout + done.stderr))
    return failed


def _environment(world: "World", google: "Emulator", folder: str) -> dict[str, str]:
    """The environment of the commands: the emulator's exports, its key, a home and a cache of their own."""
    env = {name: value for name, value in world.env.items() if name not in _CHOOSING}
    return (
        env
        | google.env
        | {
            "HOME": folder,
            "GOOGLE_APPLICATION_CREDENTIALS": str(google.key_file),
            "GBEARER_CACHE": os.path.join(folder, "cache"),
            "GBEARER_PROFILE": "none",
        }
    )


def _typed(command: list[str]) -> str:
    """The command as one would type it."""
    import shlex

    return shlex.join(command)


def _shown(output: str, show: "re.Pattern[str]") -> str:
    """The lines that matter, and a mark for those left out."""
    lines = [f"  {line}" if show.search(line) else "  ..." for line in _redacted(output).splitlines()]
    kept = [line for place, line in enumerate(lines) if line != "  ..." or lines[place - 1 : place] != ["  ..."]]
    return "".join(f"{line}\n" for line in kept)


def _redacted(output: str) -> str:
    return _TOKEN.sub(r"\1...", output)


def _paint(world: "World") -> "Callable[[str, str], str]":
    """Colour on a terminal that wants it (https://no-color.org), plain text elsewhere."""
    coloured = world.stdout.isatty() and not world.env.get("NO_COLOR") and world.env.get("TERM") != "dumb"
    return (lambda text, code: f"\033[{code}m{text}\033[0m") if coloured else lambda text, _: text
