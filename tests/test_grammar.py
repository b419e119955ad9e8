"""The grammars of a question: what is understood, and that everything else is refused, all of it at once."""

import pytest

from gbearer import grammar
from gbearer.errors import UsageError
from gbearer.model import Ask

API = "https://www.googleapis.com/auth/"
SA = "robot@p.iam.gserviceaccount.com"
HOSTILE = ["\n", "\r\nX-Evil: 1", '"', "\\", "\0", " ", "\t", "\x7f", "é", "\u2028", "１", "\ud800", "'; rm -rf /"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("15m", 900),
        ("3600s", 3600),
        ("3600", 3600),
        ("12h", 43_200),
        ("1d", 86_400),
        ("0", 0),
        (" 5m ", 300),
        ("007s", 7),
        (90, 90),
        (90.9, 90),
    ],
)
def test_durations_that_are_understood(text: str | float, value: int) -> None:
    assert grammar.seconds(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "m", "15 m", "1.5h", "-5", "+5", "5M", "5min", "1h30m", "１５m", "0x10", "1e3", "9" * 10, "5m\n5m", "inf",
     -1, -0.5 - 1, float("nan"), float("inf"), float("-inf")],
)  # fmt: skip
def test_durations_that_are_none_are_a_usage_error_that_names_the_option(text: str | float) -> None:
    with pytest.raises(UsageError, match=r"--min-ttl .* is not a duration") as caught:
        grammar.seconds(text, "--min-ttl")
    assert caught.value.fix == "write --min-ttl 15m, 3600s or 12h"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        ("", ()),
        ([""], ()),
        ([",", " "], ()),
        ("devstorage.read_only", (f"{API}devstorage.read_only",)),
        (["cloud-platform"], (f"{API}cloud-platform",)),
        (["openid"], ("openid",)),
        (["email", "profile"], (f"{API}userinfo.email", f"{API}userinfo.profile")),
        (["a,b", "c"], (f"{API}a", f"{API}b", f"{API}c")),
        (["b a b"], (f"{API}b", f"{API}a")),
        ([f"{API}a", "a"], (f"{API}a",)),
        (["https://mail.google.com/"], ("https://mail.google.com/",)),
        (["OPENID"], (f"{API}OPENID",)),
    ],
)
def test_scopes_are_written_out(values: list[str] | str, expected: tuple[str, ...]) -> None:
    assert grammar.scopes(values) == expected
    assert Ask(scopes=grammar.scopes(values)).scopes == expected


