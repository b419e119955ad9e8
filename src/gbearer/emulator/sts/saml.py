"""SAML 2.0 responses: making one as an identity provider does, and the checks of the Security Token Service on them."""

import base64
import binascii
import datetime
import secrets
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from gbearer.emulator.answers import Refusal, oauth_refusal
from gbearer.emulator.sts import xmldsig
from gbearer.emulator.sts.oidc import ISSUER_KEY
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import World

IDP = "https://idp.emulator.example/saml"
_RECIPIENTS = ("https://sts.googleapis.com/v1/token", "https://sts.mtls.googleapis.com/v1/token")
_A = "urn:oasis:names:tc:SAML:2.0:assertion"
_P = "urn:oasis:names:tc:SAML:2.0:protocol"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_LEEWAY = datetime.timedelta(seconds=60)


def verified(world: World, provider: Provider, token: str) -> dict[str, Any]:
    """`subject` and `attributes` of a base64-encoded response for this provider; raises Refusal."""
    try:
        text = base64.b64decode(
            token.replace("-", "+").replace("_", "/") + "=" * (-len(token) % 4), validate=True
        ).decode()
        root = xmldsig.parsed(text)
        issuer, key = _trusted(world, provider)
        element = xmldsig.signed(text, root, key)
    except (ValueError, binascii.Error) as error:
        raise _refused(f"The SAML response is not valid: {error}") from None
    found = [element] if element.tag == f"{{{_A}}}Assertion" else element.findall(f"{{{_A}}}Assertion")
    if len(found) != 1 or root.tag != f"{{{_P}}}Response":
        raise _refused("The SAML response must hold exactly one assertion, signed by itself or with the response.")
    assertion, here = found[0], {"a": _A}
    if assertion.findtext("a:Issuer", "", here) != issuer:
        raise _refused(f"The issuer in the SAML assertion does not match the expected one: {issuer}")
    now = datetime.datetime.fromtimestamp(world.clock.now(), datetime.UTC)
    conditions = assertion.find("a:Conditions", here)
    confirmed = assertion.find(f"a:Subject/a:SubjectConfirmation[@Method='{_BEARER}']/a:SubjectConfirmationData", here)
    if conditions is None or confirmed is None:
        raise _refused("The SAML assertion needs Conditions and a bearer SubjectConfirmation.")
    if not all(_in_time(one.attrib, now) for one in (conditions, confirmed)) or not confirmed.get("NotOnOrAfter"):
        raise _refused("The SAML assertion has expired, or is not valid yet.")
    audiences = [one.text for one in conditions.findall("a:AudienceRestriction/a:Audience", here)]
    if not set(audiences) & set(provider.audiences):
        raise _refused(
            f"The audience in the SAML assertion does not match the expected audience {provider.audiences[0]}."
        )
    if confirmed.get("Recipient", _RECIPIENTS[0]) not in _RECIPIENTS:
        raise _refused("The recipient in the SAML assertion is not the Security Token Service.")
    attributes = {
        str(one.get("Name")): [value.text or "" for value in one.findall("a:AttributeValue", here)]
        for one in assertion.findall("a:AttributeStatement/a:Attribute", here)
    }
    return {"subject": assertion.findtext("a:Subject/a:NameID", "", here), "attributes": attributes, "issuer": issuer}


def _in_time(given: dict[str, str], now: datetime.datetime) -> bool:
    try:
        start, end = (
            datetime.datetime.fromisoformat(given[name]) if name in given else None
            for name in ("NotBefore", "NotOnOrAfter")
        )
        return not (start and start > now + _LEEWAY) and not (end and end <= now - _LEEWAY)
    except (ValueError, TypeError):
        return False


def _trusted(world: World, provider: Provider) -> tuple[str, rsa.RSAPublicKey]:
    """The identity provider's entity id and key: as in its metadata, or the emulator's own."""
    metadata = provider.settings.get("idpMetadataXml")
    if not metadata:
        return IDP, world.kept.key(ISSUER_KEY).private.public_key()
    root = xmldsig.parsed(str(metadata))
    encoded = next((one.text or "" for one in root.iter(f"{{{xmldsig.DS}}}X509Certificate")), "")
    key = x509.load_der_x509_certificate(base64.b64decode(encoded)).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("the identity provider's key is not an RSA key")
    return root.get("entityID", ""), key


def response(world: World, provider: Provider, subject: str, life: int, attributes: Mapping[str, str]) -> str:
    """A response of the emulator's identity provider for `provider`, base64-encoded, good for `life` seconds."""
    now = datetime.datetime.fromtimestamp(int(world.clock.now()), datetime.UTC)
    start, end = (_stamp(now + datetime.timedelta(seconds=seconds)) for seconds in (-60, life))
    stamp, identifier = _stamp(now), f"_{secrets.token_hex(16)}"
    values = "".join(
        f'<saml:Attribute Name="{escape(name, {chr(34): "&quot;"})}">'
        f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue></saml:Attribute>"
        for name, value in attributes.items()
    )
    text = (
        f'<samlp:Response xmlns:samlp="{_P}" xmlns:saml="{_A}" ID="_{secrets.token_hex(16)}" Version="2.0" '
        f'IssueInstant="{stamp}" Destination="{_RECIPIENTS[0]}"><saml:Issuer>{IDP}</saml:Issuer><samlp:Status>'
        '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode></samlp:Status>'
        f'<saml:Assertion ID="{identifier}" Version="2.0" IssueInstant="{stamp}"><saml:Issuer>{IDP}</saml:Issuer>'
        f"<!--signature--><saml:Subject><saml:NameID>{escape(subject)}</saml:NameID>"
        f'<saml:SubjectConfirmation Method="{_BEARER}"><saml:SubjectConfirmationData NotOnOrAfter="{end}" '
        f'Recipient="{_RECIPIENTS[0]}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>'
        f'<saml:Conditions NotBefore="{start}" NotOnOrAfter="{end}"><saml:AudienceRestriction>'
        f"<saml:Audience>{provider.audiences[0]}</saml:Audience></saml:AudienceRestriction></saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{stamp}"></saml:AuthnStatement>'
        + (f"<saml:AttributeStatement>{values}</saml:AttributeStatement>" if values else "")
        + "</saml:Assertion></samlp:Response>"
    )
    return base64.b64encode(xmldsig.sign(text, identifier, world.kept.key(ISSUER_KEY).private).encode()).decode()


def _stamp(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _refused(description: str) -> Refusal:
    return oauth_refusal("invalid_grant", description)
