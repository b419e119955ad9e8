"""X.509 certificates as subject tokens: which files are looked at, what is sent, and files that do not fit together."""

import base64
import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from gbearer.errors import BadCredentials
from gbearer.model import Ask
from gbearer.sources import Look
from gbearer.transport import Transport
from sources.external.hands import TYPE, document, find, refusal, subject, write

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime.datetime.now(datetime.UTC)


def certificate(name: str, key: Key, issuer: str = "An authority", signer: Key | None = None, days: int = 30) -> bytes:
    """A certificate in PEM that ends in `days`."""
    subject_name, issuer_name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    end = NOW + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=365))
        .not_valid_after(end)
        .sign(signer or key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def pem(key: Key, passphrase: bytes = b"") -> bytes:
    """A private key in PEM."""
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


KEY = ec.generate_private_key(ec.SECP256R1())
LEAF = certificate("a-workload", KEY)
BETWEEN = certificate("between", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a certificate, its key, a chain, and the configuration that names them."""
    write(tmp_path / "cert.pem", LEAF)
    write(tmp_path / "key.pem", pem(KEY))
    write(tmp_path / "chain.pem", LEAF + BETWEEN)
    paths = {"cert_path": str(tmp_path / "cert.pem"), "key_path": str(tmp_path / "key.pem")}
    write(tmp_path / "config.json", {"version": 1, "cert_configs": {"workload": paths}})
    return tmp_path


def load(folder: Path, env: dict[str, str] | None = None, **fields: Any) -> Any:
    """(source, look) for the folder's configuration; `fields` are those of `certificate`."""
    told = fields or {"certificate_config_location": str(folder / "config.json")}
    content = document(
        {"certificate": told},
        subject_token_type=f"{TYPE}mtls",
        token_url="https://sts.mtls.googleapis.com/v1/token",
        token_info_url=None,
    )
    return find(env or {}, credentials=write(folder / "fed.json", content))


def der(data: bytes) -> list[str]:
    return [
        base64.b64encode(each.public_bytes(serialization.Encoding.DER)).decode()
        for each in x509.load_pem_x509_certificates(data)
    ]


def test_the_subject_token_is_the_leaf(folder: Path) -> None:
    assert json.loads(subject(load(folder)[0])) == der(LEAF)


@pytest.mark.parametrize("chain", [LEAF + BETWEEN, BETWEEN], ids=["with the leaf", "without it"])
def test_the_chain_follows_the_leaf(folder: Path, chain: bytes) -> None:
    write(folder / "chain.pem", chain)
    found, _ = load(
        folder,
        certificate_config_location=str(folder / "config.json"),
        trust_chain_path=str(folder / "chain.pem"),
    )
    assert json.loads(subject(found)) == der(LEAF) + der(BETWEEN)


@pytest.mark.parametrize(
    "variable", ["GOOGLE_API_CERTIFICATE_CONFIG", "CLOUDSDK_CONTEXT_AWARE_CERTIFICATE_CONFIG_FILE_PATH"]
)
def test_the_default_configuration_is_where_google_looks(folder: Path, variable: str) -> None:
    found, _ = load(folder, {variable: str(folder / "config.json")}, use_default_certificate_config=True)
    assert json.loads(subject(found)) == der(LEAF)


def test_gclouds_own_place_is_the_last(folder: Path) -> None:
    (folder / "config.json").rename(folder / "certificate_config.json")
    found, look = load(folder, {"CLOUDSDK_CONFIG": str(folder)}, use_default_certificate_config=True)
    assert json.loads(subject(found)) == der(LEAF)
    assert look.remember
    watched = {Path(path).name for path in look.files}
    assert watched == {"fed.json", "certificate_config.json", "cert.pem", "key.pem"}


def test_whose_certificate_it_is(folder: Path) -> None:
    found, _ = load(folder)
    identity = found.identify(None)
    assert identity.subject == "a-workload"
    assert dict(identity.rows)["issuer"] == "CN=An authority"
    other = ec.generate_private_key(ec.SECP256R1())
    write(folder / "cert.pem", certificate("another", other))
    assert load(folder)[0].fingerprint != found.fingerprint


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", None, "there is no certificate configuration file"),
        ("config.json", b"{", "names no certificate"),
        ("config.json", b'{"version": 1, "cert_configs": {}}', "no cert_configs.workload"),
        ("config.json", b'{"cert_configs": {"workload": {"cert_path": "/x"}}}', "no cert_configs.workload"),
        ("cert.pem", None, "there is no certificate file"),
        ("cert.pem", b"", "is empty"),
        ("key.pem", None, "there is no key file"),
    ],
)
def test_files_that_are_missing_or_of_no_use(folder: Path, file: str, content: bytes | None, said: str) -> None:
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    text = refusal(BadCredentials, lambda: load(folder))
    assert said in text
    assert file in text


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("cert.pem", b"no certificate", "it holds no certificate in PEM"),
        ("key.pem", b"no key", "it holds no private key in PEM"),
        ("key.pem", pem(KEY, b"secret"), "encrypted with a passphrase"),
        ("key.pem", pem(ec.generate_private_key(ec.SECP256R1())), "do not match"),
        ("key.pem", pem(rsa.generate_private_key(65537, 2048)), "do not match"),
        ("cert.pem", certificate("a-workload", KEY, days=-1), "it ended 24."),
    ],
)
def test_a_certificate_and_a_key_that_do_not_fit(folder: Path, file: str, content: bytes, said: str) -> None:
    (folder / file).write_bytes(content)
    found, _ = load(folder)
    text = refusal(BadCredentials, lambda: subject(found))
    assert said in text
    assert file in text
    assert "PRIVATE KEY-----" not in text


def test_a_chain_with_the_leaf_below_the_top(folder: Path) -> None:
    write(folder / "chain.pem", BETWEEN + LEAF)
    found, _ = load(
        folder,
        certificate_config_location=str(folder / "config.json"),
        trust_chain_path=str(folder / "chain.pem"),
    )
    assert "its leaf is not at the top" in refusal(BadCredentials, lambda: subject(found))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"use_default_certificate_config": False}, "neither is given"),
        ({"certificate_config_location": "/x", "use_default_certificate_config": True}, "both are given"),
        ({"certificate_config_location": 7}, "certificate_config_location is no path"),
        ({"certificate_config_location": "/x", "trust_chain_path": 7}, "trust_chain_path is no path"),
    ],
)
def test_a_wrong_field_is_named(folder: Path, fields: dict[str, Any], said: str) -> None:
    assert said in refusal(BadCredentials, lambda: load(folder, **fields))


def test_certificates_stay_with_the_host_they_are_for(folder: Path) -> None:
    """The connection to STS shows the certificate; one to any other host, of the same transport, does not."""
    found, _ = load(folder)
    way = Transport(Look({}).env)
    found.credentials(Ask(), way)
    assert way.presents("https://sts.mtls.googleapis.com/v1/introspect") == (
        str(folder / "cert.pem"),
        str(folder / "key.pem"),
    )
    assert way.presents("https://iamcredentials.googleapis.com/") is None
