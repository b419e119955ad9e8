"""Service identities of a Distributed Cloud: the file, who is sent an assertion, which CA counts, what comes back."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gbearer import exchange
from gbearer.broker import Broker
from gbearer.errors import BadCredentials, Denied, Error, Unreachable, UsageError
from gbearer.model import Ask, Token
from gbearer.transport import Transport
from sources import hands
from transport.servers import Authority, Proxy, Server, free_port, http

AUDIENCE = "https://service.cloud.example"
KEY = ec.generate_private_key(ec.SECP256R1())
WHO = "system:serviceaccount:my-project:worker"


def pem(key: Any, form: str = "PKCS8") -> str:
    kind = getattr(serialization.PrivateFormat, form)
    return str(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode())


def document(token_uri: str, **changes: Any) -> dict[str, Any]:
    """A credential file; a change to None takes the field away."""
    made = {
        "type": "gdch_service_account",
        "format_version": "1",
        "project": "my-project",
        "private_key_id": "0123abcd",
        "private_key": pem(KEY),
        "name": "worker",
        "token_uri": token_uri,
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def gave(value: str = "opaque-token", **more: object) -> bytes:
    return http(200, json.dumps({"access_token": value, "expires_in": 3600, "token_type": "Bearer", **more}).encode())


def token_for(audience: str | list[str], ends: float) -> str:
    parts = ({"alg": "ES256"}, {"aud": audience, "sub": WHO, "exp": int(ends)})
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*packed, "c2lnbmF0dXJl"])


def mint(path: str, *, env: Mapping[str, str] = {}, **options: Any) -> Token:
    """The token that the file at `path` gets, located and exchanged as the broker does it."""
    source, look = hands.find(env, credentials=path, **options)
    way = Transport(look.env, total=4, tries=2)
    return exchange.token(Ask(credentials=path, **options), source, way, None, time.time)


def refusal(kind: type[Error], path: str, /, **options: Any) -> str:
    with pytest.raises(Error) as caught:
        mint(path, **options)
    assert type(caught.value) is kind, caught.value
    assert caught.value.fix
    assert "PRIVATE KEY-----\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["PKCS8", "TraditionalOpenSSL"])
@pytest.mark.parametrize(
    "spoilt", [lambda text: text, lambda text: text.replace("\n", "\\n")], ids=["whole", "escaped"]
)
def test_what_is_sent_and_what_comes_back(tmp_path: Path, form: str, spoilt: Callable[[str], str]) -> None:
    with Server(gave()) as server:
        uri = f"{server.url}/authenticate"
        path = hands.write(tmp_path / "gdch.json", document(uri, private_key=spoilt(pem(KEY, form))))
        token = mint(path, audience=AUDIENCE)
    assert (token.value, token.kind, token.principal, token.audience) == ("opaque-token", "access", WHO, AUDIENCE)
    assert (token.scopes, token.quota_project) == ((), None)
    assert 3500 < token.expires_in() <= 3600
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /authenticate HTTP/1.1\r\n")
    assert b"application/json" in head
    sent = json.loads(body)
    assertion = sent.pop("subject_token")
    assert sent == {
        "grant_type": "urn:ietf:params:oauth:token-type:token-exchange",
        "audience": AUDIENCE,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token_type": "urn:k8s:params:oauth:token-type:serviceaccount",
    }
    assert jwt.get_unverified_header(assertion) == {"alg": "ES256", "typ": "JWT", "kid": "0123abcd"}
    claims = jwt.decode(assertion, KEY.public_key(), ["ES256"], audience=uri)
    assert (claims["iss"], claims["sub"]) == (WHO, WHO)
    assert claims["exp"] - claims["iat"] == 3600


def test_its_own_ca_counts_and_the_world_s_do_not(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    theirs, other = Authority(tmp_path, "Cloud CA"), Authority(tmp_path / "other", "Other CA")
    with Server(gave(), tls=theirs.server_side("127.0.0.1")) as server:
        good = hands.write(tmp_path / "a.json", document(server.url, ca_cert_path=str(theirs.bundle)))
        assert mint(good, audience=AUDIENCE).value == "opaque-token"
        wrong = hands.write(tmp_path / "b.json", document(server.url, ca_cert_path=str(other.bundle)))
        asked = len(server.requests)
        told = refusal(Unreachable, wrong, audience=AUDIENCE, env={"SSL_CERT_FILE": str(theirs.bundle)})
        assert f"the certificate of {server.netloc} is not trusted" in told
        assert "correct ca_cert_path" in told
        none = hands.write(tmp_path / "c.json", document(server.url))
        assert "is not trusted" in refusal(Unreachable, none, audience=AUDIENCE)
        assert len(server.requests) == asked, "nothing was sent to a server that nobody vouches for"
        assert mint(none, audience=AUDIENCE, env={"SSL_CERT_FILE": str(theirs.bundle)}).value == "opaque-token"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"", "is empty"),
        (b"not pem", "it is no PEM text"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it is damaged"),
        (pem(KEY).encode(), "it is a private key"),
    ],
)
def test_a_ca_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, said: str) -> None:
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_bytes(content)
    path = hands.write(tmp_path / "gdch.json", document("https://127.0.0.1:1/authenticate", ca_cert_path=str(ca)))
    told = refusal(BadCredentials, path, audience=AUDIENCE)
    assert said in told
    assert str(ca) in told


def test_everything_that_is_wrong_with_the_file_is_said_at_once(tmp_path: Path) -> None:
    path = hands.write(tmp_path / "gdch.json", {"type": "gdch_service_account", "format_version": "2", "name": "a b"})
    told = refusal(BadCredentials, path, audience=AUDIENCE)
    for said in (
        "project is missing", "private_key_id is missing", "private_key is missing", "token_uri is missing",
        "format_version is '2'", "name 'a b' is not a name",
    ):  # fmt: skip
        assert said in told


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (pem(ec.generate_private_key(ec.SECP384R1())), "on the curve secp384r1, and P-256"),
        (pem(rsa.generate_private_key(65537, 2048)), "it is no EC key"),
        ("made up", "no private key in PEM"),
        (pem(KEY)[:120], "no private key in PEM, or it is cut off"),
        ("-----BEGIN PRIVATE KEY-----\nMADEUP\n-----END PRIVATE KEY-----\n", "cannot be parsed"),
    ],
)
def test_a_key_that_cannot_sign(tmp_path: Path, key: str, said: str) -> None:
    path = hands.write(tmp_path / "gdch.json", document("https://127.0.0.1:1/authenticate", private_key=key))
    assert said in refusal(BadCredentials, path, audience=AUDIENCE)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://cloud.example/authenticate", "plain http"),
        ("http://169.254.169.254/authenticate", "plain http"),
        ("http://127.0.0.1.cloud.example/authenticate", "plain http"),
        ("https://user@cloud.example/authenticate", "is not a URL"),
        ("file:///etc/passwd", "is not a URL"),
        ("https://cloud.example\\@x/", "is not a URL"),
    ],
)
def test_where_no_assertion_is_sent(tmp_path: Path, uri: str, said: str, traffic: Callable[[], list[str]]) -> None:
    path = hands.write(tmp_path / "gdch.json", document(uri))
    assert said in refusal(BadCredentials, path, audience=AUDIENCE)
    assert traffic() == []


def test_an_emulator_and_a_real_identity_do_not_meet(tmp_path: Path, traffic: Callable[[], list[str]]) -> None:
    env = {"GBEARER_EMULATOR_HOST": f"127.0.0.1:{free_port()}"}
    real = hands.write(tmp_path / "real.json", document("http://127.0.0.1:1/authenticate"))
    assert "holds a real private key" in refusal(BadCredentials, real, audience=AUDIENCE, env=env)
    past = document("https://cloud.example/authenticate", private_key_id="emulator-1")
    told = refusal(BadCredentials, hands.write(tmp_path / "past.json", past), audience=AUDIENCE, env=env)
    assert "nothing is sent past it" in told
    assert traffic() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "needs an audience"),
        ({"kind": "jwt"}, "needs a service account key"),
        ({"impersonate": ("robot@p.iam.gserviceaccount.com",), "audience": AUDIENCE}, "--impersonate and"),
        ({"scopes": ("openid",), "audience": AUDIENCE}, "--scope and"),
        ({"quota_project": "my-project", "audience": AUDIENCE}, "--quota-project and"),
        ({"boundary": "{}"}, "a boundary and"),
    ],
)
def test_what_only_google_cloud_has_is_refused(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    path = hands.write(tmp_path / "gdch.json", document("https://cloud.example/authenticate"))
    assert said in refusal(UsageError, path, **options)


@pytest.mark.parametrize("of", [AUDIENCE, [AUDIENCE]], ids=["text", "list"])
def test_where_an_id_token_is_asked_for_its_token_is_one_if_it_is_a_jwt_for_the_audience(
    tmp_path: Path, of: str | list[str]
) -> None:
    ends = time.time() + 1800
    with Server(gave(token_for(of, ends))) as server:
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        token = mint(path, kind="id", audience=AUDIENCE)
    assert (token.kind, token.audience, token.principal) == ("id", AUDIENCE, WHO)
    assert abs(token.expires_at - ends) < 5


def test_a_token_for_another_audience_or_no_jwt_at_all_is_no_id_token(tmp_path: Path) -> None:
    other = gave(token_for(["https://other.example"], time.time() + 1800))
    with Server(other) as server:
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        assert "for another audience" in refusal(Unreachable, path, kind="id", audience=AUDIENCE)
    with Server(gave()) as server:
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        told = refusal(Denied, path, kind="id", audience=AUDIENCE)
        assert f"gbearer token --audience {AUDIENCE}" in told


def status(code: int, message: str) -> bytes:
    return http(code, json.dumps({"kind": "Status", "status": "Failure", "message": message, "code": code}).encode())


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (status(401, "Unauthorized"), BadCredentials, "does not accept the key of"),
        (http(400, b'{"error": "invalid_grant", "error_description": "bad"}'), BadCredentials, "invalid_grant: bad"),
        (status(403, "forbidden"), Denied, "may not get this token"),
        (status(404, "page not found"), BadCredentials, "correct token_uri"),
        (http(400, b'{"error": "invalid_target"}'), UsageError, "correct --audience"),
        (status(400, "audience is not allowed"), UsageError, "correct --audience"),
        (status(418, "teapot"), Unreachable, "not understood"),
        (http(302, b"", Location="https://elsewhere.example/"), Unreachable, "points to https://elsewhere.example/"),
        (http(200, b"{}"), Unreachable, "not understood"),
        (http(200, b'{"access_token": "a b", "expires_in": 3600}'), Unreachable, "not understood"),
        (http(200, b"<html>"), Unreachable, "not understood"),
    ],
)
def test_refusals_are_explained(tmp_path: Path, answer: bytes, kind: type[Error], said: str) -> None:
    with Server(answer) as server:
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        assert said in refusal(kind, path, audience=AUDIENCE)
        assert len(server.requests) == 1, "it is not asked twice"


def test_a_cloud_that_is_not_there_or_does_not_answer(tmp_path: Path) -> None:
    path = hands.write(tmp_path / "gdch.json", document(f"http://127.0.0.1:{free_port()}/authenticate"))
    assert "cannot be reached" in refusal(Unreachable, path, audience=AUDIENCE)
    begun = time.monotonic()
    with Server(b"") as server:
        server.replies = [server.hang]
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        assert "did not answer in time" in refusal(Unreachable, path, audience=AUDIENCE)
    assert time.monotonic() - begun < 10


def test_it_goes_through_the_proxy_that_is_named(tmp_path: Path) -> None:
    theirs = Authority(tmp_path, "Cloud CA")
    with Server(gave(), tls=theirs.server_side("cloud.example")) as server, Proxy(behind=server.port) as proxy:
        uri = "https://cloud.example/authenticate"
        path = hands.write(tmp_path / "gdch.json", document(uri, ca_cert_path=str(theirs.bundle)))
        assert mint(path, audience=AUDIENCE, env={"HTTPS_PROXY": proxy.url}).value == "opaque-token"
    assert proxy.requests[0].startswith(b"CONNECT cloud.example:443")


def test_through_the_broker_one_token_for_each_audience_and_none_is_charged_to_a_project(
    tmp_path: Path, own_environment: Path
) -> None:
    with Server(gave("one"), gave("two")) as server:
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        env = {"HOME": str(own_environment), "NO_GCE_CHECK": "true", "GOOGLE_CLOUD_QUOTA_PROJECT": "some-project"}
        env["GOOGLE_APPLICATION_CREDENTIALS"] = path
        ask = Ask(audience=AUDIENCE)
        first = Broker(env).get(ask)
        assert (first.value, first.quota_project) == ("one", None)
        assert Broker(env).get(ask).value == "one", "from disk"
        assert Broker(env).get(Ask(audience=f"{AUDIENCE}/other")).value == "two"
        assert len(server.requests) == 2


def test_an_audience_with_any_other_credential_is_a_question_that_is_wrong(tmp_path: Path) -> None:
    path = hands.write(tmp_path / "key.json", hands.KEY)
    told = hands.refusal(UsageError, {}, credentials=path, audience=AUDIENCE)
    assert told.startswith("an access token has scopes, not an audience")


def test_it_belongs_to_no_universe(tmp_path: Path) -> None:
    with Server(gave()) as server:
        path = hands.write(tmp_path / "gdch.json", document(server.url))
        env = {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": "apis.example"}
        assert mint(path, audience=AUDIENCE, env=env).value == "opaque-token"
