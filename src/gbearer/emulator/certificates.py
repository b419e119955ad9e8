"""X.509 certificates of the emulator: authorities, its own for TLS, and those that programs show it."""

import datetime
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gbearer.emulator.universe import GOOGLE, OTHER

_YEARS = datetime.timedelta(days=3650)
_BEFORE = datetime.timedelta(days=1)
ORGANIZATION = "gbearer emulator"


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both as PEM."""

    certificate: str
    key: str = field(repr=False)

    @property
    def loaded(self) -> x509.Certificate:
        """The certificate taken apart."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def private(self) -> ec.EllipticCurvePrivateKey:
        """The key, on P-256."""
        key = serialization.load_pem_private_key(self.key.encode(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("not an elliptic curve key")
        return key


def authority(name: str, issuer: Pair | None = None) -> Pair:
    """A new certificate authority called `name`: a root, or below `issuer`."""
    return _issued(name, issuer, ca=True, extended=None, alternative=())


def client(name: str, issuer: Pair) -> Pair:
    """A new certificate that a program shows when it calls; `name` is its common name."""
    uri = x509.UniformResourceIdentifier(f"spiffe://emulator.example/{name}")
    return _issued(name, issuer, ca=False, extended=ExtendedKeyUsageOID.CLIENT_AUTH, alternative=(uri,))


def server(issuer: Pair) -> Pair:
    """A new certificate for TLS at this machine, and at Google's hosts when their requests are sent here."""
    names = ("localhost", *(f"*.{label}{one}" for one in (GOOGLE, OTHER) for label in ("", "mtls.")))
    alternative = (
        *(x509.DNSName(name) for name in names),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ("127.0.0.1", "::1")),
    )
    return _issued("localhost", issuer, ca=False, extended=ExtendedKeyUsageOID.SERVER_AUTH, alternative=alternative)


def _issued(
    name: str,
    issuer: Pair | None,
    *,
    ca: bool,
    extended: x509.ObjectIdentifier | None,
    alternative: tuple[x509.GeneralName, ...],
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    attributes = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, ORGANIZATION))
    subject = x509.Name([x509.NameAttribute(*one) for one in attributes])
    signer = issuer.private if issuer else key
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.loaded.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_usage(ca=ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if extended is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
    if alternative:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternative), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(pem).decode(), private.decode())


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True)
class Shelf:
    """The certificates of one emulator.

    `tls` signs its own; `workloads` is what the provider x509 trusts; `chained` hangs below an `intermediate`;
    `stranger` is of an authority that TLS accepts and no provider trusts.
    """

    tls: Pair
    workloads: Pair
    workload: Pair
    intermediate: Pair
    chained: Pair
    strangers: Pair
    stranger: Pair


def shelf(kept: Callable[[str, Callable[[], str]], str]) -> Shelf:
    """Every certificate, from what was `kept` by name, made where nothing was."""

    def pair(name: str, make: Callable[[], Pair]) -> Pair:
        text = kept(f"certificate {name}", lambda: _joined(make()))
        certificate, _, key = text.partition("\0")
        return Pair(certificate, key)

    tls = pair("tls", lambda: authority("Emulator TLS"))
    workloads = pair("workloads", lambda: authority("Emulator workloads"))
    intermediate = pair("intermediate", lambda: authority("Emulator workloads, intermediate", workloads))
    strangers = pair("strangers", lambda: authority("Strangers"))
    return Shelf(
        tls,
        workloads,
        pair("workload", lambda: client("emulator-workload", workloads)),
        intermediate,
        pair("chained", lambda: client("emulator-chained", intermediate)),
        strangers,
        pair("stranger", lambda: client("emulator-stranger", strangers)),
    )


def _joined(pair: Pair) -> str:
    return f"{pair.certificate}\0{pair.key}"
