"""What a profile may say: its keys, which are the names of options, and what is well-formed after each."""

import os

from gbearer import grammar, log, output
from gbearer.errors import BadCredentials, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.profiles.ini import Value

PATH, LIST, FLAG, DURATION, TEXT = "path", "list", "flag", "duration", "text"
KEYS = {
    "credentials": PATH, "source": TEXT, "account": TEXT, "provider": TEXT, "expect-role": TEXT, "aws-token": TEXT,
    "trust-config": FLAG, "impersonate": TEXT, "delegate": LIST, "subject": TEXT, "scope": LIST, "audience": TEXT,
    "lifetime": DURATION, "min-ttl": DURATION, "quota-project": TEXT, "boundary": PATH, "bucket": TEXT, "prefix": TEXT,
    "role": TEXT, "format": TEXT, "auth": TEXT, "refresh": FLAG, "no-cache": FLAG, "client-file": PATH,
    "login-config": PATH, "port": TEXT, "no-browser": FLAG, "keyring": FLAG,
}  # fmt: skip
"""Every option that a profile can hold, and of which kind it is."""

AUTH = ("auto", "access", "id", "none")
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_CHOICES = {"source": grammar.SOURCES, "format": output.FORMATS, "aws-token": ("signed", "jwt"), "auth": AUTH}
_EXAMPLES = {
    PATH: "a path", LIST: "words, separated by commas", FLAG: "true or false", DURATION: "15m, 3600s or 12h",
    TEXT: "what the option takes",
}  # fmt: skip


def checked(section: "Mapping[str, Value]", path: str, home: str) -> dict[str, str]:
    """The values of one profile, usable as they are: paths absolute (those that are relative begin at the file).

    BadCredentials that names file, line and key of everything wrong, and the nearest known key.
    """
    found: dict[str, str] = {}
    wrong: list[tuple[str, str]] = []
    for key, value in section.items():
        fault = problem(key, value.text)
        if fault:
            column = value.column if key in KEYS else value.began
            wrong.append((f"line {value.line}, column {column}, {key}: {fault[0]}", fault[1]))
        else:
            found[key] = located(key, value.text, os.path.dirname(path), home)
    if wrong:
        raise BadCredentials(
            f"{path} cannot be used: " + "; ".join(what for what, _ in wrong),
            why="a profile holds options of gbearer, by name",
            fix="; ".join(dict.fromkeys(fix for _, fix in wrong)),
        )
    return found


def located(key: str, text: str, folder: str, home: str) -> str:
    """`text` with a path made absolute: `~` is the home, anything relative begins at `folder`."""
    if KEYS[key] != PATH or text.lstrip().startswith("{"):
        return text
    if text == "~" or text.startswith(("~/", "~\\")):
        return os.path.join(home, text[2:])
    return text if os.path.isabs(text) else os.path.join(folder, text)


def problem(key: str, text: str) -> tuple[str, str] | None:
    """What is wrong with a key or its value, and what to do; None where nothing is. No secret is repeated."""
    kind = KEYS.get(key)
    if kind is None:
        return "there is no such option", _instead(key)
    if not text.strip():
        return "it has no value", f"write {key} = {_EXAMPLES[kind]}, or take the line out"
    if key == "credentials" and (fault := _inline(text)):
        return fault
    if kind == FLAG and text.lower() not in (*YES, *NO):
        return "it is neither true nor false", f"write {key} = true"
    known = _CHOICES.get(key)
    if known is not None and text not in known:
        return f"there is no {_shown(text)}", f"write one of {', '.join(known)}"
    if key == "port" and not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) < 65536):
        return f"{_shown(text)} is no port", "write a number up to 65535; 0 takes any that is free"
    return _asked(key, text)


def flag(text: str) -> bool:
    """Whether a checked flag is on."""
    return text.lower() in YES


def words(text: str) -> list[str]:
    """The parts of a list."""
    return text.replace(",", " ").split()


def _asked(key: str, text: str) -> tuple[str, str] | None:
    """What the grammar of questions says about one value alone."""
    from gbearer.model import Ask

    try:
        if key in ("lifetime", "min-ttl"):
            grammar.seconds(text, key)
        elif key == "scope":
            Ask(scopes=grammar.scopes(text))
        elif key in ("impersonate", "delegate"):
            Ask(impersonate=tuple(words(text)) if key == "delegate" else (text,))
        elif key == "audience":
            Ask("id", audience=text)
        elif key == "provider":
            Ask(source="github", provider=text)
        elif key in ("account", "subject", "quota-project", "expect-role"):
            Ask().replace(**{key.replace("-", "_"): text})
    except UsageError as error:
        return log.redact(error.message), error.fix
    return None


def _inline(text: str) -> tuple[str, str] | None:
    from gbearer.sources import file

    if text == "-":
        return "a profile reads no stdin", "name a file"
    if file.inline(text) is not None:
        return "it holds a credential itself", "save that to a file with mode 0600, and name the file"
    return None


def _instead(key: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, KEYS, 1)
    return f"write {near[0]}" if near else f"known are {', '.join(sorted(KEYS))}"


def _shown(text: str) -> str:
    return log.redact(repr(text[:60]))
