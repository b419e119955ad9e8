"""What came back from the sign-in page: a code or an error, believed only beside the state that we made."""

import re
from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

LONGEST = 8192
_KNOWN = ("code", "error", "error_description", "error_subtype", "scope", "state")
_CODE = re.compile(r"4(/|%2[Ff])[\w.~%-]+")


class Arrived:
    """The answer to our sign-in (RFC 6749 §4.1.2): `code`, or `error` with its `description`; "" where absent."""

    __slots__ = ("code", "description", "error", "scope")

    def __init__(self, code: str, error: str, description: str, scope: str) -> None:
        self.code = code
        self.error = error
        self.description = description
        self.scope = scope

    def __repr__(self) -> str:
        return f"<answered with {'a code' if self.code else self.error}>"


class Stray(Exception):
    """No answer to a sign-in at all: neither code nor error."""


class WrongState(Exception):
    """An answer, but not to the sign-in that we are waiting for."""


def read(query: str, state: str) -> Arrived:
    """The answer in a URL's query; Stray or WrongState where there is none that may be believed."""
    if len(query) > LONGEST:
        raise Stray("it is too long")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=40)
    except ValueError:
        raise Stray("it has too many fields") from None
    told: dict[str, str] = {}
    for name, value in pairs:
        if name in told and name in _KNOWN:
            raise Stray(f"it says {name} twice")
        told[name] = value
    code, error = told.get("code", ""), told.get("error", "")
    if bool(code) == bool(error):
        raise Stray("it holds neither a code nor an error" if not code else "it holds a code and an error")
    if not compare_digest(told.get("state", "").encode("utf-8", "replace"), state.encode()):
        raise WrongState
    return Arrived(code, error, told.get("error_description", "")[:300], told.get("scope", ""))


def pasted(text: str, state: str) -> Arrived:
    """The answer in what a person pasted: the whole URL, or what follows its question mark; raises as `read`."""
    text = text.strip().strip("'\"<>")
    if _CODE.fullmatch(text):
        raise Stray("it is the code alone, and the whole address is needed: that names the sign-in as well")
    try:
        query = urlsplit(text).query if "://" in text else text.rpartition("?")[2]
    except ValueError:
        raise Stray("it is no address that a browser could be at") from None
    return read(query, state)
