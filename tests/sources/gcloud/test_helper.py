"""gcloud itself is asked where its files are not understood: how it is started, what it may answer, when it is not."""

import json
import os
import time
from pathlib import Path

import pytest

from gbearer import Ask, Token
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, CredentialsNotFound, Denied, Error, LoginRequired, Unreachable, UsageError
from gbearer.sources.gcloud import helper
from sources.gcloud.hands import ADA, GCLOUD_USER, open_at, session
from sources.hands import find, refusal

GOOD = {"credential": {"access_token": "ya29.of-gcloud", "id_token": "x", "token_expiry": "2099-01-01T00:00:00Z"}}
UNKNOWN = {ADA: {"type": "of_2031", "secret": "made-up"}}


class Fake:
    """A program called gcloud on a PATH of its own, which notes how it was started."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.env = {"NO_GCE_CHECK": "true", **env, "PATH": f"{self.bin}:/usr/bin:/bin", "NOTES": str(folder / "notes")}
        self.notes = folder / "notes"
        self.does(f"echo '{json.dumps(GOOD)}'")

    def does(self, script: str) -> None:
        path = self.bin / "gcloud"
        path.write_text(
            f'#!/bin/sh\necho "$*|$CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT|$(cat)" >>"$NOTES"\n{script}\n'
        )
        path.chmod(0o755)

    def token(self, **options: object) -> Token:
        return Broker(self.env).get(Ask(source="gcloud", **options))  # type: ignore[arg-type]

    def started(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def refusal(self, expected: type[Error], **options: object) -> str:
        with pytest.raises(Error) as caught:
            self.token(**options)
        assert type(caught.value) is expected, caught.value
        return str(caught.value)


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Gcloud with an account of a kind that is not known."""
    return Fake(tmp_path, session(tmp_path / "conf", ADA, UNKNOWN) | {"GBEARER_CACHE": str(tmp_path / "cache")})


def test_a_kind_that_is_not_known_is_left_to_gcloud_and_its_token_kept(fake: Fake) -> None:
    tokens = [fake.token() for _ in range(3)]
    assert {(t.value, t.principal, round(t.expires_at)) for t in tokens} == {("ya29.of-gcloud", ADA, 4070908800)}
    assert fake.started() == [f"config config-helper --format=json --account={ADA}||"]


def ends_in(seconds: float, value: str) -> str:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
    return f"echo '{json.dumps({'credential': {'access_token': value, 'token_expiry': ends}})}'"


def forced(fake: Fake) -> list[bool]:
    return ["--force-auth-refresh" in line for line in fake.started()]


def test_a_new_token_is_made_only_when_one_was_asked_for(fake: Fake) -> None:
    fake.token()
    assert forced(fake) == [False]
    fake.token(refresh=True)
    assert forced(fake) == [False, True]


def test_after_a_401_gcloud_may_not_give_the_refused_token_again(fake: Fake) -> None:
    anew, kept = ends_in(3600, "ya29.new"), ends_in(3000, "ya29.kept")
    fake.does(f'case "$*" in *--force-auth-refresh*) {anew};; *) {kept};; esac')
    broker, ask = Broker(fake.env), Ask(source="gcloud")
    refused = broker.get(ask)
    assert broker.drop(ask, refused)
    assert broker.get(ask).value == "ya29.new"
    assert forced(fake) == [False, True]


@pytest.mark.parametrize(
    ("left", "min_ttl", "value", "asked"),
    [(3000, 0, "ya29.kept", [False]), (100, 0, "ya29.new", [False, True]), (-5, 0, "ya29.new", [False, True]),
     (1000, 1200, "ya29.new", [False, True]), (3000, 1200, "ya29.kept", [False])],
)  # fmt: skip
def test_a_token_that_ends_too_soon_is_had_anew(
    fake: Fake, left: int, min_ttl: int, value: str, asked: list[bool]
) -> None:
    anew, kept = ends_in(3600, "ya29.new"), ends_in(left, "ya29.kept")
    fake.does(f'case "$*" in *--force-auth-refresh*) {anew};; *) {kept};; esac')
    assert fake.token(min_ttl=min_ttl).value == value
    assert forced(fake) == asked


def test_a_gcloud_that_gives_no_longer_life_is_asked_twice_and_no_more(fake: Fake) -> None:
    fake.does(ends_in(1000, "ya29.short"))
    assert "no token" in fake.refusal(UsageError, min_ttl=1200)
    assert forced(fake) == [False, True]


def test_gcloud_is_not_started_for_what_is_understood(gbearer_emulator: Emulator, fake: Fake, tmp_path: Path) -> None:
    given = json.loads(gbearer_emulator.user_file.read_text())
    session(tmp_path / "conf", ADA, {ADA: given | {"token_uri": GCLOUD_USER["token_uri"]}})
    fake.env["GBEARER_EMULATOR_HOST"] = gbearer_emulator.host
    assert fake.token().principal == ADA
    assert fake.started() == []


def test_it_is_not_remembered_by_the_warm_path(fake: Fake) -> None:
    _, look = find(fake.env, source="gcloud")
    assert not look.remember


def test_its_stdin_is_closed_and_its_folder_not_ours(fake: Fake) -> None:
    fake.does(f"test -t 0 && exit 1\necho '{json.dumps(GOOD)}'")
    assert fake.token().value == "ya29.of-gcloud"


