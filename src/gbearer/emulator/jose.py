"""Keys, signatures and certificates of the emulator, by PyJWT and cryptography alone (RFC 7515, 7517, 7518)."""

import base64
import datetime
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

KEY_MARK = "emulator-"


@dataclass(frozen=True)
class Key:
    """An RSA key and its id; ids begin with `emulator-`, so that other tools carry the mark along."""

    kid: str
    private: rsa.RSAPrivateKey

    @property
    def pem(self) -> str:
        """The private key as unencrypted PKCS#8 PEM, the form of Google's key files."""
        return self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def __repr__(self) -> str:
        return f"<Key {self.kid}>"


def new_key() -> Key:
    """A fresh RSA 2048 key."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Key(KEY_MARK + secrets.token_hex(16), private)


def load_key(kid: str, pem: str) -> Key:
    """The key in `pem`; ValueError if it is not an unencrypted RSA key."""
    private = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("not an RSA key")
    return Key(kid, private)


def sign(key: Key, claims: Mapping[str, Any]) -> str:
    """`claims` as a compact RS256 JWS with `kid` and `typ`."""
    return sign_text(key, json.dumps(claims, separators=(",", ":")))


def sign_text(key: Key, payload: str) -> str:
    """The same for claims that are already JSON text, kept byte for byte."""
    return jwt.PyJWS().encode(payload.encode(), key.private, algorithm="RS256", headers={"kid": key.kid})


def sign_bytes(key: Key, payload: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256 over `payload`."""
    return key.private.sign(payload, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class Unverified:
    """The header and claims of a JWS whose signature nobody has looked at yet."""

    header: dict[str, Any]
    claims: dict[str, Any]


def peek(token: str) -> Unverified | None:
    """Header and claims of `token`, or None if it is no JWS over a JSON object. Nothing is verified."""
    try:
        whole = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})
        claims = json.loads(whole["payload"])
    except (jwt.InvalidTokenError, ValueError):
        return None
    return Unverified(dict(whole["header"]), claims) if isinstance(claims, dict) else None


def signed_by(token: str, keys: Iterable[Key]) -> Key | None:
    """The key of `keys` that made the RS256 signature of `token`, or None.

    With a `kid` in the header only that key is tried; without one, all are (Node sends none).
    """
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError:
        return None
    for key in keys:
        if kid is not None and kid != key.kid:
            continue
        try:
            jwt.PyJWS().decode(token, key=key.private.public_key(), algorithms=["RS256"])
        except jwt.InvalidTokenError:
            continue
        return key
    return None


def b64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_numbers(key: Key) -> tuple[bytes, bytes]:
    """Modulus and exponent as big-endian bytes."""
    numbers = key.private.public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
    return modulus, exponent


def jwk(key: Key) -> dict[str, str]:
    """The public half as a JWK (RFC 7517)."""
    modulus, exponent = public_numbers(key)
    numbers = {"n": b64url(modulus), "e": b64url(exponent)}
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": key.kid, **numbers}


@lru_cache(maxsize=64)
def certificate(key: Key, name: str) -> str:
    """A self-signed X.509 certificate for the public half, as PEM; `name` becomes its common name."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.private.public_key())
        .serial_number(int.from_bytes(key.kid.encode()[-16:], "big"))
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=365 * 30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key.private, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()
