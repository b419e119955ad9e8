"""`gbearer demo`: a tour on a local Google; every command shown is run, and what came of it is checked."""

import os
import re
import sys

from gbearer.cli import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from subprocess import CompletedProcess
    from typing import Any

    from gbearer.cli.world import World
    from gbearer.emulator import Emulator

    Check = Callable[[CompletedProcess[str], list[dict[str, Any]]], bool]

MORE = "Nothing of it leaves this machine, and nothing of this machine is read or changed: no credential, no cache.\n"
_FUNCTION = "/functions/get_range"
_CHOOSING = (
    "CLOUDSDK_AUTH_ACCESS_TOKEN", "GBEARER_CREDENTIALS", "GBEARER_PROFILE", "GCLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT", "NO_GCE_CHECK",
)  # fmt: skip
_TOKEN = re.compile(r"\b(ya29\.[\w.~+/=-]{6}|eyJ[\w-]{9})[\w.~+/=-]+")


class Step:
    """One stop of the tour: what it shows, the command, which lines of its output, and how it has to end."""

    __slots__ = ("check", "command", "fine", "show", "title")

    def __init__(self, title: str, command: list[str], show: str, fine: str, check: "Check") -> None:
        self.title = title
        self.command = command
        self.show = re.compile(show)
        self.fine = fine
        self.check = check


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
        failed = _walk(_steps(google), google, _environment(world, google, folder), world, paint)
    if failed:
        world.write(paint(f"\n{failed} of these did not end as they should.\n", "31"))
        return 1
    world.write(paint("\nMade, placed and accepted. Next: gbearer --help\n", "1"))
    return 0


def _walk(
    steps: list[Step], google: "Emulator", env: dict[str, str], world: "World", paint: "Callable[[str, str], str]"
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


def _steps(google: "Emulator") -> list[Step]:
    """The tour."""
    from shutil import which

    function, api = google.url + _FUNCTION, f"{google.url}/v1/protected"
    target = "target@emulator-project.iam.gserviceaccount.com"
    python = f'import gbearer; print(gbearer.request("POST", "{function}", json={{}}).status)'

    def accepted(path: str, who: str) -> "Check":
        return lambda done, log: (
            done.returncode == 0
            and any(
                (line["path"], line["status"], (line["principal"] or "").partition("@")[0]) == (path, 200, who)
                for line in log
            )
        )

    steps = [
        Step(
            "Who am I? The environment names a service account key, as GOOGLE_APPLICATION_CREDENTIALS.",
            ["gbearer", "whoami"],
            "who |project|credential|until|found",
            "the key was found, and a token made of it",
            lambda done, log: done.returncode == 0 and "robot@" in done.stdout and _made(log) == 1,
        ),
        Step(
            "An access token, for any program. It is in the cache since the last command.",
            ["gbearer", "token"],
            "ya29",
            "Google was not asked again",
            lambda done, log: done.returncode == 0 and done.stdout.startswith("ya29.") and not log,
        ),
        Step(
            "A Cloud Function, called with an ID token that is made for it.",
            ["gbearer", "request", "-i", "POST", function, "--json", "{}"],
            'HTTP/|"email"|"audience"|"json"',
            "the function checked signature, audience and expiry, and let us in",
            accepted(_FUNCTION, "robot"),
        ),
        Step(
            "The same with a token for another audience.",
            [
                "gbearer",
                "request",
                "--fail",
                "-i",
                "POST",
                function,
                "--audience",
                "https://other.example",
                "--json",
                "{}",
            ],
            "HTTP/",
            "refused, as it must be",
            lambda done, log: done.returncode == 22 and any(line["status"] == 401 for line in log),
        ),
        Step(
            "A person's login, acting as a service account.",
            ["gbearer", "request", "-i", "POST", function, "--credentials", "user.json", "--impersonate", target],
            'HTTP/|"email"',
            "accepted, as the service account",
            accepted(_FUNCTION, "target"),
        ),
        Step(
            "From Python.",
            ["python", "-c", python],
            "200",
            "accepted",
            accepted(_FUNCTION, "robot"),
        ),
    ]
    if which("curl"):
        curl = Step(
            "The real curl calls an API. It gets the header through a pipe, never in its arguments.",
            ["gbearer", "curl", "--", "-sS", api],
            '"email"|"scopes"|auth/',
            "accepted",
            accepted("/v1/protected", "robot"),
        )
        steps.insert(4, curl)
    return steps


def _made(log: "list[dict[str, Any]]") -> int:
    return sum(1 for line in log if line["path"] == "/token" and line["status"] == 200)


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
