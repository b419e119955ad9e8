"""Ask and Token: immutable, compared by value, checked where they are made, and quiet about the secret."""

import copy
import json
import pickle
import time
import traceback
from itertools import combinations

import pytest

from gbearer.errors import BadCredentials, UsageError
from gbearer.model import Ask, Token

SA = "robot@p.iam.gserviceaccount.com"
SECRET = "ya29.S-E.C_R~E+T/secret0123456789=="


def token(value: str = SECRET, ends: float = 2e9, principal: str = SA) -> Token:
    return Token(value, "access", ends, principal, "file", issued_at=1.0, scopes=("openid",))


def test_questions_are_compared_by_value_and_can_be_keys() -> None:
    one, same = Ask(scopes=("openid",), min_ttl=5), Ask(scopes=("openid",), min_ttl=5)
    assert one == same
    assert hash(one) == hash(same)
    assert {one: 1}[same] == 1
    assert one != Ask(scopes=("openid",))
    assert one != "Ask"
    assert Ask("id", audience="https://a") != Ask("id", audience="https://b")


def test_a_question_cannot_be_changed() -> None:
    ask = Ask()
    with pytest.raises(AttributeError, match=r"ask\.replace"):
        ask.kind = "id"
    with pytest.raises(AttributeError):
        del ask.scopes
    with pytest.raises(AttributeError):
        ask.other = 1
    assert ask == Ask()


def test_replace_makes_a_checked_copy() -> None:
    ask = Ask(impersonate=(SA,), lifetime=600)
    other = ask.replace(lifetime=900, refresh=True)
    assert (other.impersonate, other.lifetime, other.refresh) == ((SA,), 900, True)
    assert ask.lifetime == 600
    assert ask.replace(kind="id", audience="https://a", lifetime=None).kind == "id"
    with pytest.raises(UsageError):
        ask.replace(lifetime=0)


def test_the_credentials_in_a_question_are_not_shown() -> None:
    inline = ' {"private_key": "SECRET"}'
    shown = repr(Ask(credentials=inline)) + str(Ask(credentials=inline)) + f"{Ask(credentials=inline)}"
    assert "SECRET" not in shown
    assert "<inline>" in shown
    assert "key.json" in repr(Ask(credentials="key.json"))


def test_a_question_shows_only_what_was_asked() -> None:
    assert repr(Ask()) == "Ask(kind='access', source='auto')"
    assert repr(Ask("id", audience="https://a")) == "Ask(audience='https://a', kind='id', source='auto')"


def test_what_a_canonical_question_holds_is_unambiguous() -> None:
    asks = [
        Ask(scopes=("a", "b")),
        Ask(scopes=("a','b",)),
        Ask(scopes=("a",)),
        Ask(scopes=("b",)),
        Ask(boundary="a"),
        Ask(boundary="b"),
        Ask(boundary="scopes"),
        Ask(boundary="a'), ('kind', 'b"),
        Ask(boundary="a", subject="b@c"),
        Ask(subject="a@b"),
        Ask(impersonate=("a@b",)),
    ]
    for one, other in combinations(asks, 2):
        assert one.canonical() != other.canonical()


@pytest.mark.parametrize(
    "text", ["{t}", "{t!s}", "{t!r}", "%(t)s", "%(t)r"], ids=["format", "str", "repr", "percent s", "percent r"]
)
def test_text_made_of_a_token_never_holds_the_secret(text: str) -> None:
    if text == "{t}":
        with pytest.raises(TypeError, match=r"token\.value.*gbearer\.header"):
            text.format(t=token())
        return
    shown = text % {"t": token()} if "%" in text else text.format(t=token())
    assert "S-E" not in shown
    assert shown.startswith(f"<access token of {SA}, ")
    assert shown.endswith(" min left>")


