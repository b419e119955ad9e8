"""A workforce login as a credential: what is sent, what is refused, and what becomes of a new refresh token."""

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aws_servers.http import Reply
from gbearer import exchange, log, sources
from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Unreachable, UsageError
from gbearer.model import Ask, Token
from gbearer.sources import Look, Source
from gbearer.transport import Transport
from sources.hands import find, refusal, write
from workforce_server import GRACE, Service, service

TARGET = "target@emulator-project.iam.gserviceaccount.com"
AUDIENCE = "https://service-abc.run.app"


@pytest.fixture
def sts() -> Iterator[Service]:
    """The token service, with a session of its own."""
    with service() as made:
        yield made


def located(sts: Service, path: Path, ask: Ask, **changes: object) -> tuple[Source, Transport]:
    file = sts.file(path / "login.json", **changes)
    return found(sts, file, ask)


def found(sts: Service, file: str, ask: Ask) -> tuple[Source, Transport]:
    look = Look({"GBEARER_EMULATOR_HOST": sts.host, "HOME": "/nowhere"})
    way = Transport(look.env, total=3, tries=1)
    return sources.locate(ask.replace(credentials=file), look, way), way


def minted(source: Source, way: Transport, ask: Ask) -> Token:
    full = ask.replace(impersonate=(*source.impersonate, *ask.impersonate))
    base_ask = exchange.needs_base(full)
    base = None if base_ask is None else exchange.token(base_ask, source, way, None, time.time)
    return exchange.token(full, source, way, base, time.time)


def mint(sts: Service, path: Path, *, changes: Mapping[str, object] = {}, **options: Any) -> Token:
    ask = Ask(**options)
    return minted(*located(sts, path, ask, **changes), ask)


def refused(expected: type[Error], sts: Service, path: Path, /, **options: Any) -> str:
    with pytest.raises(Error) as caught:
        mint(sts, path, **options)
    assert type(caught.value) is expected, caught.value
    assert caught.value.fix
    assert "emulator-1//" not in str(caught.value)
    assert "emulator-secret" not in str(caught.value)
    return str(caught.value)


def test_an_access_token_is_asked_for_with_the_refresh_token_and_the_client_in_the_header(
    sts: Service, tmp_path: Path
) -> None:
    token = mint(sts, tmp_path)
    assert token.value == "ya29.emulator-1"
    assert 3590 <= token.expires_in() <= 3600
    assert sts.forms() == [{"grant_type": "refresh_token", "refresh_token": sts.first}]
    assert len(sts.served.requests) == 1  # google-auth looks up nothing behind our back


def test_whose_it_is_the_file_says_or_the_token_service_when_asked(sts: Service, tmp_path: Path) -> None:
    assert mint(sts, tmp_path, changes={"account": GRACE}).principal == GRACE
    source, way = located(sts, tmp_path, Ask())
    assert source.introspect is not None
    assert source.introspect("ya29.emulator-1", way)["username"] == GRACE
    assert source.introspect("ended", way) == {}
    source, _ = located(sts, tmp_path, Ask(), token_info_url=None)
    assert source.introspect is None


def test_the_facts_of_the_file(sts: Service, tmp_path: Path) -> None:
    source, _ = located(sts, tmp_path, Ask(), quota_project_id="my-project", scopes=["openid"])
    assert (source.kind, source.name, source.quota_project) == (
        "external_account_authorized_user", "file", "my-project"
    )  # fmt: skip
    assert (source.default_scopes(Ask()), source.universe, source.rotated) == (("openid",), "googleapis.com", None)
    assert "--login-config" in source.sign_in


def test_scopes_are_those_of_the_sign_in_and_what_lacks_is_said(
    sts: Service, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sts.extra = {"scope": "openid"}
    log._seen.clear()
    token = mint(sts, tmp_path, scopes=("https://www.googleapis.com/auth/bigquery",))
    assert token.scopes == ("openid",)
    assert "this login does not grant https://www.googleapis.com/auth/bigquery" in capfd.readouterr().err


def test_it_acts_as_a_service_account_for_access_and_for_id_tokens(sts: Service, tmp_path: Path) -> None:
    assert mint(sts, tmp_path, impersonate=(TARGET,)).principal == TARGET
    assert mint(sts, tmp_path, kind="id", audience=AUDIENCE, impersonate=(TARGET,)).audience == AUDIENCE


def test_it_may_lie_beneath_an_impersonation_file(sts: Service, tmp_path: Path) -> None:
    document = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
        f"{TARGET}:generateAccessToken",
        "source_credentials": sts.document(),
    }
    look = Look({"GBEARER_EMULATOR_HOST": sts.host, "HOME": "/nowhere"})
    way = Transport(look.env, total=3, tries=1)
    ask = Ask(credentials=write(tmp_path / "impersonated.json", document))
    token = minted(sources.locate(ask, look, way), way, ask)
    assert (token.principal, token.value) == (TARGET, "ya29.emulator-impersonated")


