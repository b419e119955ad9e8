"""Tokens held down to a boundary: what is sent, whose they are, when they end, and refusals explained."""

import json
import time
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from exchange.hands import ADA, CLOUD, DEFAULT, MIDDLE, ROBOT, TARGET, TARGET2, mint, served
from gbearer import boundary, exchange, sources
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Unreachable, UsageError
from gbearer.model import Ask, Token
from gbearer.sources import Look, Source
from gbearer.transport import Transport
from transport.servers import Server, http

BOUNDARY = boundary.for_bucket("emulator-bucket", "customer-a/", "objectViewer")
EXCHANGE = ("token", 200)
LENT = ("generateAccessToken", 200)
INFO, UNIVERSE = ("default", 200), ("universe-domain", 404)


@pytest.mark.parametrize(
    ("file", "options", "principal", "expected"),
    [
        ("key.json", {}, ROBOT, [EXCHANGE]),
        ("key.json", {"subject": ADA}, ADA, [EXCHANGE]),
        ("key.json", {"impersonate": (TARGET,), "lifetime": 900}, TARGET, [EXCHANGE, LENT]),
        ("key.json", {"impersonate": (MIDDLE, TARGET2)}, TARGET2, [EXCHANGE, LENT]),
        ("user.json", {}, ADA, [EXCHANGE]),
        ("user.json", {"impersonate": (TARGET,)}, TARGET, [EXCHANGE, LENT]),
        ("impersonated.json", {}, TARGET, [EXCHANGE, LENT]),
        ("external-file.json", {}, None, [EXCHANGE]),
        ("external-file-impersonated.json", {}, TARGET, [EXCHANGE, LENT]),
        ("workforce-user.json", {}, None, [("oauthtoken", 200)]),
        ("", {}, DEFAULT, [UNIVERSE, INFO, EXCHANGE]),
    ],
)
def test_every_kind_of_credential(
    gbearer_emulator: Emulator,
    file: str,
    options: dict[str, Any],
    principal: str | None,
    expected: list[tuple[str, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    em = gbearer_emulator
    monkeypatch.chdir(em.dir)
    env = {} if file else {"GCE_METADATA_HOST": em.host}
    given: dict[str, Any] = {"credentials": str(em.dir / file)} if file else {"source": "metadata"}
    whole = mint(em, env=env, **given, **options)
    em.reset()
    token = mint(em, env=env, boundary=BOUNDARY, **given, **options)
    assert served(em) == [*expected, EXCHANGE], "what the base token takes, and one request more"
    assert em.log()[-1]["path"] == "/v1/token"
    assert em.log()[-1]["host"] == "sts.googleapis.com"
    assert (token.kind, token.principal, token.scopes) == ("access", whole.principal, whole.scopes)
    assert principal in (None, token.principal)
    assert token.source == f"{whole.source}, bounded"
    assert token.value.startswith("ya29.dr.")
    assert abs(token.expires_in() - whole.expires_in()) < 10


def test_a_ready_made_token_whose_end_nobody_knows(gbearer_emulator: Emulator) -> None:
    ready = mint(gbearer_emulator, credentials=str(gbearer_emulator.key_file))
    env = {"CLOUDSDK_AUTH_ACCESS_TOKEN": ready.value}
    token = mint(gbearer_emulator, env=env, source="env", boundary=BOUNDARY)
    assert token.value.startswith("ya29.dr.")
    assert token.expires_at == 0.0


class Exchange:
    """One exchange with a server that answers what it is told, by a key of the emulator, around a given base token."""

    def __init__(self, em: Emulator, *, kind: str = "", sign_in: str = "") -> None:
        env = {"GBEARER_EMULATOR_HOST": em.host, "HOME": "/nowhere"}
        ask = Ask(credentials=str(em.user_file if kind == "authorized_user" else em.key_file))
        self.source: Source = sources.locate(ask, Look(env), Transport(env))
        self.source.kind = kind or self.source.kind
        self.source.sign_in = sign_in
        self.base = Token("ya29.base", "access", time.time() + 600, ROBOT, "somewhere", scopes=(CLOUD,))

    def __call__(self, server: Server, **options: Any) -> Token:
        env = {"GBEARER_EMULATOR_HOST": server.netloc}
        ask = Ask(**{"boundary": BOUNDARY, **options})
        return exchange.token(ask, self.source, Transport(env, total=3, tries=1), self.base, time.time)


def answered(**more: object) -> bytes:
    return http(200, json.dumps({"access_token": "ya29.dr.x", "token_type": "Bearer", **more}).encode())


@pytest.mark.parametrize("universe", ["googleapis.com", "emulator-universe.example"])
def test_what_is_sent(gbearer_emulator: Emulator, universe: str) -> None:
    run = Exchange(gbearer_emulator)
    run.source.universe = universe
    with Server(answered()) as server:
        assert run(server).value == "ya29.dr.x"
    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /v1/token HTTP/1.1\r\n")
    assert f"Host: sts.{universe}\r\n" in head
    assert "authorization" not in head.lower()
    form = {name: value for name, (value,) in parse_qs(body, strict_parsing=True).items()}
    assert json.loads(unquote(form.pop("options"))) == json.loads(BOUNDARY)
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": "ya29.base",
    }


def test_titles_descriptions_and_many_rules_arrive_as_they_were_written(gbearer_emulator: Emulator) -> None:
    rule = {
        "availablePermissions": ["inRole:roles/storage.objectViewer", "inRole:projects/p/roles/R"],
        "availableResource": f"{boundary.names.RESOURCE}my-bucket",
        "availabilityCondition": {"expression": "resource.name == 'é\\''", "title": "T", "description": "D & ü"},
    }
    plain = {name: rule[name] for name in ("availablePermissions", "availableResource")}
    written = json.dumps({"accessBoundaryRules": [rule, plain, rule]})
    with Server(answered()) as server:
        Exchange(gbearer_emulator)(server, boundary=boundary.canonical(written, "b.json"))
    form = parse_qs(server.requests[0].partition(b"\r\n\r\n")[2].decode())
    assert json.loads(unquote(form["options"][0])) == {"accessBoundary": {"accessBoundaryRules": [rule, plain, rule]}}


@pytest.mark.parametrize(
    ("said", "base", "expected"),
    [(3600, 600, 600), (300, 600, 300), (None, 600, 600), (0, 600, 600), (300, 0, 300), (None, 0, None)],
)
def test_the_end_is_the_earlier_one(
    gbearer_emulator: Emulator, said: int | None, base: float, expected: float | None
) -> None:
    run, now = Exchange(gbearer_emulator), time.time()
    run.base = Token("ya29.base", "access", now + base if base else 0.0, ROBOT, "somewhere")
    with Server(answered() if said is None else answered(expires_in=said)) as server:
        token = run(server)
    if expected is None:
        assert token.expires_at == 0.0
    else:
        assert abs(token.expires_at - now - expected) < 3


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"{}"),
        http(200, b"[]"),
        http(200, b"<html>"),
        answered(expires_in="soon"),
        answered(expires_in=-5),
        answered(access_token="two words"),
        answered(access_token=None),
        http(302, b"", Location="https://elsewhere.example/"),
    ],
)
def test_an_answer_that_is_none(gbearer_emulator: Emulator, answer: bytes) -> None:
    with Server(answer) as server, pytest.raises(Unreachable) as caught:
        Exchange(gbearer_emulator)(server)
    assert "ya29" not in str(caught.value)


