"""Signatures in XML as SAML uses them: enveloped, RSA with SHA-256, exclusive canonical form (XML Signature 1.1)."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from xml.etree import ElementTree as Et

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

DS = "http://www.w3.org/2000/09/xmldsig#"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ENVELOPED = f"{DS}enveloped-signature"
_RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_SIGNATURE = f"{{{DS}}}Signature"


def parsed(text: str) -> Et.Element:
    """The document's root; ValueError when it is no XML, or has a document type (and with it, perhaps, entities)."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type is not allowed")
    try:
        return Et.fromstring(text)  # noqa: S314  # entities were refused above
    except Et.ParseError as error:
        raise ValueError(f"not XML: {error}") from None


def signed(text: str, root: Et.Element, key: rsa.RSAPublicKey) -> Et.Element:
    """The one element of `root` that `key` has signed in `text`; ValueError when the signature does not hold.

    Whatever lies outside of it is not vouched for.
    """
    parents = [parent for parent in root.iter() for child in parent if child.tag == _SIGNATURE]
    if len(parents) != 1:
        raise ValueError("exactly one signature is needed")
    parent = parents[0]
    identifier, signature = parent.get("ID"), parent.find(f"{{{DS}}}Signature")
    info = signature.find(f"{{{DS}}}SignedInfo") if signature is not None else None
    references = info.findall(f"{{{DS}}}Reference") if info is not None else []
    if signature is None or info is None or len(references) != 1 or not identifier:
        raise ValueError("one reference, to the element around the signature, is needed")
    reference = references[0]
    if sum(one.get("ID") == identifier for one in root.iter()) != 1 or reference.get("URI") != f"#{identifier}":
        raise ValueError("the reference is not to the element around the signature")
    transforms = [one.get("Algorithm") for one in reference.iter(f"{{{DS}}}Transform")]
    if (
        _algorithm(info, "CanonicalizationMethod") != _EXCLUSIVE
        or _algorithm(info, "SignatureMethod") != _RSA
        or _algorithm(reference, "DigestMethod") != _SHA256
        or transforms != [_ENVELOPED, _EXCLUSIVE]
    ):
        raise ValueError("only RSA with SHA-256 over the exclusive canonical form is supported")
    digest = hashlib.sha256(_canonical(text, lambda _, given: given.get("ID") == identifier, without=True)).digest()
    if digest != _decoded(reference, "DigestValue"):
        raise ValueError("the digest does not fit")
    signed_info = _canonical(text, lambda tag, _: tag == f"{{{DS}}}SignedInfo", without=False)
    try:
        key.verify(_decoded(signature, "SignatureValue"), signed_info, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise ValueError("the signature does not fit the key") from None
    return parent


def _algorithm(element: Et.Element, name: str) -> str | None:
    found = element.find(f"{{{DS}}}{name}")
    return None if found is None else found.get("Algorithm")


def _decoded(element: Et.Element, name: str) -> bytes:
    try:
        return base64.b64decode("".join(element.findtext(f"{{{DS}}}{name}", "").split()), validate=True)
    except binascii.Error:
        raise ValueError(f"{name} is not base64") from None


def sign(text: str, identifier: str, key: rsa.RSAPrivateKey) -> str:
    """`text` with the element of that ID signed; the place for the signature is marked by `<!--signature-->`."""
    digest = hashlib.sha256(_canonical(text, lambda _, given: given.get("ID") == identifier, without=True)).digest()
    info = (
        f'<ds:SignedInfo xmlns:ds="{DS}">'
        f'<ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{_RSA}"></ds:SignatureMethod><ds:Reference URI="#{identifier}"><ds:Transforms>'
        f'<ds:Transform Algorithm="{_ENVELOPED}"></ds:Transform><ds:Transform Algorithm="{_EXCLUSIVE}"></ds:Transform>'
        f'</ds:Transforms><ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
        f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    value = base64.b64encode(key.sign(info.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    whole = f'<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>'
    return text.replace("<!--signature-->", whole)


def _canonical(text: str, wanted: Callable[[str, dict[str, str]], bool], *, without: bool) -> bytes:
    """The exclusive canonical form of the first element that is `wanted`, if told so `without` its signature."""
    parts: list[str] = []
    parser = Et.XMLParser(target=_Part(parts.append, wanted, without=without))  # noqa: S314  # as above
    parser.feed(text)
    parser.close()
    return "".join(parts).encode()


class _Part:
    """A parser's target that passes on one element and what it holds, and the namespaces declared above it."""

    def __init__(
        self, write: Callable[[str], object], wanted: Callable[[str, dict[str, str]], bool], *, without: bool
    ) -> None:
        self._form = Et.C14NWriterTarget(write)
        self._wanted = wanted
        self._without = without
        self._inside = 0  # depth within the wanted element
        self._left_out = 0  # depth within its signature
        self._done = False

    def start_ns(self, prefix: str, uri: str) -> None:
        if not self._left_out and not self._done:
            self._form.start_ns(prefix, uri)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._left_out or (self._without and self._inside == 1 and tag == _SIGNATURE):
            self._left_out += 1
        elif self._inside or (not self._done and self._wanted(tag, attributes)):
            self._inside += 1
            self._form.start(tag, attributes)

    def end(self, tag: str) -> None:
        if self._left_out:
            self._left_out -= 1
        elif self._inside:
            self._form.end(tag)
            self._inside -= 1
            self._done = not self._inside

    def data(self, text: str) -> None:
        if self._inside and not self._left_out:
            self._form.data(text)
