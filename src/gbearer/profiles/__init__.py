"""Named sets of options: which profile is chosen, by whom, and what it says; read through the Look, trusted for it."""

import os
import re

from gbearer.errors import UsageError
from gbearer.profiles import places
from gbearer.sources import wellknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.profiles.ini import Config
    from gbearer.sources.look import Look

VARIABLE = "GBEARER_PROFILE"
OPTION = "--profile"
NONE = "none"
"""The name that means: no profile, whatever else would choose one."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class Chosen:
    """The profile that is in force.

    name     "" where there is none
    origin   what chose it: --profile, GBEARER_PROFILE, the path of a .gbearer.ini, or `gbearer profile use`
    path     where profiles are kept; the file may not be there
    values   option -> its text, checked, paths made absolute; options are spelled with dashes
    lines    option -> the line in `path` on which it stands
    """

    __slots__ = ("lines", "name", "origin", "path", "values")

    def __init__(
        self,
        path: str,
        name: str = "",
        origin: str = "",
        values: "Mapping[str, str] | None" = None,
        lines: "Mapping[str, int] | None" = None,
    ) -> None:
        self.path = path
        self.name = name
        self.origin = origin
        self.values = values or {}
        self.lines = lines or {}

    def told(self) -> str:
        """The profile in force in words, "" where there is none."""
        return f"the profile {self.name} of {self.path} is in force, chosen by {self.origin}" if self.name else ""

    def __repr__(self) -> str:
        return f"Chosen({self.name!r}, {self.origin!r}, {sorted(self.values)})"


def config_path(look: "Look") -> str:
    """Where profiles are kept."""
    return os.path.join(wellknown.config_folder(look), places.CONFIG)


def options(look: "Look", name: str | None = None) -> Chosen:
    """The profile in force: `name` (of --profile), GBEARER_PROFILE, the nearest .gbearer.ini, what was last `use`d.

    Every file that is looked at is noted in `look`, absent ones too.
    Raises UsageError for a name that does not exist, BadCredentials for files that cannot be understood.
    """
    path = config_path(look)
    origin = OPTION
    if name is None:
        name, origin = look.env.get(VARIABLE, ""), VARIABLE
        if not name:
            name, origin = places.nearby(look, wellknown.home(look))
    elif not name:
        raise UsageError(f"{OPTION} names no profile", fix=f"{OPTION} NAME, or {OPTION} {NONE} for no profile at all")
    if name == NONE:
        return Chosen(path, "", origin)
    data = places.read(look, path, places.LARGEST)
    if data is None:
        if not name:
            return Chosen(path)
        raise unknown(name, origin, path, [])
    from gbearer.profiles import ini

    config = ini.config(data, path)
    if not name:
        name, origin = config.used, "gbearer profile use"
        if not name or name == NONE:
            return Chosen(path, "", origin if name else "")
    if name not in config.profiles:
        raise unknown(name, origin, path, list(config.profiles))
    return chosen(look, config, name, origin)


def chosen(look: "Look", config: "Config", name: str, origin: str) -> Chosen:
    """The profile `name` of a file that was read; BadCredentials that says everything wrong with it at once."""
    from gbearer.profiles import keys

    found = config.profiles[name]
    values = keys.checked(found, config.path, wellknown.home(look))
    return Chosen(config.path, name, origin, values, {key: value.line for key, value in found.items()})


def unknown(name: str, origin: str, path: str, known: list[str]) -> UsageError:
    """The error for a profile that is not there, with the nearest names and where the choice came from."""
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), [each.lower() for each in known], 3)
    named = [each for each in known if each.lower() in near]
    there = f"{path} has {', '.join(known[:20])}" if known else f"there are none yet in {path}"
    shown = f"{name[:60]!r}"
    if named:
        fix = " or ".join(_corrected(each, origin) for each in named)
    elif known:
        fix = "gbearer profile list"
    else:
        example = name if NAME.fullmatch(name) else "NAME"
        fix = f"gbearer profile set {example} credentials FILE, or {OPTION} {NONE} to go without"
    return UsageError(f"there is no profile {shown}", why=f"{origin} chooses it, and {there}", fix=fix)


def _corrected(name: str, origin: str) -> str:
    """How to choose the profile `name` where `origin` has chosen another."""
    if origin == VARIABLE:
        return f"export {VARIABLE}={name}"
    return f"write profile = {name} into {origin}" if origin.endswith(".ini") else f"{origin} {name}"


def names(look: "Look") -> list[str]:
    """The names of all profiles, in the order of the file; BadCredentials where it cannot be understood."""
    path = config_path(look)
    data = places.read(look, path, places.LARGEST)
    if data is None:
        return []
    from gbearer.profiles import ini

    return list(ini.config(data, path).profiles)
