"""Attribute mappings and conditions: the part of the Common Expression Language that providers use most."""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from gbearer.emulator.answers import oauth_refusal

Expression = Callable[[Mapping[str, Any]], Any]
SUBJECT_LIMIT = 127  # bytes of google.subject
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'[^'\\]*'|\"[^\"\\]*\")|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>==|!=|&&|\|\||[?:+!.,()\[\]]))",
    re.ASCII,
)
_VALUES: dict[str, object] = {"true": True, "false": False, "null": None}
AWS_DEFAULT = {
    "google.subject": "assertion.arn",
    "attribute.account": "assertion.account",
    "attribute.aws_role": (
        "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/'"
        " + assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn"
    ),
}
"""Google's default mapping for AWS providers."""


def compiled(text: str) -> Expression:
    """The function that `text` stands for: from the names in scope to a value.

    Known: paths (`a.b`, `a['b']`), strings, numbers, lists, `== != in && || ! + ?:`, `contains`, `startsWith`,
    `endsWith`, `extract` and `has`. ValueError for anything else; the function raises ValueError where a value is
    missing or of the wrong kind.
    """
    parser = _Parser(text)
    found = parser.ternary()
    if parser.tokens:
        raise ValueError(f"{text!r}: {parser.tokens[0]!r} was not expected")
    return found


class _Parser:
    """Recursive descent over the tokens that are left; each method gives the function for what it read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        while at < len(text.rstrip()):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"{text!r}: cannot be read from {text[at : at + 20]!r}")
            self.tokens.append(found[found.lastgroup or 0])
            at = found.end()

    def take(self, *wanted: str) -> str:
        """The next token if it is one of `wanted`, otherwise the empty string."""
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else ""

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise ValueError(f"{self.text!r}: {wanted!r} is missing")

    def ternary(self) -> Expression:
        test = self.either()
        if not self.take("?"):
            return test
        yes = self.ternary()
        self.need(":")
        no = self.ternary()
        return lambda scope: yes(scope) if _boolean(test(scope)) else no(scope)

    def either(self) -> Expression:
        left = self.both()
        while self.take("||"):
            left = _lazy(left, self.both(), stop=True)
        return left

    def both(self) -> Expression:
        left = self.compared()
        while self.take("&&"):
            left = _lazy(left, self.compared(), stop=False)
        return left

    def compared(self) -> Expression:
        left = self.summed()
        sign = self.take("==", "!=", "in")
        if not sign:
            return left
        return _joined(left, self.summed(), {"==": operator.eq, "!=": operator.ne, "in": lambda a, b: a in b}[sign])

    def summed(self) -> Expression:
        left = self.negated()
        while self.take("+"):
            left = _joined(left, self.negated(), operator.add)
        return left

    def negated(self) -> Expression:
        if not self.take("!"):
            return self.path()
        inner = self.negated()
        return lambda scope: not _boolean(inner(scope))

    def path(self) -> Expression:
        value = self.simple()
        while sign := self.take(".", "["):
            if sign == "[":
                value = _joined(value, self.ternary(), _member)
                self.need("]")
                continue
            name = self.tokens.pop(0) if self.tokens else ""
            if not name.isidentifier():
                raise ValueError(f"{self.text!r}: a name is missing after '.'")
            value = self.call(value, name) if self.take("(") else _joined(value, _constant(name), _member)
        return value

    def call(self, value: Expression, name: str) -> Expression:
        if name not in _METHODS:
            raise ValueError(f"{self.text!r}: unknown function {name}")
        argument = self.ternary()
        self.need(")")
        return _joined(value, argument, _METHODS[name])

    def simple(self) -> Expression:
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "(":
            inner = self.ternary()
            self.need(")")
            return inner
        if token == "[":
            items = [] if self.tokens[:1] == ["]"] else [self.ternary()]
            while self.take(","):
                items.append(self.ternary())
            self.need("]")
            return lambda scope: [item(scope) for item in items]
        if token == "has" and self.take("("):
            inner = self.ternary()
            self.need(")")
            return lambda scope: _present(inner, scope)
        if token[:1] in ("'", '"') and token:
            return _constant(token[1:-1])
        if token.isdigit():
            return _constant(int(token))
        if token in _VALUES:
            return _constant(_VALUES[token])
        if token.isidentifier():
            return lambda scope: _member(scope, token)
        raise ValueError(f"{self.text!r}: {token or 'the end'!r} was not expected")


def _constant(value: object) -> Expression:
    return lambda _: value


def _joined(left: Expression, right: Expression, how: Callable[[Any, Any], Any]) -> Expression:
    def apply(scope: Mapping[str, Any]) -> Any:
        try:
            return how(left(scope), right(scope))
        except (TypeError, AttributeError):
            raise ValueError("no such overload") from None

    return apply


def _lazy(left: Expression, right: Expression, *, stop: bool) -> Expression:
    return lambda scope: stop if _boolean(left(scope)) is stop else _boolean(right(scope))


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("no such overload")
    return value


def _member(value: Any, name: Any) -> Any:
    try:
        return value[name]
    except (KeyError, IndexError, TypeError):
        raise ValueError(f"no such key: {name}") from None


def _present(inner: Expression, scope: Mapping[str, Any]) -> bool:
    try:
        inner(scope)
    except ValueError:
        return False
    return True


def _extract(text: str, template: str) -> str:
    """What stands in `text` where `template` has its one `{name}`; empty where the rest does not fit."""
    found = re.fullmatch(r"([^{}]*)\{\w+\}([^{}]*)", template)
    if found is None:
        raise ValueError(f"extract: {template!r} needs one {{name}}")
    start = text.find(found[1])
    if start < 0:
        return ""
    rest = text[start + len(found[1]) :]
    end = rest.find(found[2]) if found[2] else len(rest)
    return rest[:end] if end >= 0 else ""


_METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "extract": _extract,
}


def mapped(mapping: Mapping[str, str], condition: str, assertion: Mapping[str, Any]) -> dict[str, Any]:
    """The mapped attributes by their names; raises Refusal as the service words it."""
    attributes: dict[str, Any] = {}
    for name, text in mapping.items():
        try:
            attributes[name] = compiled(text)({"assertion": assertion})
        except ValueError as error:
            problem = f"The attribute mapping for {name} could not be evaluated on the given credential: {error}"
            raise oauth_refusal("invalid_grant", problem) from None
        limit = SUBJECT_LIMIT if name == "google.subject" else 2048
        if isinstance(attributes[name], str) and len(attributes[name].encode()) > limit:
            raise oauth_refusal(
                "invalid_grant",
                f"The size of mapped attribute {name} exceeds the {limit} bytes limit. Either modify your attribute "
                f"mapping or the incoming assertion to produce a mapped attribute that is less than {limit} bytes.",
            )
    subject = attributes.get("google.subject")
    if not isinstance(subject, str) or not subject:
        raise oauth_refusal("invalid_grant", "The mapped attribute google.subject must be a non-empty string.")
    if condition and not _holds(condition, assertion, attributes):
        raise oauth_refusal("unauthorized_client", "The given credential is rejected by the attribute condition.")
    return attributes


def _holds(condition: str, assertion: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    scope: dict[str, Any] = {"assertion": assertion, "google": {}, "attribute": {}}
    for name, value in attributes.items():
        group, _, key = name.partition(".")
        scope[group][key] = value
    try:
        return _boolean(compiled(condition)(scope))
    except ValueError:
        return False