@pytest.mark.parametrize(
    ("kind", "options", "says"),
    [
        (Denied, {"kind": "id", "audience": AUDIENCE}, "add --impersonate SERVICE_ACCOUNT"),
        (UsageError, {"kind": "jwt"}, "needs a service account key"),
        (UsageError, {"subject": "ada@example.com"}, "--subject needs a service account"),
        (UsageError, {"lifetime": 60}, "the lifetime of this access token cannot be chosen"),
    ],
)
def test_what_such_a_login_cannot_give_is_said_and_nothing_is_sent(
    sts: Service, tmp_path: Path, kind: type[Error], options: dict[str, Any], says: str
) -> None:
    assert says in refused(kind, sts, tmp_path, **options)
    assert sts.served.requests == []


@pytest.mark.parametrize(
    ("body", "status", "kind", "says"),
    [
        ({"error": "invalid_grant", "error_description": "expired"}, 400, LoginRequired, "has ended"),
        ({"error": "invalid_client", "error_description": "unknown"}, 401, BadCredentials, "OAuth client"),
        ({"error": "invalid_request"}, 400, BadCredentials, "does not understand"),
        ({"error": "server_error"}, 503, Unreachable, "cannot answer now"),
    ],
)
def test_refusals_say_what_to_do(
    sts: Service, tmp_path: Path, body: object, status: int, kind: type[Error], says: str
) -> None:
    sts.refusal = Reply(status, body)
    assert says in refused(kind, sts, tmp_path)