def test_an_f_string_of_a_token_raises_and_its_error_is_quiet() -> None:
    with pytest.raises(TypeError) as caught:
        f"Authorization: Bearer {token()}"
    assert "S-E" not in str(caught.value)
    with pytest.raises(TypeError):
        format(token(), ">20")


def test_containers_and_tracebacks_show_no_secret() -> None:
    assert "S-E" not in repr([token()]) + repr({"t": token()}) + str((token(),))
    try:
        token().nothing  # type: ignore[attr-defined]  # noqa: B018
    except AttributeError:
        assert "S-E" not in traceback.format_exc()


def test_a_token_is_not_serialised_nor_taken_apart() -> None:
    for run in (
        lambda: pickle.dumps(token()),
        lambda: pickle.dumps(token(), 0),
        lambda: json.dumps({"t": token()}),
        lambda: list(token()),  # type: ignore[call-overload]
        lambda: dict(token()),  # type: ignore[call-overload]
        lambda: vars(token()),
        lambda: "x" + token(),  # type: ignore[operator]
        lambda: bytes(token()),  # type: ignore[call-overload]
        lambda: len(token()),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError) as caught:
            run()
        assert "S-E" not in str(caught.value)


def test_a_copy_of_a_token_is_the_token() -> None:
    one = token()
    assert copy.copy(one) is one
    assert copy.deepcopy([one])[0] is one


def test_a_token_cannot_be_changed() -> None:
    one = token()
    with pytest.raises(AttributeError, match="immutable"):
        one.value = "other"
    with pytest.raises(AttributeError):
        del one.value
    assert one.value == SECRET


def test_tokens_are_equal_when_value_and_kind_are() -> None:
    assert token() == token(ends=3e9, principal="")
    assert hash(token()) == hash(token(ends=3e9))
    assert token() != token("ya29.other")
    assert token() != Token(SECRET, "id", 2e9)
    assert token() != SECRET
    assert token().with_quota_project("p") == token()


def test_a_quota_project_beside_a_token_changes_nothing_else() -> None:
    one = token()
    placed = one.with_quota_project("my-project")
    assert placed.quota_project == "my-project"
    assert one.quota_project is None
    assert one.with_quota_project(None) is one
    for name in ("value", "kind", "expires_at", "issued_at", "principal", "source", "scopes", "audience"):
        assert getattr(placed, name) == getattr(one, name)


def test_how_long_a_token_has_left() -> None:
    assert token(ends=1100.0).expires_in(1000.0) == 100.0
    assert token(ends=900.0).expires_in(1000.0) == -100.0
    assert 3590 < token(ends=time.time() + 3600).expires_in() <= 3600
    assert repr(token(ends=time.time() + 3599)) == f"<access token of {SA}, 59 min left>"
    assert repr(token(ends=time.time() - 1, principal="")) == "<access token, expired>"
    assert repr(token(ends=0.0)) == f"<access token of {SA}, end unknown>"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "two words",
        "line\nbreak",
        "end\n",
        "carriage\rreturn",
        "tab\t",
        "nul\0",
        'quote"',
        "quote'",
        "back\\slash",
        "semi;colon",
        "com,ma",
        "$(id)",
        "`id`",
        "a=b",
        "=",
        "ü",
        "١٢٣",
        "ﬁ",
        " lead",
        "x\r\nX-Evil: 1",
        "\ud800",
        "{json}",
        "<html>",
        "a%20b",
    ],
)
def test_a_value_that_is_no_bearer_token_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(BadCredentials, match="characters that no bearer token may have") as caught:
        token(value)
    assert "RFC 6750" in caught.value.why
    assert len(value) < 3 or value not in str(caught.value)


@pytest.mark.parametrize("value", ["a", "AZaz09-._~+/", "abc=", "abc==", "ya29.c.b0Aa_-x", "eyJ.eyJ.c-_", "1//0g-"])
def test_every_value_that_rfc_6750_allows_is_taken(value: str) -> None:
    assert token(value).value == value
