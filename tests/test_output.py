"""Rendering: each format as its reader reads it, and hostile values that become no second header, option or word."""

import json
import subprocess

import pytest

from gbearer import output
from gbearer.errors import BadCredentials
from gbearer.model import Token

NOW = 1_800_000_000.0
VALUE = "ya29.c.abc-._~+/123=="


def token(kind: str = "access", **more: object) -> Token:
    facts: dict[str, object] = {"issued_at": NOW, "scopes": ("https://www.googleapis.com/auth/cloud-platform",)}
    if kind == "id":
        facts = {"issued_at": NOW, "audience": "https://f.example"}
    return Token(VALUE, kind, NOW + 3600, "robot@p.iam.gserviceaccount.com", "key.json", **(facts | more))  # type: ignore[arg-type]


def test_raw_is_the_token_and_a_newline() -> None:
    assert output.render(token(), "raw", now=NOW) == f"{VALUE}\n"


def test_header_is_one_line_and_with_a_quota_project_two() -> None:
    assert output.render(token(), "header", now=NOW) == f"Authorization: Bearer {VALUE}\n"
    charged = token(quota_project="my-project")
    assert output.render(charged, "header", now=NOW) == (
        f"Authorization: Bearer {VALUE}\nx-goog-user-project: my-project\n"
    )


def test_an_id_token_goes_without_a_quota_project() -> None:
    charged = token("id", quota_project="my-project")
    assert output.headers(charged) == {"Authorization": f"Bearer {VALUE}"}
    assert json.loads(output.render(charged, "json", now=NOW))["quota_project"] is None


def test_json_of_an_access_token() -> None:
    assert json.loads(output.render(token(quota_project="p-1"), "json", now=NOW + 600.5)) == {
        "access_token": VALUE,
        "token_type": "Bearer",
        "kind": "access",
        "expires_at": "2027-01-15T09:00:00Z",
        "expires_in": 2999,
        "principal": "robot@p.iam.gserviceaccount.com",
        "source": "key.json",
        "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        "quota_project": "p-1",
    }


def test_json_of_an_id_token_names_its_audience() -> None:
    shown = json.loads(output.render(token("id"), "json", now=NOW))
    assert (shown["id_token"], shown["audience"]) == (VALUE, "https://f.example")
    assert "access_token" not in shown
    assert "scopes" not in shown


def test_json_tells_null_for_an_end_that_nobody_knows() -> None:
    shown = json.loads(output.render(Token(VALUE, "access", 0.0), "json", now=NOW))
    assert (shown["expires_at"], shown["expires_in"], shown["principal"]) == (None, None, None)


def test_json_never_tells_a_negative_life() -> None:
    assert json.loads(output.render(token(), "json", now=NOW + 9999))["expires_in"] == 0


def test_env_is_read_by_a_shell_and_holds_the_token_once() -> None:
    text = output.render(token(quota_project="my-project"), "env", now=NOW)
    assert text.count(VALUE) == 1
    names = "GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN", "GOOGLE_CLOUD_QUOTA_PROJECT"
    script = text + "".join(f'printf "%s\\n" "${name}"\n' for name in names)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [VALUE, VALUE, "my-project"]
    assert output.render(token("id"), "env", now=NOW) == f"export GBEARER_ID_TOKEN='{VALUE}'\n"


@pytest.mark.parametrize("text", ["a'b", "$(touch x)", "`id`", 'a"b', "a\\", "a b;c", "'; rm -rf /; '", "\n"])
def test_a_shell_word_stays_one_word_whatever_is_in_it(text: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {output.shell_word(text)}"], capture_output=True, check=True)
    assert done.stdout.decode() == text


def test_curl_config_quotes_as_curl_reads() -> None:
    assert output.render(token(), "curl", now=NOW) == f'header = "Authorization: Bearer {VALUE}"\n'
    assert output.curl_config({"X-A": 'a"b\\c'}) == 'header = "X-A: a\\"b\\\\c"\n'


@pytest.mark.parametrize("fmt", ["header", "env", "curl"])
@pytest.mark.parametrize("evil", ["p\r\nX-Evil: 1", "p\nheader = y", "p\0", "p\x1b[2J", "ｐ"])
def test_a_hostile_quota_project_becomes_nothing(fmt: str, evil: str) -> None:
    with pytest.raises(BadCredentials):
        output.render(token(quota_project=evil), fmt, now=NOW)


def test_there_is_no_other_format() -> None:
    with pytest.raises(ValueError, match="yaml"):
        output.render(token(), "yaml", now=NOW)
