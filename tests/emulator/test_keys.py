"""What verifiers read: certificates, JWKS, service account keys, OIDC discovery."""

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.hands import ROBOT, assertion, call, good, id_token, key_file
from gbearer.emulator import Emulator


def rsa_key(pem: str) -> rsa.RSAPublicKey:
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def test_certificates_and_jwks_hold_the_same_key_and_may_be_cached(em: Emulator) -> None:
    certs = call(em, "GET", "/oauth2/v1/certs", host="www.googleapis.com")
    jwks = call(em, "GET", "/oauth2/v3/certs", host="www.googleapis.com")
    for response in (certs, jwks):
        assert "max-age=" in response.headers["Cache-Control"]
    token = id_token(em, "https://f.run.app")
    kid = jwt.get_unverified_header(token)["kid"]
    assert kid.startswith("emulator-")
    from_certificate = rsa_key(good(certs)[kid])
    (entry,) = good(jwks)["keys"]
    assert {entry["kty"], entry["alg"], entry["use"]} == {"RSA", "RS256", "sig"}
    assert entry["kid"] == kid
    for key in (from_certificate, jwt.PyJWK(entry).key):
        assert jwt.decode(token, key, algorithms=["RS256"], audience="https://f.run.app")


@pytest.mark.parametrize("base", ["/service_accounts/v1/metadata/x509", "/robot/v1/metadata/x509"])
def test_a_service_accounts_certificate_verifies_what_its_key_signed(em: Emulator, base: str) -> None:
    key = rsa_key(good(call(em, "GET", f"{base}/{ROBOT.replace('@', '%40')}"))[key_file(em)["private_key_id"]])
    options: jwt.types.Options = {"verify_aud": False}
    assert jwt.decode(assertion(em, {}), key, algorithms=["RS256"], options=options)["iss"] == ROBOT


def test_a_service_accounts_keys_come_as_jwk_and_raw_too(em: Emulator) -> None:
    jwks = good(call(em, "GET", f"/service_accounts/v1/metadata/jwk/{ROBOT}"))["keys"]
    raw = good(call(em, "GET", f"/service_accounts/v1/metadata/raw/{ROBOT}"))["keyvalues"]
    assert key_file(em)["private_key_id"] in {key["kid"] for key in jwks}
    assert [key["keyid"] for key in raw] == [key["kid"] for key in jwks]


def test_an_unknown_account_has_no_keys(em: Emulator) -> None:
    assert call(em, "GET", "/service_accounts/v1/metadata/x509/nobody@example.com").status == 404


def test_discovery_names_googles_addresses_at_google_and_its_own_at_home(em: Emulator) -> None:
    path = "/.well-known/openid-configuration"
    at_google = good(call(em, "GET", path, host="accounts.google.com"))
    at_home = good(call(em, "GET", path))
    assert at_google["issuer"] == at_home["issuer"] == "https://accounts.google.com"
    assert at_google["jwks_uri"] == "https://www.googleapis.com/oauth2/v3/certs"
    assert at_google["token_endpoint"] == "https://oauth2.googleapis.com/token"
    assert at_home["jwks_uri"] == f"{em.url}/oauth2/v3/certs"
    assert good(call(em, "GET", at_home["jwks_uri"].removeprefix(em.url)))["keys"]
    assert "introspection_endpoint" not in at_google
