"""What completion scripts are made of: commands, their options and words, and what is known of each value."""

from typing import NamedTuple

TEXT, FILE, FOLDER, COMMAND = "text", "file", "folder", "command"
"""A value is: known words or anything, a path (also after @), a folder, another program's words."""
PROFILE, ACCOUNT = "profile", "account"
"""Or what only this machine knows: a profile's name, an account that is signed in."""
ASKED = {
    PROFILE: "command gbearer profile list 2>/dev/null | sed 's/^..//; s/ .*//'",
    ACCOUNT: "command gbearer login --list 2>/dev/null | sed 's/^..//; s/ .*//'",
}
"""How a script asks gbearer for these, and only where one of them is typed."""


class Option(NamedTuple):
    """An option: its names, what it does, what follows it ("" for nothing), and the values that are known."""

    names: tuple[str, ...]
    help: str
    takes: str
    values: tuple[str, ...]
    repeats: bool


class Place(NamedTuple):
    """A word that is no option; the last of a command may stand for several."""

    label: str
    takes: str
    values: tuple[str, ...]
    several: bool


class Command(NamedTuple):
    """A command: its options, and its words in their order."""

    name: str
    summary: str
    options: tuple[Option, ...]
    places: tuple[Place, ...]


def with_curl(commands: list[Command]) -> str:
    """The commands after whose -- curl's words come, as a shell's pattern."""
    return "|".join(each.name for each in commands if any(place.takes == COMMAND for place in each.places))


def taking(commands: list[Command]) -> str:
    """The names of the options that take a value."""
    return " ".join(sorted({name for each in commands for o in each.options if o.takes for name in o.names}))


def quoted(text: str) -> str:
    """A word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
