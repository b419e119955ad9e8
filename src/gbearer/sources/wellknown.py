"""Where gcloud keeps its files, and where gbearer keeps its own: the configuration folders of one user."""

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


def config_folder(look: "Look") -> str:
    r"""The folder of gbearer's own configuration and logins; it may not be there.

    $XDG_CONFIG_HOME/gbearer, else ~/.config/gbearer; on macOS ~/Library/Application Support/gbearer, on Windows
    %APPDATA%\gbearer. An XDG_CONFIG_HOME that is not absolute counts as unset, as its specification says.
    """
    if look.system == "win32":
        data = look.env.get("APPDATA")
        return os.path.join(data or os.path.join(home(look), "AppData", "Roaming"), "gbearer")
    if look.system == "darwin":
        return os.path.join(home(look), "Library", "Application Support", "gbearer")
    named = look.env.get("XDG_CONFIG_HOME", "")
    return os.path.join(named if named.startswith("/") else os.path.join(home(look), ".config"), "gbearer")
