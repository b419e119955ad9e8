"""ID tokens at the token service: issuer, audience, times, keys, conditions and mapped attributes."""

import base64
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from emulator.federated import (
    SUBJECT,
    audience,
    exchange,
    federated_token,
    who,
)
from emulator.hands import good, oauth_error
from gbearer.emulator import Emulator


def test_the_issuer_must_be_the_providers(em: Emulator) -> None:
    answer = exchange(em, em.subject_token(claims={"iss": "https://else.example"}))
    expected = (
        "The issuer in ID Token https://else.example does not match the expected ones: https://issuer.emulator.example"
    )
    assert oauth_error(answer) == (400, "invalid_grant", expected)


def test_the_audience_must_be_the_providers(em: Emulator) -> None:
    answer = exchange(em, em.subject_token(claims={"aud": "somebody"}))
    text = f"The audience in ID Token [somebody] does not match the expected audience https:{audience()}."
    assert oauth_error(answer) == (400, "invalid_grant", text)


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ((-7200, -3600), "is stale to sign-in."),
        ((7200, 9000), "is in the future."),
        ((-10, 49 * 3600), "lives for more than 48 hours"),
        ((None, 3600), "needs iat and exp"),
        ((0, None), "needs iat and exp"),
    ],
)
def test_times_that_will_not_do(em: Emulator, ages: tuple[int | None, int | None], said: str) -> None:
    now = int(time.time())
    claims = {name: None if age is None else now + age for name, age in zip(("iat", "exp"), ages, strict=True)}
    status, error, text = oauth_error(exchange(em, em.subject_token(claims=claims)))
    assert (status, error) == (400, "invalid_grant")
    assert said in text


def test_the_stale_token_is_named_by_its_time(em: Emulator) -> None:
    now = int(time.time())
    answer = exchange(em, em.subject_token(claims={"iat": now - 7200, "exp": now - 3600}))
    assert oauth_error(answer)[2] == f"ID Token issued at {now - 7200} is stale to sign-in."


def test_the_emulators_clock_is_the_one_that_counts(em: Emulator) -> None:
    token = em.subject_token()
    em.fault({"clock_skew": 7 * 3600})
    assert "stale" in oauth_error(exchange(em, token))[2]
    good(exchange(em, em.subject_token()))


def changed(token: str, header: Mapping[str, object] = {}, claims: Mapping[str, object] = {}) -> str:
    """`token` with other contents under the old signature."""
    parts = token.split(".")
    for place, changes in ((0, header), (1, claims)):
        if changes:
            read = json.loads(base64.urlsafe_b64decode(parts[place] + "=="))
            text = json.dumps({**read, **changes}).encode()
            parts[place] = base64.urlsafe_b64encode(text).rstrip(b"=").decode()
    return ".".join(parts)


def test_what_is_not_signed_by_the_issuer_is_refused(em: Emulator) -> None:
    token = em.subject_token()
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for forged in (
        changed(token, claims={"sub": "somebody-else"}),
        changed(token, {"kid": "other"}),
        jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid}),
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid}),
        changed(token, {"alg": "none"}).rpartition(".")[0] + ".",
        token.rpartition(".")[0] + ".",
        "not.a.jwt",
        em.dir.name,
    ):
        assert oauth_error(exchange(em, forged))[:2] == (400, "invalid_grant"), forged


def test_a_key_id_is_needed(em: Emulator) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(em.subject_token(), options={"verify_signature": False})
    assert "kid" in oauth_error(exchange(em, jwt.encode(claims, key, algorithm="RS256")))[2]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_provider_with_uploaded_keys_trusts_those_and_no_others(em: Emulator, algorithm: str) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "RS256":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    keys = {"keys": [{**jwk, "kid": "mine", "alg": algorithm, "use": "sig"}]}
    mapping = {"google.subject": "assertion.sub"}
    made = em.provider(
        "uploaded",
        {"oidc": {"issuerUri": "https://i.example", "jwksJson": json.dumps(keys)}, "attributeMapping": mapping},
    )
    assert made == audience("uploaded")
    now = int(time.time())
    claims = {"iss": "https://i.example", "sub": "me", "aud": audience("uploaded"), "iat": now, "exp": now + 600}
    good(exchange(em, jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "mine"}), "uploaded"))
    assert "no key with kid" in oauth_error(exchange(em, em.subject_token("uploaded"), "uploaded"))[2]


def test_an_issuer_on_this_machine_without_keys_cannot_be_connected_to(em: Emulator) -> None:
    document = {"oidc": {"issuerUri": f"{em.url}/nobody-here"}, "attributeMapping": {"google.subject": "assertion.sub"}}
    em.provider("discovered", document)
    answer = exchange(em, em.subject_token("discovered"), "discovered")
    assert oauth_error(answer)[2] == "Error connecting to the given credential's issuer."
    assert any(entry["path"] == "/nobody-here/.well-known/openid-configuration" for entry in em.log())


class Issuer(BaseHTTPRequestHandler):
    """An identity provider that publishes where its keys are, and its keys."""

    jwks: ClassVar[dict[str, object]] = {}

    def do_GET(self) -> None:
        own = f"http://{self.headers['Host']}"
        found = {"/.well-known/openid-configuration": {"issuer": own, "jwks_uri": f"{own}/keys"}, "/keys": self.jwks}
        body = json.dumps(found.get(self.path)).encode()
        self.send_response(200 if self.path in found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the library's
        """Say nothing."""


def test_an_issuer_on_this_machine_that_publishes_its_keys_is_believed(em: Emulator) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    Issuer.jwks = {"keys": [{**jwk, "kid": "published"}]}
    with ThreadingHTTPServer(("127.0.0.1", 0), Issuer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            issuer = f"http://127.0.0.1:{server.server_port}"
            em.provider(
                "published", {"oidc": {"issuerUri": issuer}, "attributeMapping": {"google.subject": "assertion.sub"}}
            )
            now = int(time.time())
            claims = {"iss": issuer, "sub": "me", "aud": audience("published"), "iat": now, "exp": now + 600}
            good(exchange(em, jwt.encode(claims, key, algorithm="RS256", headers={"kid": "published"}), "published"))
            assert oauth_error(exchange(em, em.subject_token("published"), "published"))[1] == "invalid_grant"
        finally:
            server.shutdown()


def test_the_condition_of_a_provider_decides(em: Emulator) -> None:
    allowed = federated_token(em, {"repository": "emulator/allowed"}, "oidc-condition")
    assert who(em, allowed)["sub"] == SUBJECT
    for claims in ({"repository": "Emulator/Allowed"}, {"repository": ["emulator/allowed"]}):
        answer = exchange(em, em.subject_token("oidc-condition", claims), "oidc-condition")
        text = "The given credential is rejected by the attribute condition."
        assert oauth_error(answer) == (400, "unauthorized_client", text)


def test_a_subject_of_127_bytes_fits_and_one_of_128_does_not(em: Emulator) -> None:
    federated_token(em, {"sub": "é" * 63 + "x"})
    status, error, text = oauth_error(exchange(em, em.subject_token(claims={"sub": "é" * 64})))
    assert (status, error) == (400, "invalid_grant")
    assert text.startswith("The size of mapped attribute google.subject exceeds the 127 bytes limit.")


def test_a_mapping_that_finds_nothing_is_an_error(em: Emulator) -> None:
    answer = exchange(em, em.subject_token("github"), "github")
    assert "attribute.repository" in oauth_error(answer)[2]
