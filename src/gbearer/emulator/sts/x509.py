"""X.509 subject tokens: a certificate chain up to a trust anchor, and the leaf shown by TLS as well."""

import base64
import binascii
import datetime
import json
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from gbearer.emulator.answers import Refusal, oauth_refusal
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import World

_NAMES = {
    NameOID.COMMON_NAME: "cn",
    NameOID.ORGANIZATION_NAME: "o",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "ou",
    NameOID.COUNTRY_NAME: "c",
    NameOID.LOCALITY_NAME: "l",
    NameOID.STATE_OR_PROVINCE_NAME: "st",
}
_LONGEST = 11  # certificates in a chain


def anchors(world: World, provider: Provider) -> tuple[list[str], list[str]]:
    """Trust anchors and intermediates of a provider, as PEM; the emulator's own where it names none."""
    store = provider.settings.get("trustStore")
    if not isinstance(store, dict):
        return [world.shelf.workloads.certificate], []
    roots, between = (
        [str(one.get("pemCertificate", "")) for one in store.get(name, [])]
        for name in ("trustAnchors", "intermediateCas")
    )
    return roots, between


def verified(world: World, provider: Provider, token: str, shown: bytes | None) -> dict[str, Any]:
    """What the leaf says, as an assertion; `shown` is the DER certificate of the TLS client. Raises Refusal."""
    if shown is None:
        raise _refused(
            "No client certificate was presented; use mutual TLS at https://sts.mtls.googleapis.com/v1/token."
        )
    chain = _chain(token)
    leaf = chain[0]
    if leaf.public_bytes(serialization.Encoding.DER) != shown:
        raise _refused("The leaf certificate in subject_token is not the one of the mTLS connection.")
    now = datetime.datetime.fromtimestamp(world.clock.now(), datetime.UTC)
    for one in chain:
        if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
            raise _refused("A certificate of the chain has expired, or is not valid yet.")
    roots, between = (
        [x509.load_pem_x509_certificate(pem.encode()) for pem in pems] for pems in anchors(world, provider)
    )
    if not _reaches(leaf, [*chain[1:], *between], roots):
        raise _refused("The certificate chain does not lead to a trust anchor of the provider.")
    return _assertion(leaf)


def _chain(token: str) -> list[x509.Certificate]:
    try:
        document = json.loads(token)
        if not isinstance(document, list) or not 0 < len(document) <= _LONGEST:
            raise ValueError("not a list of certificates")
        return [x509.load_der_x509_certificate(base64.b64decode(str(one), validate=True)) for one in document]
    except (ValueError, binascii.Error):
        raise _refused("The subject_token is not a JSON list of base64-encoded DER certificates.") from None


def _reaches(leaf: x509.Certificate, between: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> bool:
    """Whether a path of issuers leads from `leaf` through `between` to one of `roots`."""
    current, left = leaf, list(between)
    while not any(_issued(current, root) for root in roots):
        above = next((one for one in left if _issued(current, one)), None)
        if above is None:
            return False
        left.remove(above)
        current = above
    return True


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        return issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False


def _assertion(leaf: x509.Certificate) -> dict[str, Any]:
    """`subject.dn.cn` and its like, `issuer`, `san`, `serialnumber` and `sha256_fingerprint`."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        san: dict[str, list[str]] = {
            "dns": list(names.get_values_for_type(x509.DNSName)),
            "uri": list(names.get_values_for_type(x509.UniformResourceIdentifier)),
        }
    except x509.ExtensionNotFound:
        san = {"dns": [], "uri": []}
    return {
        "subject": {"dn": _name(leaf.subject)},
        "issuer": {"dn": _name(leaf.issuer)},
        "san": san,
        "serialnumber": f"{leaf.serial_number:x}",
        "sha256_fingerprint": base64.b64encode(leaf.fingerprint(hashes.SHA256())).decode(),
    }


def _name(name: x509.Name) -> dict[str, str]:
    return {_NAMES[one.oid]: str(one.value) for one in name if one.oid in _NAMES}


def _refused(description: str) -> Refusal:
    return oauth_refusal("invalid_grant", description)
