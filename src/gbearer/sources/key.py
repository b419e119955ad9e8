"""A service account key (`"type": "service_account"`): checked when it is found, parsed when it is used."""

import re

from gbearer import endpoints
from gbearer.errors import BadCredentials
from gbearer.sources import fields, universe
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_NAMES = {
    "EC PRIVATE KEY": "an EC key",
    "DSA PRIVATE KEY": "a DSA key",
    "OPENSSH PRIVATE KEY": "an SSH key",
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "CERTIFICATE": "a certificate",
    "ENCRYPTED PRIVATE KEY": "encrypted with a passphrase",
}
_FIX = "make a new key: `gcloud iam service-accounts keys create key.json --iam-account={}`"


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> Source:
    """The key in `info`; BadCredentials naming everything that is wrong. Does not parse the private key yet."""
    fields.check(
        info,
        where,
        "service account key",
        ("client_email", "private_key", "token_uri"),
        ("private_key_id", "project_id", "client_id", "quota_project_id", "universe_domain"),
    )
    named = universe.of_file(info, where, ask, look, sends=False)  # its JWTs go where the user sends them
    key_id, email = fields.text(info, "private_key_id"), fields.text(info, "client_email")
    token_uri = fields.text(info, "token_uri")
    # elsewhere there is no token endpoint, and keys name their own universe's or Google's
    at = named if f".{named}/" in token_uri else endpoints.UNIVERSE
    endpoints.check_field("token_uri", token_uri, where, look.env, universe=at, trust=ask.trust_config)
    endpoints.made_by_emulator(key_id, "private key", where, look.env)
    private_key = fields.text(info, "private_key")

    def make(ask: "Ask", _: "Transport") -> "Any":
        from google.auth.crypt import RSASigner
        from google.oauth2 import service_account

        signer = RSASigner(parse(private_key, where, email), key_id or None)
        if ask.kind == "id":
            return service_account.IDTokenCredentials(signer, email, token_uri, ask.audience, universe_domain=named)
        scopes = list(ask.scopes or source.default_scopes(ask))
        return service_account.Credentials(
            signer, email, token_uri, scopes=scopes, subject=ask.subject, universe_domain=named
        )

    source = Source(
        "service_account",
        make,
        principal=email,
        project=fields.text(info, "project_id") or None,
        quota_project=fields.text(info, "quota_project_id") or None,
        client_id=fields.text(info, "client_id"),
    )
    source.universe = named
    return source


def parse(text: str, where: str, email: str) -> "Any":
    r"""The RSA private key in PEM `text` (PKCS#8 or PKCS#1), whatever became of its line ends; BadCredentials else.

    Keys that went through shells, YAML and environment variables arrive with `\n` spelled out, with carriage
    returns, or with spaces for newlines: all of that is mended.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_mended(text, where, email), None)
    except TypeError:
        raise _bad(where, email, "it is encrypted with a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _bad(where, email, "it cannot be parsed: bytes are missing or changed") from None
    if not isinstance(key, RSAPrivateKey):
        name = type(key).__name__.lstrip("_").removesuffix("PrivateKey")
        name = "EC" if name.startswith("Elliptic") else name
        raise _bad(where, email, f"it is an {name} key, and Google's are RSA keys")
    return key


def _mended(text: str, where: str, email: str) -> bytes:
    found = _PEM.search(text)
    if not found:
        begun = "-----BEGIN " in text
        reason = "it begins, but its END line is missing: the text is cut off" if begun else "it is no PEM text"
        raise _bad(where, email, reason)
    label, body = found[1], found[2]
    if label in _NAMES:
        raise _bad(where, email, f"it is {_NAMES[label]}, not an RSA private key")
    if "ENCRYPTED" in body:
        raise _bad(where, email, "it is encrypted with a passphrase")
    body = re.sub(r"(\\+[nrt]|\s)+", "", body)
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def _bad(where: str, email: str, why: str) -> BadCredentials:
    return BadCredentials(f"the private_key in {where} cannot be used", why=why, fix=_FIX.format(email))
