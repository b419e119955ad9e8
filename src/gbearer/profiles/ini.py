"""The form of profile files: [sections] of `key = value`; every fault told by file, line and column, never by value."""

import re

from gbearer import log, profiles
from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

OWN = "gbearer"
"""The section of what is no profile: which one is used."""
USED = "profile"
_PROFILE = "profile "
_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Value:
    """What stands after a key, and where (counted from 1); `began` is the column of the key."""

    __slots__ = ("began", "column", "line", "text")

    def __init__(self, text: str, line: int, column: int, began: int) -> None:
        self.began = began
        self.text = text
        self.line = line
        self.column = column


class Section:
    """One [title] with the line on which it stands, and what it holds."""

    __slots__ = ("column", "line", "title", "values")

    def __init__(self, title: str, line: int, column: int) -> None:
        self.title = title
        self.line = line
        self.column = column
        self.values: dict[str, Value] = {}


class Config:
    """config.ini: the profiles by name, each its values by key; and the name of the one that is used, or ""."""

    __slots__ = ("path", "profiles", "used")

    def __init__(self, path: str, used: str, found: dict[str, dict[str, Value]]) -> None:
        self.path = path
        self.used = used
        self.profiles = found


def config(data: bytes, path: str) -> Config:
    """What config.ini says; BadCredentials with line and column for what cannot be understood."""
    used, found = "", {}
    for section in parse(data, path).values():
        if section.title == OWN:
            used = _only_choice(section, path)
        elif section.title.startswith(_PROFILE):
            name = section.title.removeprefix(_PROFILE)
            if not profiles.NAME.fullmatch(name) or name == profiles.NONE:
                broken(path, section.line, section.column, *_no_name(name))
            found[name] = section.values
        else:
            name = section.title if profiles.NAME.fullmatch(section.title) else "NAME"
            broken(path, section.line, section.column, "no such section is known", f"write [profile {name}]")
    return Config(path, used, found)


def choice(data: bytes, path: str) -> str:
    """The one name that a .gbearer.ini may choose, "" where it chooses none; whatever else it holds has no effect.

    BadCredentials, with line and column, for what cannot be understood.
    """
    name, more = "", False
    for section in parse(data, path).values():
        if section.title == OWN:
            name = _name(section, path)
        more = more or section.title != OWN or any(key != USED for key in section.values)
    if more:
        log.warn(f"{path} may only choose a profile by name; the rest of it is ignored")
    return name


def _only_choice(section: Section, path: str) -> str:
    for key, value in section.values.items():
        if key != USED:
            what = f"{key!r} is not known under [{OWN}]; settings of gbearer are not kept here"
            broken(path, value.line, 1, what, f"take it out; {USED} = NAME is all")
    return _name(section, path)


def _name(section: Section, path: str) -> str:
    value = section.values.get(USED)
    if value is None:
        return ""
    if not profiles.NAME.fullmatch(value.text):
        broken(path, value.line, value.column, *_no_name(value.text))
    return value.text


def _no_name(name: str) -> tuple[str, str]:
    if name == profiles.NONE:
        return f"no profile can be called {name}", f"{name} is for going without one; choose another name"
    return f"{name[:60]!r} is no name of a profile", "use up to 64 letters, digits and any of . _ @ + -"


def _begins(path: str) -> str:
    return "[gbearer]" if path.endswith(".gbearer.ini") else "[profile NAME]"


def parse(data: bytes, path: str) -> dict[str, Section]:
    """The sections by their titles; BadCredentials, with line and column, for a line that is none of this form.

    `[title]`; `key = value`, the key in any case, with dashes or underscores; `#` and `;` begin a line of comment. A
    value in quotes loses them. Neither section nor key may be there twice.
    """
    found: dict[str, Section] = {}
    section: Section | None = None
    for number, line in _lines(data, path):
        column = len(line) - len(line.lstrip()) + 1
        text = line.strip()
        if text.startswith("["):
            section = _section(text, path, number, column)
            if section.title in found:
                first = found[section.title].line
                broken(path, number, column, f"the section is there already, on line {first}", "join the two")
            found[section.title] = section
        elif section is None:
            broken(path, number, column, "it stands above the first [section]", f"begin with {_begins(path)}")
        else:
            key, value = _pair(line, path, number, column)
            if key in section.values:
                first = section.values[key].line
                broken(path, number, column, f"{key} is there already, on line {first}", "keep one of the two")
            section.values[key] = value
    return found


def _lines(data: bytes, path: str) -> "Iterator[tuple[int, str]]":
    """(number, text) of each line that is neither empty nor a comment."""
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            column = len(raw[: error.start].decode("utf-8")) + 1
            broken(path, number, column, "it is no text in UTF-8", "save it as UTF-8")
        for index, each in enumerate(line, 1):
            if not each.isprintable() and each != "\t":
                broken(path, number, index, f"it has the control character {ord(each):#04x}", "take it out")
        if line.strip() and line.lstrip()[0] not in "#;":
            yield number, line


def _section(text: str, path: str, number: int, column: int) -> Section:
    end = text.find("]")
    if end < 0:
        broken(path, number, column + len(text), "the section is not closed", "end it with ]")
    rest = text[end + 1 :].strip()
    if rest and rest[0] not in "#;":
        after = column + len(text) - len(rest)
        broken(path, number, after, "something stands after the section's ]", "put it on a line of its own")
    title = " ".join(text[1:end].split())
    kind, space, name = title.partition(" ")
    return Section(kind.lower() + space + name if space or kind.lower() == OWN else title, number, column)


def _pair(line: str, path: str, number: int, column: int) -> tuple[str, Value]:
    before, sign, after = line.partition("=")
    key = before.strip()
    if not sign:
        broken(path, number, column, "there is no = in it", "write key = value")
    if not _KEY.fullmatch(key):
        broken(path, number, column, "what stands before = is no key", "write key = value")
    text = after.strip()
    at = len(before) + 2 + (len(after) - len(after.lstrip()) if text else 0)
    if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    return key.lower().replace("_", "-"), Value(text, number, at, column)


def broken(path: str, line: int, column: int, what: str, fix: str) -> "NoReturn":
    """Raise the error for one place of a file."""
    raise BadCredentials(f"{path} cannot be used: line {line}, column {column}", why=what, fix=fix)
