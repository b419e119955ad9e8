"""A person's browser: opened where there is one, and what to type where it is on another machine."""

import shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.stdin.readline().strip()))"
_LATEST = 3600.0
_DISPLAYS = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


def there(env: "Mapping[str, str]") -> bool:
    """Whether there may be a browser to open; what Python would take otherwise runs inside the terminal, if at all."""
    import sys

    return sys.platform in ("win32", "darwin") or any(env.get(name) for name in _DISPLAYS)


def opened(url: str, env: "Mapping[str, str]") -> bool:
    """Whether a browser was opened at `url` (BROWSER is honoured); returns when the program that opens it ends.

    Python's own `webbrowser` does it, in a process of its own: what a browser prints stays off our stdout. The URL,
    with its state, comes to that by stdin: everybody on this machine sees the arguments of a process.
    """
    import subprocess
    import sys

    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", _OPEN],
            env=dict(env),
            input=f"{url}\n".encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LATEST,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def forward(port: int, env: "Mapping[str, str]") -> str:
    """The line that lets a browser on another machine reach the port here; typed on that other machine."""
    import getpass
    import socket

    host = env.get("SSH_CONNECTION", "").split(" ")[2:3]
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = ""
    name = host[0] if host else socket.gethostname()
    return f"ssh -L {port}:127.0.0.1:{port} {shlex.quote(f'{user}@{name}' if user else name)}"


def remote(env: "Mapping[str, str]") -> bool:
    """Whether this is a session on a machine that is not the person's own."""
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))
