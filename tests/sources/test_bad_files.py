"""What a bad credential file gets: one clear error each, and nothing of it goes anywhere."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gbearer.errors import BadCredentials
from gbearer.sources import Look
from sources.hands import IMPERSONATED, KEY, USER, find, refusal, write

LONG = b'{"type": "service_account", "x": "' + b"x" * (1 << 20) + b'"}'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (LONG, "larger than 1 MiB"),
        (b"not json", "is not JSON"),
        (b'{"type": "service_account",', "is not JSON"),
        (b"-----BEGIN PRIVATE KEY-----\n", "bare PEM key"),
        (b"<!DOCTYPE html><title>Sign in</title>", "HTML page"),
        (b"0\x82\x09\x00\x02\x01\x03", "P12"),
        (b"\0" * 64, "zero bytes"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "holds a list"),
        (b'"text"', "holds a text"),
        (b"17", "holds a number"),
        (b"null", "holds null"),
        (b"{}", "has no `type`"),
        (b'{"access_token": "ya29.x", "expires_in": 1}', "token endpoint's answer"),
        (b'{"type": ""}', "type is empty"),
        (b'{"type": 5}', "type is no text"),
        (b'{"type": "mystery"}', "'mystery'"),
        (json.dumps({"installed": {"client_id": "x"}}).encode(), "an OAuth client file ('installed')"),
        (json.dumps({"web": {"client_id": "x"}}).encode(), "an OAuth client file ('web')"),
        (b'{"type": "external_account"}', "audience is missing; subject_token_type is missing"),
        (b'{"type": "external_account_authorized_user"}', "refresh_token is missing; token_url is missing"),
        (b'{"type": "gdch_service_account"}', "project is missing; private_key_id is missing"),
    ],
)
def test_content_that_is_no_credential(tmp_path: Path, content: bytes, says: str) -> None:
    path = write(tmp_path / "key.json", content)
    for env, options in (({"GOOGLE_APPLICATION_CREDENTIALS": path}, {}), ({}, {"credentials": path})):
        text = refusal(BadCredentials, env, **options)
        assert says in text
        assert path in text
    assert BadCredentials.code == 4


def test_json_in_the_encodings_that_editors_write(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path = write(tmp_path / f"{encoding}.json", json.dumps(KEY).encode(encoding))
        assert find({}, credentials=path)[0].principal == KEY["client_email"]


def test_a_directory_is_named_as_one(tmp_path: Path) -> None:
    assert "is a directory" in refusal(BadCredentials, {}, credentials=str(tmp_path))


def test_a_pipe_or_a_device_is_refused_at_once_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    texts: list[str] = []

    def look() -> None:
        texts.extend(
            refusal(BadCredentials, {}, credentials=path) for path in (str(tmp_path / "fifo"), "/dev/zero", "/dev/tty")
        )

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert "is not a regular file" in texts[0]
    assert "--credentials -" in texts[0]
    assert "is not a regular file" in texts[1]


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write(path, KEY)
    path.chmod(0)
    was = os.geteuid()
    try:
        if was == 0:
            os.seteuid(65534)  # root may read everything
        text = refusal(BadCredentials, {}, credentials=str(path))
    finally:
        os.seteuid(was)
    assert "permission denied" in text
    assert "chmod" in text


@pytest.mark.parametrize("path", ["/etc/passwd/key.json", "no\0where", "x" * 5000])
def test_a_path_that_cannot_be(path: str) -> None:
    refusal(BadCredentials, {}, credentials=path)


def test_a_file_that_grows_while_it_is_read_is_read_whole_or_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    write(path, KEY)
    stop = threading.Event()

    def touch() -> None:
        while not stop.is_set():
            os.utime(path)

    thread = threading.Thread(target=touch)
    thread.start()
    try:
        for _ in range(50):
            look = Look({})
            assert json.loads(look.read(str(path)) or b"") == KEY
    finally:
        stop.set()
        thread.join()


REQUIRED = [
    *((KEY, name) for name in ("client_email", "private_key", "token_uri")),
    *((USER, name) for name in ("client_id", "client_secret", "refresh_token")),
    *((IMPERSONATED, name) for name in ("service_account_impersonation_url", "source_credentials")),
]


@pytest.mark.parametrize(("document", "name"), REQUIRED)
@pytest.mark.parametrize("value", ["missing", "", "  ", None, 17, True, [], {}, ["x"]])
def test_each_required_field_missing_empty_or_of_the_wrong_type(
    tmp_path: Path, document: dict[str, Any], name: str, value: Any
) -> None:
    changed = {key: given for key, given in document.items() if key != name}
    if value != "missing":
        changed[name] = value
    path = write(tmp_path / "key.json", changed)
    text = refusal(BadCredentials, {}, credentials=path)
    assert name in text or (name == "source_credentials" and "the type of source_credentials" in text)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    document = {"type": "service_account", "client_email": "a b", "private_key": 3, "project_id": "p\nq"}
    text = refusal(BadCredentials, {}, credentials=write(tmp_path / "key.json", document))
    for wrong in ("client_email 'a b'", "private_key is a number", "token_uri is missing", r"project_id 'p\nq'"):
        assert wrong in text


HOSTILE = [
    "x\r\nX-Evil: 1",
    'x"y',
    "x'y",
    "x y",
    "x\x00y",
    "x\x1b[31my",
    "x\u2028y",
    "x;rm -rf",
    "$(id)",
    "-oProxy",
    "é",
]


@pytest.mark.parametrize(
    ("document", "name"),
    [
        *((KEY, n) for n in ("client_email", "private_key_id", "project_id", "client_id", "quota_project_id")),
        *((USER, n) for n in ("client_id", "account", "quota_project_id")),
        (IMPERSONATED, "quota_project_id"),
    ],
)
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_are_refused_where_they_are_read(
    tmp_path: Path, document: dict[str, Any], name: str, value: str
) -> None:
    text = refusal(BadCredentials, {}, credentials=write(tmp_path / "key.json", document | {name: value}))
    assert name in text
    assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", ["client_secret", "refresh_token", "rapt_token"])
def test_a_broken_secret_is_named_and_not_shown(tmp_path: Path, name: str) -> None:
    text = refusal(BadCredentials, {}, credentials=write(tmp_path / "u.json", USER | {name: "S3cr\n3t"}))
    assert name in text
    assert "S3cr" not in text


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/token",
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com:8443/token",
        "https://oauth2.googleapis.com@evil.example/token",
        "https://evil.example\\@oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.evil.example/token",
        "https://oauth2.googleapis.com\n.evil.example/token",
        "//oauth2.googleapis.com/token",
        "file:///etc/passwd",
        "oauth2.googleapis.com/token",
    ],
)
@pytest.mark.parametrize("document", [KEY, USER, IMPERSONATED | {"source_credentials": KEY}])
def test_a_token_uri_at_another_host_or_in_disguise(tmp_path: Path, document: dict[str, Any], url: str) -> None:
    inner = document.get("source_credentials")
    changed = document | ({"source_credentials": inner | {"token_uri": url}} if inner else {"token_uri": url})
    text = refusal(BadCredentials, {}, credentials=write(tmp_path / "key.json", changed))
    assert "token_uri" in text


@pytest.mark.parametrize(
    "url", ["https://oauth2.googleapis.com/token", "https://oauth2.mtls.googleapis.com/token",
            "https://www.googleapis.com/oauth2/v4/token", "https://accounts.google.com/o/oauth2/token"]
)  # fmt: skip
def test_googles_own_token_uris(tmp_path: Path, url: str) -> None:
    assert find({}, credentials=write(tmp_path / "key.json", KEY | {"token_uri": url}))[0].kind == "service_account"


def test_another_host_can_be_trusted_on_purpose(tmp_path: Path) -> None:
    path = write(tmp_path / "key.json", KEY | {"token_uri": "https://token.example/token"})
    assert "--trust-config" in refusal(BadCredentials, {}, credentials=path)
    assert find({}, credentials=path, trust_config=True)[0].kind == "service_account"


BASE = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"service_account_impersonation_url": "https://evil.example/v1/x@y.com:generateAccessToken"}, "evil.example"),
        ({"service_account_impersonation_url": BASE + "x@y.com:generateIdToken"}, "names no service account"),
        ({"service_account_impersonation_url": BASE + "../x@y.com:generateAccessToken"}, "names no service account"),
        ({"service_account_impersonation_url": BASE + "a%2fb@y.com:generateAccessToken"}, "names no service account"),
        ({"service_account_impersonation_url": BASE + "x@y.com:generateAccessToken?z=1"}, "names no service account"),
        ({"delegates": "x@y.com"}, "delegates is not a list"),
        ({"delegates": ["x@y.com", 5]}, "delegates is not a list"),
        ({"delegates": ["x@y.com\n"]}, "delegates is not a list"),
        ({"scopes": [1]}, "scopes is neither"),
        ({"scopes": ["a b"]}, "scopes is neither"),
        ({"source_credentials": IMPERSONATED}, "'impersonated_service_account'"),
        ({"source_credentials": {"type": "external_account"}}, "'external_account'"),
        ({"source_credentials": USER | {"refresh_token": ""}}, "refresh_token is empty"),
    ],
)
def test_impersonation_files_that_lead_nowhere(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    text = refusal(BadCredentials, {}, credentials=write(tmp_path / "i.json", IMPERSONATED | change))
    assert says in text


@pytest.mark.parametrize(
    ("document", "secret"),
    [(KEY, "private key"), (USER, "refresh token"), (IMPERSONATED, "refresh token"),
     (IMPERSONATED | {"source_credentials": KEY}, "private key"),
     ({k: v for k, v in KEY.items() if k != "private_key_id"}, "private key")],
)  # fmt: skip
def test_a_real_secret_is_refused_while_an_emulator_is_set(
    tmp_path: Path, document: dict[str, Any], secret: str
) -> None:
    path = write(tmp_path / "key.json", document)
    text = refusal(BadCredentials, {"GBEARER_EMULATOR_HOST": "127.0.0.1:9"}, credentials=path)
    assert f"holds a real {secret}" in text
    assert "unset GBEARER_EMULATOR_HOST" in text
