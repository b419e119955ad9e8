"""Private keys: every way in which line ends get lost is mended, and everything that is no RSA key is named."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gbearer.errors import BadCredentials
from gbearer.sources.key import parse

Pem = serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
PKCS1 = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
LOCKED = serialization.BestAvailableEncryption(b"passphrase")
EMAIL = "robot@p.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


MANGLED: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "escaped newlines": lambda pem: pem.replace("\n", "\\n"),
    "twice escaped newlines": lambda pem: pem.replace("\n", "\\\\n"),
    "escaped and real newlines": lambda pem: pem.replace("\n", "\\n\n"),
    "carriage returns": lambda pem: pem.replace("\n", "\r\n"),
    "escaped carriage returns": lambda pem: pem.replace("\n", "\\r\\n"),
    "spaces": lambda pem: pem.replace("\n", " "),
    "one line": lambda pem: pem.replace("\n", ""),
    "indented": lambda pem: pem.replace("\n", "\n    "),
    "quoted": lambda pem: f'"{pem}"',
    "no last newline": str.strip,
}


@pytest.mark.parametrize("how", MANGLED)
@pytest.mark.parametrize("form", [PKCS8, PKCS1])
def test_a_key_is_read_whatever_became_of_its_line_ends(
    key: rsa.RSAPrivateKey, how: str, form: serialization.PrivateFormat
) -> None:
    text = MANGLED[how](key.private_bytes(Pem, form, PLAIN).decode())
    assert parse(text, "key.json", EMAIL).private_numbers() == key.private_numbers()


def test_what_is_no_rsa_key_is_named(key: rsa.RSAPrivateKey) -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    good = key.private_bytes(Pem, PKCS8, PLAIN).decode()
    public = key.public_key().public_bytes(Pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    cases = {
        "is an EC key": [curve.private_bytes(Pem, form, PLAIN).decode() for form in (PKCS8, PKCS1)],
        "Ed25519": [ed25519.Ed25519PrivateKey.generate().private_bytes(Pem, PKCS8, PLAIN).decode()],
        "encrypted": [key.private_bytes(Pem, PKCS8, LOCKED).decode(), key.private_bytes(Pem, PKCS1, LOCKED).decode()],
        "public key": [public],
        "END line is missing": [good[:800]],
        "bytes are missing": [good.replace(good.split("\n")[5] + "\n", ""), good[:200] + "\n-----END PRIVATE KEY-----"],
        "no PEM": ["not a key", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"],
    }  # fmt: skip
    for says, texts in cases.items():
        for text in texts:
            with pytest.raises(BadCredentials) as caught:
                parse(text, "key.json", EMAIL)
            told = str(caught.value)
            assert says in told, told
            assert "private_key in key.json" in told
            assert f"--iam-account={EMAIL}" in told
            body = [line for line in text.split("\n") if len(line) > 30 and "-----" not in line]
            assert not any(line in told for line in body)
            assert caught.value.__context__ is None or caught.value.__suppress_context__
