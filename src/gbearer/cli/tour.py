"""The stops of `gbearer demo`: what each shows, the command, and how it has to end."""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess
    from typing import Any

    from gbearer.emulator import Emulator

    Check = Callable[[CompletedProcess[str], list[dict[str, Any]]], bool]

_FUNCTION = "/functions/get_range"


class Step:
    """One stop of the tour: what it shows, the command, which lines of its output, and how it has to end."""

    __slots__ = ("check", "command", "fine", "show", "title")

    def __init__(self, title: str, command: list[str], show: str, fine: str, check: "Check") -> None:
        self.title = title
        self.command = command
        self.show = re.compile(show)
        self.fine = fine
        self.check = check


def steps(google: "Emulator") -> list[Step]:
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

    stops = [
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
        stops.insert(4, curl)
    return stops


def _made(log: "list[dict[str, Any]]") -> int:
    return sum(1 for line in log if line["path"] == "/token" and line["status"] == 200)
