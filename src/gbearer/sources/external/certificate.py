"""X.509 certificates as subject tokens: which files they are in, that they belong together, and what STS is sent."""

import os
import time
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer.errors import BadCredentials
from gbearer.sources import wellknown
from gbearer.sources.external.identity import Identity
from gbearer.sources.external.spoken import with_length
from gbearer.sources.external.subject import broken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509

    from gbearer.sources.external.federation import Federation
    from gbearer.sources.look import Look

_VARIABLES = ("GOOGLE_API_CERTIFICATE_CONFIG", "CLOUDSDK_CONTEXT_AWARE_CERTIFICATE_CONFIG_FILE_PATH")
_CONFIG = "certificate_config.json"


class Pair:
    """A certificate and its key, as they lie in files: paths, contents, and the chain that goes with them."""

    __slots__ = ("cert", "cert_path", "chain", "chain_path", "key", "key_path")

    def __init__(self, cert_path: str, cert: bytes, key_path: str, key: bytes, chain_path: str, chain: bytes) -> None:
        self.cert_path = cert_path
        self.cert = cert
        self.key_path = key_path
        self.key = key
        self.chain_path = chain_path
        self.chain = chain

    def pin(self) -> str:
        """A digest of whose certificate this is."""
        return blake2b(self.cert + b"\0" + self.chain, digest_size=32).hexdigest()


def read(found: "Federation", look: "Look") -> Pair:
    """The files that `credential_source.certificate` leads to; BadCredentials naming the one that is missing."""
    told = found.credential_source.get("certificate")
    if not isinstance(told, dict):
        raise broken(found, "credential_source.certificate is no object")
    place, default = told.get("certificate_config_location"), told.get("use_default_certificate_config")
    trust = told.get("trust_chain_path")
    for name, value in (("certificate_config_location", place), ("trust_chain_path", trust)):
        if value is not None and not isinstance(value, str):
            raise broken(found, f"credential_source.certificate.{name} is no path")
    if bool(place) == (default is True):
        why = "both are given" if place else "neither is given"
        raise broken(found, "credential_source.certificate wants either certificate_config_location or "
                            f"use_default_certificate_config, and {why}")  # fmt: skip
    path = place if isinstance(place, str) and place else _default(look)
    cert_path, key_path = _workload(_bytes(path, "certificate configuration", found.where, look), path)
    return Pair(
        cert_path,
        _bytes(cert_path, "certificate", path, look),
        key_path,
        _bytes(key_path, "key", path, look),
        trust or "",
        _bytes(trust, "trust chain", found.where, look) if trust else b"",
    )


def subject_token(pair: Pair) -> str:
    """A JSON list of the certificates in base64 DER, the leaf first; BadCredentials for files that do not fit."""
    import json
    from base64 import b64encode

    from cryptography.hazmat.primitives.serialization import Encoding

    leaf = _leaf(pair)
    _check_key(leaf, pair)
    _check_time(leaf, pair)
    chain = _certificates(pair.chain, pair.chain_path) if pair.chain else []
    if leaf in chain[1:]:
        raise _unusable(
            pair.chain_path, "its leaf is not at the top", "put the leaf first, or leave it out of the chain"
        )
    listed = [leaf, *(each for each in chain if each != leaf)]
    return json.dumps([b64encode(each.public_bytes(Encoding.DER)).decode() for each in listed])


def identity(pair: Pair) -> Identity:
    """Whose certificate it is; Google's guides map google.subject to the subject's common name."""
    from cryptography.x509.oid import NameOID

    leaf = _leaf(pair)
    names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common = str(names[0].value) if names else ""
    rows = [("issuer", leaf.issuer.rfc4514_string()), ("certificate", leaf.subject.rfc4514_string())]
    if common:
        rows.append(("subject", with_length(common)))
    rows.append(("valid until", leaf.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")))
    return Identity(common, tuple(rows))


def _default(look: "Look") -> str:
    named = next((look.env[name] for name in _VARIABLES if look.env.get(name)), "")
    return named or os.path.join(wellknown.folder(look), _CONFIG)


def _workload(data: bytes, path: str) -> tuple[str, str]:
    """The paths in a certificate configuration."""
    import json

    try:
        document = json.loads(data)
        entry = document["cert_configs"]["workload"]
        paths = entry["cert_path"], entry["key_path"]
    except (ValueError, RecursionError, LookupError, TypeError):
        paths = None, None
    if not all(isinstance(each, str) and each for each in paths):
        raise BadCredentials(
            f"the certificate configuration {path} names no certificate",
            why="it has no cert_configs.workload with cert_path and key_path",
            fix="gcloud iam workload-identity-pools create-cred-config PROVIDER --credential-cert-path=FILE "
            "--credential-cert-private-key-path=FILE --output-file=FILE writes one",
        )
    return str(paths[0]), str(paths[1])


def _bytes(path: str, what: str, named_by: str, look: "Look") -> bytes:
    fix = f"correct the path in {named_by}, or get the {what} anew"
    try:
        data = look.read(path)
    except BadCredentials as error:
        message = error.message.replace("the credential file", f"the {what} file")
        raise BadCredentials(message, why=f"{named_by} names it; {error.why}", fix=fix) from None
    if data is None:
        raise BadCredentials(f"there is no {what} file {path}", why=f"{named_by} names it", fix=fix)
    return data


def _leaf(pair: Pair) -> "x509.Certificate":
    return _certificates(pair.cert, pair.cert_path)[0]


def _certificates(data: bytes, path: str) -> "list[x509.Certificate]":
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise _unusable(
            path, "it holds no certificate in PEM", "name a PEM file: -----BEGIN CERTIFICATE-----"
        ) from None


def _check_key(leaf: "x509.Certificate", pair: Pair) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    fix = "name the key that this certificate was made for, in PEM and without a passphrase"
    try:
        key = load_pem_private_key(pair.key, None)
    except TypeError:
        raise _unusable(pair.key_path, "the key is encrypted with a passphrase", fix) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(pair.key_path, "it holds no private key in PEM", fix) from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise BadCredentials(
            f"the certificate {pair.cert_path} and the key {pair.key_path} do not match",
            why="the key is not the one that the certificate was made for; nothing was sent",
            fix=fix,
        )


def _check_time(leaf: "x509.Certificate", pair: Pair) -> None:
    left = leaf.not_valid_after_utc.timestamp() - time.time()
    if left <= 0:
        why = f"it ended {-left / 3600:.1f} h ago ({leaf.not_valid_after_utc:%Y-%m-%d %H:%M} UTC)"
        raise _unusable(pair.cert_path, why, "get a new one from the authority that issued it; check the clock")


def _unusable(path: str, why: str, fix: str) -> BadCredentials:
    return BadCredentials(f"the file {path} cannot be used for federation", why=why, fix=fix)
