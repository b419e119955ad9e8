"""gcloud's active configuration and its properties, read from gcloud's own files in gcloud's order, and never written.

Follows https://cloud.google.com/sdk/gcloud/reference/topic/configurations.
"""

import os
import re

from gbearer.errors import BadCredentials, Error
from gbearer.sources import wellknown
from gbearer.sources.gcloud import installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.sources.look import Look

ACTIVE = "CLOUDSDK_ACTIVE_CONFIG_NAME"
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_EMPTY = "NONE"
"""The name of the configuration that has no properties and no file."""
_DEFAULT = "default"
_MIGRATED = "# This properties file has been superseded"
"""How the former properties file begins once gcloud has made a configuration of it."""


class Configuration:
    """The active configuration.

    name    what it is called, "" where there is none
    path    its file, "" where it has none
    chosen  who says that it is the active one: a variable or a file; words for messages where nobody does
    """

    __slots__ = ("_env", "_values", "chosen", "name", "path")

    def __init__(
        self, name: str, path: str, chosen: str, env: "Mapping[str, str]", values: "dict[tuple[str, str], str]"
    ) -> None:
        self.name = name
        self.path = path
        self.chosen = chosen
        self._env = env
        self._values = values

    def get(self, section: str, name: str) -> str | None:
        """The property SECTION/NAME, None where it is not set; CLOUDSDK_SECTION_NAME counts even when it is empty."""
        value = self._env.get(variable(section, name))
        return self._values.get((section, name)) if value is None else value

    def true(self, section: str, name: str, otherwise: bool) -> bool:
        """A property that is true or false, `otherwise` where it is not set."""
        value = self.get(section, name)
        return value.strip().lower() in ("1", "true", "on", "yes", "y") if value else otherwise

    def said(self, section: str, name: str) -> str:
        """Who sets the property, in words."""
        if self._env.get(variable(section, name)) is not None:
            return variable(section, name)
        return f"configuration {self.name or _DEFAULT!r}" + (f" ({self.path})" if self.path else "")


def variable(section: str, name: str) -> str:
    """The variable that goes before a property of every file."""
    return f"CLOUDSDK_{section}_{name}".upper()


def read(look: "Look") -> Configuration:
    """The active configuration; BadCredentials when it does not exist, or a file of it cannot be used."""
    folder = wellknown.folder(look)
    name, chosen = _active(look, folder)
    path = "" if name in ("", _EMPTY) else os.path.join(folder, "configurations", f"config_{name}")
    values: dict[tuple[str, str], str] = {}
    general = installed.properties(look)
    if general:
        values.update(_parsed(look.read(general, blank=True) or b"", general))
    if path:
        data = look.read(path, blank=True)
        if data is None and chosen:
            raise _missing(name, chosen, folder)
        values.update(_parsed(data or b"", path))
    elif not name:
        path = os.path.join(folder, "properties")
        data = look.read(path, blank=True) or b""
        path = "" if not data or data.startswith(_MIGRATED.encode()) else path
        values.update(_parsed(data, path) if path else {})
    return Configuration(name, path, chosen, look.env, values)


def _active(look: "Look", folder: str) -> tuple[str, str]:
    """(name, who says so): the variable, else the file; "" for both where there never was a configuration."""
    named = look.env.get(ACTIVE, "")
    if named:
        if named != _EMPTY and not _NAME.fullmatch(named):
            raise _missing(named, ACTIVE, folder)
        return named, ACTIVE
    path = os.path.join(folder, "active_config")
    data = look.read(path, blank=True)
    if data is None:
        return "", ""
    name = data.decode("utf-8", "replace")
    if name in ("", _EMPTY) or _NAME.fullmatch(name):
        return (name, path) if name else (_DEFAULT, "")
    if _NAME.fullmatch(name.strip()):
        raise _missing(name, path, folder)
    return "", ""  # gcloud takes such a file away, and an empty configuration


def _parsed(data: bytes, path: str) -> dict[tuple[str, str], str]:
    if not data:
        return {}
    import configparser

    parser = configparser.ConfigParser()  # gcloud writes a percent sign as two, so it is read that way
    try:
        parser.read_string(data.decode("utf-8", "replace"))
        return {(section, name): value for section in parser.sections() for name, value in parser.items(section)}
    except configparser.Error as error:
        wrong = getattr(error, "errors", None)
        line = wrong[0][0] if wrong else getattr(error, "lineno", None)
        raise BadCredentials(
            f"gcloud's configuration {path} cannot be parsed",
            why=f"it goes wrong at line {line}" if line else "a value in it has a single percent sign",
            fix="correct that line, or take another one: `gcloud config configurations activate NAME`",
        ) from None


def names(folder: str) -> list[str]:
    """The configurations that there are."""
    try:
        found = os.listdir(os.path.join(folder, "configurations"))
    except OSError:
        return []
    return sorted(name.removeprefix("config_") for name in found if name.startswith("config_"))


def _missing(name: str, chosen: str, folder: str) -> Error:
    from difflib import get_close_matches

    known = names(folder)
    near = get_close_matches(name, known, 1)
    take = near[0] if near else known[0] if known else _DEFAULT
    activate = f"`gcloud config configurations activate {take}`"
    return BadCredentials(
        f"gcloud has no configuration {name[:80]!r}",
        why=f"{chosen} names it; " + (f"there are {', '.join(known)}" if known else f"there is none in {folder}"),
        fix=f"export {chosen}={take}, or unset it" if chosen == ACTIVE else activate,
    )
