"""Where gcloud itself is installed: its program, and the folder with the properties of the whole installation."""

import os

from gbearer import warm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look

ROOT = "CLOUDSDK_ROOT_DIR"
"""Set by gcloud for what it starts: the folder it is installed in."""
INSTALL = "https://cloud.google.com/sdk/docs/install"


def program(look: "Look") -> str:
    """The absolute path of gcloud: in CLOUDSDK_ROOT_DIR, else on PATH; "" where it is not installed.

    Relative entries of PATH and the current folder are passed over: what lies there, somebody else may have put there.
    Every place that was looked at is noted in `look`, the empty ones too: a gcloud that appears in one goes before.
    """
    name = "gcloud.cmd" if look.system == "win32" else "gcloud"
    folders = [os.path.join(look.env[ROOT], "bin")] if look.env.get(ROOT) else []
    folders += look.env.get("PATH", "").split(os.pathsep)
    for folder in folders:
        path = os.path.join(folder, name)
        if not os.path.isabs(folder):
            continue
        _note(path, look)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def properties(look: "Look") -> str:
    """The path of the installation's own properties, which may not be there; "" where gcloud is not installed."""
    found = program(look)
    root = os.path.dirname(os.path.dirname(os.path.realpath(found))) if found else ""
    if not root:
        return ""
    mark = os.path.join(root, ".install")
    _note(mark, look)
    return os.path.join(root, "properties") if os.path.isdir(mark) else ""


def _note(path: str, look: "Look") -> None:
    """Note what is at `path`; where that may not be told, what keeps it from being told: the folder that is closed."""
    while True:
        try:
            look.files[path] = warm.identity(path)
        except PermissionError:
            path = os.path.dirname(path)
        except (OSError, ValueError):
            look.remember = False
            return
        else:
            return
