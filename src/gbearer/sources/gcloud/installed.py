"""Where gcloud itself is installed: its program, and the folder with the properties of the whole installation."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look

ROOT = "CLOUDSDK_ROOT_DIR"
"""Set by gcloud for what it starts: the folder it is installed in."""
INSTALL = "https://cloud.google.com/sdk/docs/install"


def program(look: "Look") -> str:
    """The absolute path of gcloud: in CLOUDSDK_ROOT_DIR, else on PATH; "" where it is not installed.

    Relative entries of PATH and the current folder are passed over: what lies there, somebody else may have put there.
    """
    name = "gcloud.cmd" if look.system == "win32" else "gcloud"
    folders = [os.path.join(look.env[ROOT], "bin")] if look.env.get(ROOT) else []
    folders += look.env.get("PATH", "").split(os.pathsep)
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def properties(look: "Look") -> str:
    """The path of the installation's own properties, which may not be there; "" where gcloud is not installed."""
    found = program(look)
    root = os.path.dirname(os.path.dirname(os.path.realpath(found))) if found else ""
    return os.path.join(root, "properties") if root and os.path.isdir(os.path.join(root, ".install")) else ""