@pytest.mark.parametrize("answer", [{"access_token": None}, {"expires_in": None}, {"expires_in": "soon"}])
def test_an_answer_without_a_token_is_not_understood(sts: Service, tmp_path: Path, answer: dict[str, object]) -> None:
    sts.extra = answer
    refused(Unreachable, sts, tmp_path)


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    document = {"type": "external_account_authorized_user", "client_id": "a b", "client_secret": 5, "refresh_token": ""}
    text = refusal(BadCredentials, {}, credentials=write(tmp_path / "w.json", document))
    for each in ("refresh_token is empty", "token_url is missing", "client_id 'a b'", "client_secret is a number"):
        assert each in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"token_url": "https://sts.evil.example/v1/oauthtoken"}, "token_url"),
        ({"token_url": "http://sts.googleapis.com/v1/oauthtoken"}, "token_url"),
        ({"token_info_url": "https://evil.example/v1/introspect"}, "token_info_url"),
        ({"revoke_url": "https://evil.example/v1/revoke"}, "revoke_url"),
        ({"audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p"}, "audience"),
        ({"account": "someone\nelse"}, "account"),
        ({"universe_domain": "evil.example", "token_url": "https://sts.evil.example/v1/oauthtoken"}, "evil.example"),
        ({"scopes": [5]}, "scopes"),
    ],
)  # fmt: skip
def test_a_hostile_field_is_refused_and_nothing_is_sent(
    sts: Service, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    assert says in refused(BadCredentials, sts, tmp_path, changes=change)
    path = write(tmp_path / "real.json", sts.document(refresh_token="1//real", **change))
    assert says in refusal(BadCredentials, {}, credentials=path)
    assert sts.served.requests == []


def test_a_real_login_is_refused_while_an_emulator_is_set(sts: Service, tmp_path: Path) -> None:
    assert "holds a real refresh token" in refused(BadCredentials, sts, tmp_path, changes={"refresh_token": "1//x"})
    assert find({}, credentials=write(tmp_path / "r.json", sts.document(refresh_token="1//x")))[0].fingerprint


def test_a_new_refresh_token_is_kept_before_the_answer_is_read(sts: Service, tmp_path: Path) -> None:
    """Also where the rest of the answer is of no use, and the token fails."""
    for extra in ({}, {"expires_in": None}, {"access_token": None}):
        sts.good, sts.extra = [sts.first], extra
        source, way = located(sts, tmp_path, Ask())
        kept: list[str] = []
        source.rotated = kept.append
        try:
            minted(source, way, Ask())
        except Unreachable:
            assert extra
        assert kept == [sts.good[-1]]


def test_nothing_is_kept_where_no_new_one_came(sts: Service, tmp_path: Path) -> None:
    source, way = located(sts, tmp_path, Ask())
    kept: list[str] = []
    source.rotated = kept.append
    for odd in (None, sts.first, "", 5, "two words", ["x"]):
        sts.good, sts.extra = [sts.first], {"refresh_token": odd}
        minted(source, way, Ask())
    assert kept == []


def test_a_token_is_good_although_the_new_refresh_token_could_not_be_kept(
    sts: Service, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    source, way = located(sts, tmp_path, Ask())
    source.rotated = full
    log._seen.clear()
    assert minted(source, way, Ask()).value == "ya29.emulator-1"
    said = capfd.readouterr().err
    assert "could not be kept: no space left on device" in said
    assert "emulator-1//" not in said


def test_a_file_that_is_not_written_to_stays_good(sts: Service, tmp_path: Path) -> None:
    """Nobody keeps the new one, so nobody uses it either: the one in the file would be dead for everybody else."""
    before = sts.file(tmp_path / "login.json"), (tmp_path / "login.json").read_bytes()
    for _ in range(3):
        mint(sts, tmp_path)
    assert [form["refresh_token"] for form in sts.forms()] == [sts.first] * 3
    assert (tmp_path / "login.json").read_bytes() == before[1]
    assert sorted(os.listdir(tmp_path)) == ["home", "login.json"]


def test_where_the_former_one_is_refused_at_once_this_process_goes_on_with_the_new_one(
    sts: Service, tmp_path: Path
) -> None:
    mint(sts, tmp_path)
    sts.strict = True
    assert mint(sts, tmp_path).value == "ya29.emulator-2"
    assert [form["refresh_token"] for form in sts.forms()] == [sts.first, sts.first, sts.later(1)]


def test_refreshes_of_one_login_take_turns_and_each_uses_what_the_one_before_left(sts: Service, tmp_path: Path) -> None:
    """Twenty threads, each with a source of its own, as processes have; the lock counts descriptors, not processes."""
    file = sts.file(tmp_path / "login.json")
    store = tmp_path / "store"
    store.write_text(sts.first)
    sts.pause = 0.01
    failed: list[Exception] = []

    def work() -> None:
        source, way = found(sts, file, Ask())
        source.rotated, source.current = lambda new: void(store.write_text(new)), store.read_text
        source.lock = str(tmp_path / "login.json.lock")
        try:
            minted(source, Transport(way.env, total=20, tries=1), Ask())
        except Error as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert sts.together == 1
    used = [form["refresh_token"] for form in sts.forms()]
    assert used == [sts.first, *(sts.later(n) for n in range(1, 20))]
    assert (tmp_path / "login.json.lock").stat().st_mode & 0o777 == 0o600


def void(_: object) -> None:
    """For the sake of a lambda's type."""


def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(sts: Service, tmp_path: Path) -> None:
    source, _ = located(sts, tmp_path, Ask())
    source.lock = str(tmp_path / "lock")
    with source.turn(1.0):
        way = Transport({"GBEARER_EMULATOR_HOST": sts.host}, total=0.3, tries=1)
        with pytest.raises(Unreachable, match="has not refreshed this login in time"):
            minted(source, way, Ask())
    assert minted(source, Transport(way.env, total=3, tries=1), Ask()).value == "ya29.emulator-1"


def test_without_a_place_for_the_lock_the_login_still_works(sts: Service, tmp_path: Path) -> None:
    for lock in (tmp_path / "nowhere" / "lock", tmp_path):
        source, way = located(sts, tmp_path, Ask())
        source.lock = str(lock)
        assert minted(source, way, Ask()).value.startswith("ya29.")


def test_the_file_is_remembered_and_its_secrets_are_in_no_repr(sts: Service, tmp_path: Path) -> None:
    look = Look({"GBEARER_EMULATOR_HOST": sts.host, "HOME": "/nowhere"})
    path = sts.file(tmp_path / "login.json")
    source, _ = find(look.env, look=look, credentials=path)
    assert look.remember
    assert path in look.files
    assert json.loads(Path(path).read_text())["refresh_token"] not in repr(source)
