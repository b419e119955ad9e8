"""Debug lines and warnings: silent by default, said once, and nothing in them that looks like a secret."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gbearer import log

SECRET = "sEcReT0123456789sEcReT"
JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJyb2JvdCIsImV4cCI6MX0." + SECRET
PEM = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n{SECRET}\n-----END PRIVATE KEY-----\n"
BASIC = base64.b64encode(f"ada:{SECRET}".encode()).decode()

HIDDEN = [
    f"Authorization: Bearer {SECRET}",
    f"authorization: bearer {SECRET}",
    f"Authorization: Bearer {SECRET.lower()}",
    f"Authorization: Basic {SECRET}==",
    f"proxy-authorization: Basic {SECRET}",
    f"{{'Authorization': 'Bearer {SECRET}'}}",
    f"curl -H 'Authorization: Bearer {SECRET}' https://x",
    f"Bearer%20{SECRET}",
    f"a Bearer {SECRET} in a sentence",
    f"ya29.{SECRET}",
    f"xya29.{SECRET}",
    f"token=ya29.c.{SECRET}.more-{SECRET}~x+y/z==",
    JWT,
    f"assertion%3D{JWT}",
    f"x{JWT}",
    JWT[:-3],
    "eyJhbGciOiJSUzI1NiIs" + SECRET,
    f"eyJhbGciOiJub25lIn0.eyJ{SECRET}.",
    f"eyJhbGciOiJkaXIifQ..{SECRET}.{SECRET}.{SECRET}",
    PEM,
    json.dumps({"private_key": PEM}),
    json.dumps(json.dumps({"private_key": PEM})),
    PEM.replace("PRIVATE", "RSA PRIVATE"),
    PEM.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    PEM.partition("-----END")[0],
    PEM + PEM,
    f"1//0g{SECRET}",
    f"refresh 1//{SECRET}, and so on",
    f"1%2F%2F0g{SECRET}",
    f"code=4/0A{SECRET}",
    f"GOCSPX-{SECRET}",
    f"emulator-refresh-{SECRET}",
    f"AIza{SECRET}{SECRET}",
    f"grant_type=x&assertion={SECRET}&y=z",
    f"client_secret={SECRET}",
    f"refresh_token={SECRET}&client_id=visible",
    f"subject_token={SECRET}",
    f"code_verifier={SECRET}",
    f'{{"access_token": "{SECRET}"}}',
    f'{{"access_token":"{SECRET}","expires_in":3599}}',
    f"{{'access_token': '{SECRET}'}}",
    f"{{'access_token': b'{SECRET}'}}",
    f'{{\\"access_token\\": \\"{SECRET}\\"}}',
    f'{{"accessToken": "{SECRET}", "expireTime": "2026"}}',
    f'{{"idToken" : "{SECRET}"}}',
    f'{{"signedJwt": "{SECRET}"}}',
    f'{{"client_secret": "two words {SECRET}"}}',
    f'{{"client_secret": "a \\" quote {SECRET}"}}',
    f'{{"client_secret": "cut off {SECRET}',
    f"ACCESS_TOKEN={SECRET}",
    f"export CLOUDSDK_AUTH_ACCESS_TOKEN={SECRET}",
    f"GOOGLE_OAUTH_ACCESS_TOKEN='{SECRET}'",
    f"access_token: {SECRET}",
    f"aws_session_token={SECRET}",
    f"password={SECRET}",
    f"basic {BASIC}",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_nothing_that_looks_like_a_secret_passes(text: str) -> None:
    for around in (text, f"before {text}", f"{text} after", f"line\n{text}\nline", f'"{text}"', f"({text})"):
        shown = log.redact(around)
        assert SECRET not in shown
        assert SECRET[:8] not in shown
        assert SECRET[-8:] not in shown
        assert SECRET.lower()[:12] not in shown
        assert BASIC[:12] not in shown
        assert "<" in shown


@pytest.mark.parametrize("text", HIDDEN)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    assert log.redact(log.redact(text)) == log.redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "found: GOOGLE_APPLICATION_CREDENTIALS: /home/ada/keys/robot.json",
        "robot@my-project.iam.gserviceaccount.com may not act as target@my-project.iam.gserviceaccount.com",
        "gcloud iam service-accounts add-iam-policy-binding T --member=serviceAccount:C --role=roles/iam.tokenCreator",
        "https://oauth2.googleapis.com/token answered 503",
        "https://www.googleapis.com/auth/cloud-platform openid",
        "a Bearer token is missing",
        "Bearer authentication failed; use Basic authorization",
        'WWW-Authenticate: Bearer realm="https://accounts.google.com/", error="invalid_token"',
        "the field refresh_token in adc.json is empty",
        "refresh_token, client_id and client_secret are missing",
        "no access_token in the answer",
        "<access token of robot@p.iam.gserviceaccount.com, 59 min left>",
        '{"error": "invalid_grant", "error_description": "Token has been expired or revoked."}',
        '{"private_key_id": "emulator-1234", "client_id": "emulator-1.apps.googleusercontent.com"}',
        "POST https://oauth2.googleapis.com/token (sent to http://127.0.0.1:8080): 200 in 3 ms",
        "the keyJar and the monkeyJungle",
        "1 // 2 and http://1//2",
        "日本語のエラー、「鍵がありません」",
        "token_type=Bearer",
        "id_token needs --audience",
        "path C:\\Users\\ada\\AppData\\Roaming\\gcloud\\application_default_credentials.json",
        "the token: not there",
    ],
)
def test_ordinary_text_survives(text: str) -> None:
    assert log.redact(text) == text


def test_what_stands_around_a_secret_survives() -> None:
    assert log.redact(f"grant_type=a&assertion={SECRET}&scope=b") == "grant_type=a&assertion=<secret>&scope=b"
    shown = log.redact(json.dumps({"access_token": f"ya29.{SECRET}", "expires_in": 3599, "token_type": "Bearer"}))
    assert json.loads(shown) == {"access_token": "<secret>", "expires_in": 3599, "token_type": "Bearer"}
    assert log.redact(f"Authorization: Bearer {SECRET}, sent twice") == "Authorization: Bearer <token>, sent twice"
    assert log.redact(f"key {PEM}is bad") == "key <key>\nis bad"


@pytest.mark.parametrize(
    "unit", ["eyJ", "a.", '"', "\\", "access_token=", "Bearer ", "-----BEGIN PRIVATE KEY-----", "'a\\"]
)
def test_long_hostile_text_takes_no_time(unit: str) -> None:
    import time

    began = time.monotonic()
    log.redact("x" + unit * 5000)
    assert time.monotonic() - began < 1


@pytest.fixture
def level() -> Iterator[None]:
    before = log.level
    yield
    log.level = before


@pytest.mark.usefixtures("level")
def test_debug_lines_appear_from_their_level_on_redacted_and_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    seen = []
    for log.level in (0, 1, 2):
        log.debug("one")
        log.debug(f"two access_token={SECRET}", at=2)
        out, err = capsys.readouterr()
        assert out == ""
        seen.append(err)
    assert seen == ["", "gbearer: one\n", "gbearer: one\ngbearer: two access_token=<secret>\n"]


def test_a_warning_is_said_once_a_process_and_redacted() -> None:
    code = "from gbearer import log\nfor _ in range(3): log.warn('look: access_token=abc'); log.warn('else')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == "warning: look: access_token=<secret>\nwarning: else\n"
