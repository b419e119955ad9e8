"""Where gcloud keeps its files: its configuration folder, and application default credentials inside it."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look

FILE = "application_default_credentials.json"


def folder(look: "Look") -> str:
    r"""The configuration folder: CLOUDSDK_CONFIG, else ~/.config/gcloud (Linux and macOS) or %APPDATA%\gcloud.

    An empty CLOUDSDK_CONFIG counts as unset, as in gcloud: otherwise a file in the current folder would be taken.
    """
    named = look.env.get("CLOUDSDK_CONFIG")
    if named:
        return named
    if look.system == "win32":
        data = look.env.get("APPDATA")
        return os.path.join(data or look.env.get("SystemDrive", "C:") + "\\", "gcloud")
    return os.path.join(home(look), ".config", "gcloud")


def home(look: "Look") -> str:
    """The user's home folder, as `os.path.expanduser` finds it, but by the environment that is looked at."""
    if look.system == "win32":
        return look.env.get("USERPROFILE") or os.path.expanduser("~")
    if "HOME" in look.env:
        return look.env["HOME"] or "/"
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a container that runs as a user without an entry
        return "/"


def adc(look: "Look") -> str:
    """The path of gcloud's application default credentials; the file may not be there."""
    return os.path.join(folder(look), FILE)
