"""Attribute mappings and conditions: expressions that providers use, Google's default one, and what is none."""

from typing import Any

import pytest

from gbearer.emulator.answers import Refusal
from gbearer.emulator.sts import mapping

ROLE = "arn:aws:sts::123456789012:assumed-role/worker/i-0abc"
USER = "arn:aws:iam::123456789012:user/team/ida"
SCOPE: dict[str, Any] = {
    "assertion": {
        "sub": "me",
        "arn": ROLE,
        "groups": ["red", "blue"],
        "nested": {"deep": {"name": "x"}},
        "odd name": "odd",
        "yes": True,
        "n": 7,
    }
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("assertion.sub", "me"),
        ("assertion['sub']", "me"),
        ('assertion["odd name"]', "odd"),
        ("assertion.nested.deep['name']", "x"),
        ("assertion.groups[1]", "blue"),
        ("'a' + assertion.sub + \"b\"", "ameb"),
        ("assertion.sub == 'me'", True),
        ("assertion.sub != 'me'", False),
        ("assertion.n == 7", True),
        ("assertion.yes", True),
        ("!assertion.yes || assertion.sub in ['you', 'me']", True),
        ("'red' in assertion.groups && 'x' in assertion.groups", False),
        ("has(assertion.sub) ? 'is' : 'is not'", "is"),
        ("has(assertion.email) ? assertion.email : 'none'", "none"),
        ("has(assertion.email) && assertion.email == 'x'", False),
        ("assertion.arn.startsWith('arn:aws:sts::')", True),
        ("assertion.arn.endsWith('/x')", False),
        ("assertion.arn.contains('worker')", True),
        ("assertion.arn.extract('assumed-role/{role}/')", "worker"),
        ("assertion.arn.extract('worker/{session}')", "i-0abc"),
        ("assertion.arn.extract('nothing/{x}/')", ""),
        ("(assertion.sub == 'me' ? [1, 2] : [])[1]", 2),
    ],
)
def test_an_expression_has_a_value(text: str, value: object) -> None:
    assert mapping.compiled(text)(SCOPE) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "assertion.", "assertion.sub ==", "(assertion.sub", "assertion.sub)", "a ? b", "'open", "1 ~ 2"),
        *("assertion.sub.matches('x')", "assertion['sub'", "[1, 2", "assertion.sub assertion.sub", "== 'x'"),
        "__import__('os').system('true')",
    ],
)
def test_what_is_no_expression_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        mapping.compiled(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "assertion.email",
            "other",
            "assertion.sub.name",
            "assertion.groups[9]",
            "assertion.sub + 1",
            "!assertion.sub",
        ),
        *("assertion.n.contains('x')", "assertion.sub && true", "assertion.arn.extract('no braces')"),
    ],
)
def test_a_value_that_is_not_there_or_of_another_kind(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        mapping.compiled(text)(SCOPE)


@pytest.mark.parametrize(
    ("arn", "role"),
    [(ROLE, "arn:aws:sts::123456789012:assumed-role/worker"), (USER, USER)],
)
def test_googles_default_mapping_for_aws(arn: str, role: str) -> None:
    found = mapping.mapped(mapping.AWS_DEFAULT, "", {"arn": arn, "account": "123456789012", "userid": "X"})
    assert found == {"google.subject": arn, "attribute.account": "123456789012", "attribute.aws_role": role}


def test_a_condition_sees_the_claims_and_what_was_mapped() -> None:
    names = {"google.subject": "assertion.sub", "attribute.team": "assertion.groups[0]"}
    held = "google.subject == 'me' && attribute.team == 'red' && assertion.n == 7"
    assert mapping.mapped(names, held, SCOPE["assertion"]) == {"google.subject": "me", "attribute.team": "red"}


@pytest.mark.parametrize("condition", ["attribute.team == 'red'", "assertion.email == 'x'", "assertion.sub", "false"])
def test_a_condition_that_does_not_hold_or_cannot_be_evaluated(condition: str) -> None:
    with pytest.raises(Refusal) as caught:
        mapping.mapped({"google.subject": "assertion.sub"}, condition, SCOPE["assertion"])
    assert b"rejected by the attribute condition" in caught.value.body


@pytest.mark.parametrize("text", ["assertion.groups", "assertion.n", "assertion.arn.extract('x{y}z')"])
def test_the_subject_must_be_some_text(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        mapping.mapped({"google.subject": text}, "", SCOPE["assertion"])
    assert b"non-empty string" in caught.value.body
