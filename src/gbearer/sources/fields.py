"""The fields of a credential file, checked one and all before anything is used: present, text, and of their grammar."""

import re

from gbearer import grammar
from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Info = Mapping[str, object]

_PRINTABLE = re.compile(r"[!-~]+")
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,255}")
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_PRINCIPAL = r"|principal://[A-Za-z0-9._%+@:/-]{1,240}"
_UNIQUE_ID = re.compile(r"[0-9]{1,30}")

GRAMMARS = {
    "client_email": (grammar.EMAIL, "an email address"),
    "account": (re.compile(grammar.EMAIL.pattern + _PRINCIPAL), "an email address or a principal"),
    "private_key_id": (_KEY_ID, "a key id"),
    "project_id": (grammar.PROJECT, "a project id"),
    "quota_project_id": (grammar.PROJECT, "a project id"),
    "client_id": (_CLIENT_ID, "a client id"),
    "client_secret": (_PRINTABLE, "one word"),
    "refresh_token": (_PRINTABLE, "one word"),
    "rapt_token": (_PRINTABLE, "one word"),
    "token_uri": (_PRINTABLE, "a URL"),
    "token_url": (_PRINTABLE, "a URL"),
    "token_info_url": (_PRINTABLE, "a URL"),
    "revoke_url": (_PRINTABLE, "a URL"),
    "audience": (_PRINTABLE, "one word"),
    "workforce_pool_user_project": (grammar.PROJECT, "a project"),
    "service_account_impersonation_url": (_PRINTABLE, "a URL"),
    "universe_domain": (re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+"), "a domain"),
}
SECRET = frozenset({"private_key", "client_secret", "refresh_token", "rapt_token"})


def check(info: "Info", where: str, what: str, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    """BadCredentials that names every field of `info` that is missing, empty, no text, or against its grammar."""
    wrong = [problem for name in required if (problem := _problem(info, name, True))]
    wrong += [problem for name in optional if (problem := _problem(info, name, False))]
    if wrong:
        raise BadCredentials(
            f"{where} is no usable {what}",
            why="; ".join(wrong),
            fix="get the file anew from Google, whole and unchanged",
        )


def _problem(info: "Info", name: str, required: bool) -> str:
    """What is wrong with one field, "" when nothing is; never shows a secret's value."""
    if name not in info or (info[name] is None and not required):
        return f"{name} is missing" if required else ""
    value = info[name]
    if not isinstance(value, str):
        return f"{name} is {_kind(value)}, not text"
    if not value.strip():
        return f"{name} is empty" if required else ""
    form = GRAMMARS.get(name)
    if form and not form[0].fullmatch(value):
        shown = "" if name in SECRET else f" {value[:60]!r}"
        return f"{name}{shown} is not {form[1]}"
    return ""


def _kind(value: object) -> str:
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def text(info: "Info", name: str) -> str:
    """The field as text, "" where it is absent; for fields that `check` has passed."""
    value = info.get(name)
    return value if isinstance(value, str) else ""


def scopes(info: "Info", where: str) -> tuple[str, ...]:
    """The file's own scopes: a list, or one text with spaces between them; BadCredentials for anything else."""
    value = info.get("scopes")
    words = value.split() if isinstance(value, str) else value
    if words is None:
        return ()
    if not isinstance(words, list) or not all(isinstance(word, str) and _PRINTABLE.fullmatch(word) for word in words):
        raise BadCredentials(
            f"{where} is no usable credential file",
            why="scopes is neither a list of scopes nor one text",
            fix="write scopes as a list of texts, or leave it out and use --scope",
        )
    return grammar.scopes(words)