def test_a_newer_schema_is_left_to_gcloud(fake: Fake, tmp_path: Path) -> None:
    database = tmp_path / "conf" / "credentials.db"
    for change in ("ALTER TABLE credentials RENAME COLUMN value TO sealed", "ALTER TABLE credentials RENAME TO vault"):
        base = open_at(database)
        base.execute(change)
        base.close()
        assert fake.token(no_cache=True).value == "ya29.of-gcloud"
    assert len(fake.started()) == 2
    assert "--source gcloud asks gcloud itself" in refusal(CredentialsNotFound, fake.env, account=ADA)
    assert len(fake.started()) == 2


def test_client_certificates_are_gclouds_affair(fake: Fake, tmp_path: Path) -> None:
    more = "[context_aware]\nuse_client_certificate = true\n"
    session(tmp_path / "conf", ADA, {ADA: GCLOUD_USER}, more=more)
    assert fake.token().value == "ya29.of-gcloud"


def test_the_chain_is_walked_here(fake: Fake, tmp_path: Path) -> None:
    more = "[auth]\nimpersonate_service_account = target@p.iam.gserviceaccount.com\n"
    source, _ = find(
        fake.env | session(tmp_path / "conf", ADA, UNKNOWN, more=more) | {"PATH": fake.env["PATH"]}, source="gcloud"
    )
    assert source.impersonate == ("target@p.iam.gserviceaccount.com",)
    fake.env["CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT"] = ""
    fake.token()
    assert fake.started()[0].endswith("||")


def test_a_token_without_an_end_is_kept_nowhere(fake: Fake) -> None:
    fake.does("""echo '{"credential": {"access_token": "ya29.endless", "token_expiry": ""}}'""")
    assert [fake.token().expires_at for _ in range(2)] == [0.0, 0.0]
    assert len(fake.started()) == 2


ANSWERS = ["echo nothing", "echo '{}'", "echo '[]'", """echo '{"credential": null}'""", "true",
           """echo '{"credential": {"access_token": "x", "token_expiry": "soon"}}'"""]  # fmt: skip


@pytest.mark.parametrize("script", ANSWERS)
def test_an_answer_that_is_none(fake: Fake, script: str) -> None:
    fake.does(script)
    assert "gcloud's answer is not understood" in fake.refusal(Unreachable)


def test_what_gcloud_says_is_shown_without_its_secrets(fake: Fake) -> None:
    fake.does("echo 'ERROR: it broke near ya29.a0AbCdEfGhIjKlMnOpQrStUvWxYz0123456789' >&2; exit 1")
    text = fake.refusal(BadCredentials)
    assert "ERROR: it broke near" in text
    assert "AbCdEfGhIj" not in text
    assert "config config-helper" in text


def test_a_login_that_has_ended(fake: Fake) -> None:
    fake.does("echo 'Please run: $ gcloud auth login to obtain new credentials.' >&2; exit 1")
    assert f"gcloud auth login {ADA}" in fake.refusal(LoginRequired)


def test_a_gcloud_that_does_not_end(fake: Fake) -> None:
    fake.does("sleep 100")
    _, look = find(fake.env, source="gcloud")
    begun = time.monotonic()
    with pytest.raises(Unreachable, match="did not end in time"):
        helper.answer(str(fake.bin / "gcloud"), ADA, look, 0.5)
    assert time.monotonic() - begun < 10


def test_what_cannot_be_had_from_gcloud(fake: Fake) -> None:
    fake.refusal(Denied, kind="id", audience="https://x.example")
    for options in ({"scopes": ("openid",)}, {"kind": "jwt"}, {"subject": "a@b.c"}):
        fake.refusal(UsageError, **options)
    assert fake.started() == []


def test_gcloud_is_never_started_for_real_while_an_emulator_is_set(gbearer_emulator: Emulator, fake: Fake) -> None:
    fake.env["GBEARER_EMULATOR_HOST"] = gbearer_emulator.host
    assert "it was not started" in fake.refusal(BadCredentials)
    assert fake.started() == []


def test_gcloud_is_not_installed_or_cannot_be_run(fake: Fake, tmp_path: Path) -> None:
    (fake.bin / "gcloud").write_text("no program at all")
    assert "cannot be run" in fake.refusal(BadCredentials)
    env = session(tmp_path / "conf", ADA, UNKNOWN)
    assert "gcloud is not installed" in refusal(BadCredentials, env, source="gcloud")
    assert "of_2031" in refusal(BadCredentials, env, source="gcloud")


def test_an_account_that_a_shell_would_read_otherwise_is_not_handed_on(fake: Fake, tmp_path: Path) -> None:
    account = 'x"&calc&"@example.com'
    session(tmp_path / "conf", account, {account: {"type": "of_2031"}})
    fake.refusal(UsageError)
    assert fake.started() == []


def test_on_windows_the_program_is_gcloud_cmd(tmp_path: Path) -> None:
    from gbearer.sources.gcloud import installed
    from gbearer.sources.look import Look

    (tmp_path / "gcloud.cmd").write_text("")
    (tmp_path / "gcloud.cmd").chmod(0o755)
    look = Look({"PATH": os.pathsep.join([".", str(tmp_path)])}, system="win32")
    assert installed.program(look) == str(tmp_path / "gcloud.cmd")