def said(code: str, text: str, status: int = 400) -> bytes:
    return http(status, json.dumps({"error": code, "error_description": text}).encode())


def denied(reason: str, text: str, status: int = 403) -> bytes:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    error = {"code": status, "message": text, "status": "PERMISSION_DENIED", "details": details}
    return http(status, json.dumps({"error": error}).encode())


SCOPES = denied("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Request had insufficient authentication scopes.")


@pytest.mark.parametrize(
    ("answer", "options", "kind", "told"),
    [
        (said("invalid_request", "Invalid value for accessBoundary"), {}, UsageError, "check the buckets, roles"),
        (said("invalid_grant", "The subject token has expired."), {}, BadCredentials, "add --refresh"),
        (said("invalid_request", "Invalid subject token"), {}, BadCredentials, "the token of somewhere"),
        (said("unauthorized", "Bad token", 401), {}, BadCredentials, "add --refresh"),
        (denied("USER_PROJECT_DENIED", "no"), {}, Denied, "hold this token down"),
        (said("access_denied", "policy"), {}, Denied, "access_denied: policy"),
        (said("unheard_of", "what"), {}, Unreachable, "not understood"),
        (http(404, b"<html>"), {}, Unreachable, "not Google's"),
        (http(503, b"{}"), {}, Unreachable, "cannot answer now"),
        (SCOPES, {}, Denied, "a credential with the scope cloud-platform"),
        (SCOPES, {"scopes": (f"{CLOUD}.read-only",)}, UsageError, "drop --scope"),
        (SCOPES, {"impersonate": (TARGET,)}, Denied, "a credential with the scope cloud-platform"),
    ],
)
def test_refusals_are_explained(
    gbearer_emulator: Emulator, answer: bytes, options: dict[str, Any], kind: type[Error], told: str
) -> None:
    with Server(answer) as server, pytest.raises(Error) as caught:
        Exchange(gbearer_emulator)(server, **options)
    assert type(caught.value) is kind, caught.value
    assert told in str(caught.value)
    assert caught.value.fix
    assert "ya29" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "sign_in", "error", "told"),
    [
        ("authorized_user", "", LoginRequired, f"`gcloud auth application-default login --scopes={CLOUD}`"),
        ("authorized_user", "gbearer login", LoginRequired, f"`gbearer login --scope={CLOUD}`"),
        ("metadata", "", Denied, "set-service-account INSTANCE --scopes=cloud-platform"),
    ],
)
def test_a_base_token_without_cloud_platform(
    gbearer_emulator: Emulator, kind: str, sign_in: str, error: type[Error], told: str
) -> None:
    with Server(SCOPES) as server, pytest.raises(error) as caught:
        Exchange(gbearer_emulator, kind=kind, sign_in=sign_in)(server)
    assert told in caught.value.fix
    assert "needs the scope cloud-platform" in caught.value.why


def test_a_question_made_by_hand_whose_boundary_is_none(gbearer_emulator: Emulator) -> None:
    with Server(answered()) as server, pytest.raises(UsageError, match="the boundary is no credential access boundary"):
        Exchange(gbearer_emulator)(server, boundary='{"accessBoundaryRules": []}')
    assert server.requests == []
