"""Conditions of access boundaries: the expressions that Google documents for them, and nothing beyond."""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

LIST_PREFIX = "storage.googleapis.com/objectListPrefix"
_DEEPEST = 32
_TOKEN = re.compile(
    r"\s*(?:(?P<raw>[rR](?:'[^'\n]*'|\"[^\"\n]*\"))|(?P<string>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>==|!=|&&|\|\||[!.,()]))",
    re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2})|(.))")
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", **{c: c for c in "\\?\"'`"}}
_COMPARED: dict[str, Callable[[str, str], bool]] = {"==": operator.eq, "!=": operator.ne}
_METHODS: dict[str, Callable[[str, str], bool]] = {"startsWith": str.startswith, "endsWith": str.endswith}


class Facts(NamedTuple):
    """A request as a condition sees it; `list_prefix` is the prefix of a listing, None for all else."""

    name: str
    type: str
    service: str = "storage.googleapis.com"
    list_prefix: str | None = None


Condition = Callable[[Facts], bool]
Text = Callable[[Facts], str]


def compiled(text: str) -> Condition:
    """The test that `text` stands for.

    Known: `resource.name`, `resource.type`, `resource.service` and `api.getAttribute('storage.googleapis.com/
    objectListPrefix', DEFAULT)`, compared by `==`, `!=`, `startsWith` or `endsWith` with a string; `&&`, `||`, `!` and
    parentheses. ValueError says what is wrong with anything else.
    """
    parser = _Parser(text)
    found = parser.either()
    if parser.left:
        raise ValueError(f"{parser.left[0]!r} was not expected")
    return found


def _constant(value: str) -> Text:
    return lambda _: value


def _string(literal: str) -> str:
    """The text of a string literal (CEL's language definition, String and Bytes Values)."""
    if literal[0] in "rR":
        return literal[2:-1]

    def one(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        if digits or found[4]:
            code = int(digits, 16) if digits else int(found[4], 8)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise ValueError(f"{found[0]} is no character")
            return chr(code)
        if found[5] not in _PLAIN:
            raise ValueError(f"the escape {found[0]!r} is unknown")
        return _PLAIN[found[5]]

    return _ESCAPE.sub(one, literal[1:-1])


class _Parser:
    """Recursive descent over the tokens that are left; each method gives the function for what it read."""

    def __init__(self, text: str) -> None:
        self.left: list[str] = []
        self.depth = 0
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"cannot be read from {text[at : at + 20]!r}")
            self.left.append(found[found.lastgroup or 0])
            at = found.end()

    def take(self, *wanted: str) -> str:
        """The next token if it is one of `wanted`, otherwise the empty string."""
        return self.left.pop(0) if self.left and self.left[0] in wanted else ""

    def need(self, *wanted: str) -> str:
        found = self.take(*wanted)
        if not found:
            there = repr(self.left[0]) if self.left else "the end"
            raise ValueError(f"{' or '.join(repr(one) for one in wanted)} is wanted in place of {there}")
        return found

    def either(self) -> Condition:
        tests = [self.both()]
        while self.take("||"):
            tests.append(self.both())
        return lambda facts: any(test(facts) for test in tests)

    def both(self) -> Condition:
        tests = [self.simple()]
        while self.take("&&"):
            tests.append(self.simple())
        return lambda facts: all(test(facts) for test in tests)

    def simple(self) -> Condition:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")
        if self.take("!"):
            inner = self.simple()
            found: Condition = lambda facts: not inner(facts)  # noqa: E731
        elif self.take("("):
            found = self.either()
            self.need(")")
        else:
            found = self.compared()
        self.depth -= 1
        return found

    def compared(self) -> Condition:
        text = self.text()
        sign = self.need(*_COMPARED, ".")
        if sign == ".":
            how = _METHODS[self.need(*_METHODS)]
            self.need("(")
            other = self.text()
            self.need(")")
        else:
            how, other = _COMPARED[sign], self.text()
        return lambda facts: how(text(facts), other(facts))

    def text(self) -> Text:
        """A string, an attribute of the resource, or one of the request."""
        if self.left and self.left[0][-1] in "'\"":
            return _constant(self.literal())
        if self.need("resource", "api") == "resource":
            self.need(".")
            return operator.attrgetter(self.need("name", "type", "service"))
        for sign in (".", "getAttribute", "("):
            self.need(sign)
        attribute = self.literal()
        self.need(",")
        otherwise = self.literal()
        self.need(")")
        if attribute != LIST_PREFIX:
            raise ValueError(f"the attribute {attribute!r} is unknown; known is {LIST_PREFIX!r}")
        return lambda facts: otherwise if facts.list_prefix is None else facts.list_prefix

    def literal(self) -> str:
        if not self.left or self.left[0][-1] not in "'\"":
            raise ValueError(f"a string is wanted in place of {repr(self.left[0]) if self.left else 'the end'}")
        return _string(self.left.pop(0))
