"""The tree of errors: exit codes as the command line documents them, and what they show."""

import copy
import inspect
import pickle

import pytest

import gbearer
from gbearer import errors
from gbearer.errors import (
    BadCredentials,
    CacheError,
    CredentialsNotFound,
    Denied,
    Error,
    LoginRequired,
    Refused,
    Unreachable,
    UsageError,
)

CODES = {
    Error: 1,
    UsageError: 2,
    CredentialsNotFound: 3,
    BadCredentials: 4,
    Denied: 5,
    LoginRequired: 6,
    Unreachable: 7,
    Refused: 7,
    CacheError: 8,
}


def test_every_error_has_the_exit_code_of_the_documentation() -> None:
    found: set[type[Error]] = set()
    for value in vars(errors).values():
        if inspect.isclass(value) and issubclass(value, BaseException):
            assert issubclass(value, Error)
            found.add(value)
    assert found == set(CODES)
    assert {kind: kind.code for kind in found} == CODES


def test_every_error_a_caller_may_catch_is_public() -> None:
    for kind in set(CODES) - {Refused}:
        assert getattr(gbearer, kind.__name__) is kind
        assert kind.__name__ in gbearer.__all__


def test_an_error_says_what_why_and_the_fix_each_on_its_line() -> None:
    assert str(Error("it broke")) == "it broke"
    assert str(Error("it broke", why="rust")) == "it broke\n  why: rust"
    assert str(Error("it broke", fix="oil it")) == "it broke\n  fix: oil it"
    whole = Denied("it broke", why="rust", fix="oil it")
    assert str(whole) == "it broke\n  why: rust\n  fix: oil it"
    assert (whole.message, whole.why, whole.fix, whole.args) == ("it broke", "rust", "oil it", ("it broke",))


def test_a_refusal_keeps_the_answer_and_shows_none_of_it() -> None:
    refused = Refused("https://oauth2.googleapis.com/token", 400, {"x": "SECRET"}, b'{"refresh_token": "SECRET"}')
    assert (refused.status, refused.headers["x"]) == (400, "SECRET")
    for shown in (str(refused), repr(refused)):
        assert "https://oauth2.googleapis.com/token answered 400" in shown
        assert "SECRET" not in shown


@pytest.mark.parametrize("kind", [kind for kind in CODES if kind is not Refused])
def test_an_error_comes_back_from_another_process_by_its_name(kind: type[Error]) -> None:
    back = errors.by_name(kind.__name__)
    assert back is (Error if kind is CacheError else kind)


@pytest.mark.parametrize("name", ["", "KeyboardInterrupt", "Exception", "SystemExit", "os", "error"])
def test_a_name_that_is_none_of_ours_is_the_root(name: str) -> None:
    assert errors.by_name(name) is Error


def test_a_refusal_from_another_process_is_unreachable_and_not_a_bug_of_ours() -> None:
    assert errors.by_name("Refused") is Unreachable


def test_a_copy_for_another_thread_is_its_own_with_all_that_was_said() -> None:
    try:
        raise Refused("https://x/", 503, {"a": "b"}, b"no")
    except Refused as error:
        first: Refused = error
    first.why = "later added"
    second = errors.again(first)
    assert isinstance(second, Refused)
    assert second is not first
    assert vars(second) == vars(first)
    assert str(second) == str(first)
    assert first.__traceback__ is not None
    assert second.__traceback__ is None, "a traceback that two threads append to helps nobody"


def test_errors_survive_copying_and_pickling_as_task_queues_do() -> None:
    error = Denied("m", why="w", fix="f")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is Denied
        assert (other.message, other.why, other.fix, str(other)) == ("m", "w", "f", str(error))