@pytest.mark.parametrize("bad", [text for text in HOSTILE if text != " " and "; rm" not in text])
def test_a_scope_with_a_character_that_no_scope_may_have_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="scope"):
        Ask(scopes=grammar.scopes([f"x{bad}y"]))


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("place", ["front", "middle", "end"])
def test_no_field_takes_what_could_become_a_header_an_option_or_a_shell_word(bad: str, place: str) -> None:
    def spoilt(text: str) -> str:
        at = {"front": 0, "middle": len(text) // 2, "end": len(text)}[place]
        return text[:at] + bad + text[at:]

    fields: dict[str, dict[str, object]] = {
        "scope": {"scopes": (spoilt("https://x/y"),)},
        "audience": {"kind": "id", "audience": spoilt("https://x/y")},
        "service account": {"impersonate": (spoilt(SA),)},
        "subject": {"subject": spoilt("ada@example.com")},
        "quota project": {"quota_project": spoilt("my-project")},
    }
    for said, options in fields.items():
        with pytest.raises(UsageError, match=said) as caught:
            Ask(**options)  # type: ignore[arg-type]
        assert bad.isprintable() or bad not in caught.value.message, "shown escaped"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "id"}, "needs an audience"),
        ({"kind": "id", "audience": ""}, "audience is empty"),
        ({"kind": "id", "audience": "https://a b"}, "has spaces"),
        ({"kind": "id", "audience": "x" * 2001}, "audience"),
        ({"kind": "id", "audience": "https://a", "scopes": ("openid",)}, "not scopes"),
        ({"kind": "id", "audience": "https://a", "subject": "ada@example.com"}, "domain-wide delegation"),
        ({"kind": "id", "audience": "https://a", "lifetime": 60}, "cannot be chosen"),
        ({"account": ""}, "no account"),
        ({"account": "a\nb"}, "no account"),
        ({"account": "ada@example.com", "source": "metadata"}, "has no accounts"),
        ({"account": "ada@example.com", "source": "file"}, "has no accounts"),
        ({"account": "ada@example.com", "credentials": "key.json"}, "--account another"),
        ({"kind": "id", "audience": "https://a", "boundary": "{}"}, "for access tokens"),
        ({"kind": "jwt", "boundary": "{}"}, "for access tokens"),
        ({"kind": "jwt", "audience": "https://a", "scopes": ("openid",)}, "never both"),
        ({"kind": "jwt", "impersonate": (SA,)}, "cannot impersonate"),
        ({"kind": "jwt", "subject": "ada@example.com"}, "cannot impersonate"),
        ({"kind": "jwt", "lifetime": 3601}, "outside 1 to 3600"),
        ({"kind": "bearer"}, "no token type 'bearer'"),
        ({"source": "gce"}, "no source 'gce'"),
        ({"impersonate": (SA,), "lifetime": 43_201}, "outside 1 to 43200"),
        ({"lifetime": 0}, "outside"),
        ({"lifetime": -1}, "outside"),
        ({"min_ttl": -1}, "negative"),
        ({"subject": "ada@example.com", "lifetime": 60}, "lives for one hour"),
        ({"subject": "ada"}, "no email address"),
        ({"subject": ""}, "no email address"),
        ({"impersonate": ("robot",)}, "no service account"),
        ({"impersonate": ("",)}, "no service account"),
        ({"impersonate": ("../../x@y",)}, "no service account"),
        ({"impersonate": (f"{SA}:signJwt",)}, "no service account"),
        ({"quota_project": ""}, "no project id"),
        ({"quota_project": "-x"}, "no project id"),
        ({"quota_project": "x" * 200}, "no project id"),
        ({"credentials": "k.json", "source": "metadata"}, "names one credential"),
    ],
)
def test_what_contradicts_itself_or_cannot_be_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Ask(**options)  # type: ignore[arg-type]
    assert caught.value.code == 2
    assert caught.value.fix


def test_all_contradictions_are_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        Ask(
            "id", scopes=("a b",), source="gce", impersonate=("robot",), subject="ada", lifetime=60, min_ttl=-1,
            quota_project="-", credentials="k.json",
        )  # fmt: skip
    for said in ("no source", "scope", "'robot'", "'ada'", "'-'", "needs an audience", "not scopes", "delegation",
                 "cannot be chosen", "one hour", "negative", "--credentials"):  # fmt: skip
        assert said in caught.value.message, said
    assert caught.value.fix.count(";") == caught.value.message.count("; ")


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "id", "audience": "https://f-abc.run.app/path?x=y#z"},
        {"audience": "https://gdch.example"},
        {"account": "ada@example.com", "source": "gcloud"},
        {"account": "principal://iam.googleapis.com/locations/global/workforcePools/p/subject/ada", "source": "login"},
        {"account": "ada@example.com", "boundary": "{}", "impersonate": (SA,)},
        {"kind": "id", "audience": "32555940559.apps.googleusercontent.com"},
        {"kind": "id", "audience": "/projects/1/global/backendServices/2"},
        {"kind": "jwt"},
        {"kind": "jwt", "audience": "https://pubsub.googleapis.com/", "lifetime": 3600},
        {"kind": "jwt", "scopes": ("openid",)},
        {"impersonate": (SA, "108765432109876543210"), "lifetime": 43_200},
        {"subject": "ada+x@sub.example.co.jp"},
        {"quota_project": "example.com:my-project"},
        {"quota_project": "123456789012"},
        {"credentials": "k.json", "source": "file", "min_ttl": 600},
    ],
)
def test_what_people_really_ask_is_taken(options: dict[str, object]) -> None:
    ask = Ask(**options)  # type: ignore[arg-type]
    assert all(getattr(ask, name) == value for name, value in options.items())


def test_grammars_take_no_time_over_long_hostile_input() -> None:
    import time

    began = time.monotonic()
    for text in ("a" * 200_000, "a@" * 100_000, "a@" + "b." * 100_000, "9" * 200_000, "a" * 200_000 + "\n"):
        for pattern in (grammar.B64TOKEN, grammar.EMAIL, grammar.PROJECT):
            pattern.fullmatch(text)
    assert time.monotonic() - began < 2
