"""The token service with SAML: a signed response becomes a token; changed, wrapped or stale ones do not."""

import base64
import datetime
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from emulator.federated import PRINCIPAL, TYPE, audience, exchange, who
from emulator.hands import good, oauth_error
from gbearer.emulator import Emulator
from gbearer.emulator.sts import xmldsig

SAML = {"subject_token_type": f"{TYPE}saml2"}
SUBJECT = "emulator-workload@example.com"


def refused(em: Emulator, xml: str, provider: str = "saml") -> str:
    """What the token service says against a response."""
    encoded = base64.b64encode(xml.encode()).decode()
    status, error, text = oauth_error(exchange(em, encoded, provider, SAML))
    assert (status, error) == (400, "invalid_grant")
    return text


def opened(em: Emulator) -> str:
    """A good response as XML."""
    return base64.b64decode(em.saml_response()).decode()


def test_a_response_becomes_a_token_for_its_subject(em: Emulator) -> None:
    token = good(exchange(em, em.saml_response(), "saml", SAML))["access_token"]
    assert who(em, token) == {"principal": f"{PRINCIPAL}/{SUBJECT}", "sub": SUBJECT}
    urlsafe = em.saml_response(subject="Æther & <co>").replace("+", "-").replace("/", "_").rstrip("=")
    token = good(exchange(em, urlsafe, "saml", SAML))["access_token"]
    assert who(em, token)["sub"] == "Æther & <co>"


def test_attributes_can_be_mapped_and_asked_for(em: Emulator) -> None:
    condition = "assertion.attributes['team'] == ['red']"
    mapping = {"google.subject": "assertion.subject", "attribute.team": "assertion.attributes['team'][0]"}
    em.provider("teams", {"saml": {}, "attributeMapping": mapping, "attributeCondition": condition})
    good(exchange(em, em.saml_response("teams", attributes={"team": "red"}), "teams", SAML))
    answer = exchange(em, em.saml_response("teams", attributes={"team": "blue"}), "teams", SAML)
    assert oauth_error(answer)[1] == "unauthorized_client"


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(SUBJECT, "admin@example.com"),
        lambda xml: xml.replace("<saml:Conditions ", "<saml:Conditions Extra='1' "),
        lambda xml: xml.replace(audience("saml"), audience("oidc")),
        lambda xml: xml.replace("<ds:DigestValue>", "<ds:DigestValue>AAAA"),
        lambda xml: xml.replace("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"),
        lambda xml: xml.replace("rsa-sha256", "rsa-sha1"),
        lambda xml: xml[: xml.index("<ds:Signature ")] + xml[xml.index("</ds:Signature>") + 15 :],
        lambda xml: xml.replace("<samlp:Status>", "<!DOCTYPE x><samlp:Status>"),
        lambda xml: '<!DOCTYPE a [<!ENTITY e "x">]>' + xml,
        lambda xml: xml[:-5],
        lambda _: "no xml",
        lambda _: "<a/>",
    ],
)
def test_a_response_that_was_changed_is_not_valid(em: Emulator, change: Callable[[str], str]) -> None:
    assert refused(em, change(opened(em)))


def test_signature_wrapping_finds_no_second_assertion(em: Emulator) -> None:
    xml = opened(em)
    start, end = xml.index("<saml:Assertion "), xml.index("</saml:Assertion>") + len("</saml:Assertion>")
    good_one = xml[start:end]
    signature = good_one[good_one.index("<ds:Signature ") : good_one.index("</ds:Signature>") + 15]
    evil = good_one.replace(signature, "").replace(SUBJECT, "admin@example.com")
    other = evil.replace('ID="', 'ID="x')
    for wrapped in (
        xml[:start] + other + xml[start:],
        xml[:start] + evil + xml[start:],
        xml[:start] + other.replace("</saml:Assertion>", f"{good_one}</saml:Assertion>") + xml[end:],
        xml[:start] + other.replace("<saml:Subject>", f"{signature}<saml:Subject>") + xml[end:],
        xml[:start] + other + f"<samlp:Extensions>{good_one}</samlp:Extensions>" + xml[end:],
    ):
        encoded = base64.b64encode(wrapped.encode()).decode()
        answer = exchange(em, encoded, "saml", SAML)
        if answer.status == 200:
            assert who(em, answer.json()["access_token"])["sub"] == SUBJECT
        else:
            assert oauth_error(answer)[:2] == (400, "invalid_grant")


def test_a_response_for_another_provider_is_refused_by_its_audience(em: Emulator) -> None:
    em.provider("other", {"saml": {}, "attributeMapping": {"google.subject": "assertion.subject"}})
    answer = exchange(em, em.saml_response("saml"), "other", SAML)
    assert "audience in the SAML assertion" in oauth_error(answer)[2]


def test_a_response_ends(em: Emulator) -> None:
    response = em.saml_response()
    em.fault({"clock_skew": 7 * 3600})
    assert "has expired" in oauth_error(exchange(em, response, "saml", SAML))[2]
    em.fault({"clock_skew": -3600})
    assert "not valid yet" in oauth_error(exchange(em, response, "saml", SAML))[2]


def certificate(key: rsa.RSAPrivateKey) -> str:
    """The key in a certificate, base64-encoded."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return base64.b64encode(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)).decode()


@pytest.fixture(scope="module")
def idp() -> rsa.RSAPrivateKey:
    """The key of another identity provider."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def own_response(key: rsa.RSAPrivateKey, identifier: str, changes: Mapping[str, str] = {}) -> str:
    """A response of that provider: other prefixes, other white space; the element `identifier` is signed."""
    stamp = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds)) for seconds in (-60, 300)]
    values = {
        "issuer": "https://idp.example/other",
        "end": stamp[1],
        "recipient": "https://sts.googleapis.com/v1/token",
    }
    values |= {"audience": f"https:{audience('foreign')}", **changes}
    marks = {"response": "", "assertion": "", identifier: "<!--signature-->"}
    text = f"""<?xml version="1.0"?>
<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" ID="response" Version="2.0">{marks["response"]}
  <Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID="assertion"
      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{marks["assertion"]}
    <Issuer>{values["issuer"]}</Issuer>
    <Subject><NameID>me</NameID><SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
      <SubjectConfirmationData Recipient="{values["recipient"]}" NotOnOrAfter="{values["end"]}"/>
    </SubjectConfirmation></Subject>
    <Conditions NotBefore="{stamp[0]}" NotOnOrAfter="{values["end"]}">
      <AudienceRestriction><Audience>{values["audience"]}</Audience></AudienceRestriction></Conditions>
  </Assertion></p:Response>"""
    return xmldsig.sign(text, identifier, key)


def foreign(em: Emulator, key: rsa.RSAPrivateKey) -> None:
    """A provider that trusts that identity provider by its metadata."""
    metadata: dict[str, Any] = {
        "idpMetadataXml": f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="https://idp.example/other"><md:KeyDescriptor><ds:KeyInfo xmlns:ds="{xmldsig.DS}"><ds:X509Data>'
        f"<ds:X509Certificate>{certificate(key)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        "</md:EntityDescriptor>"
    }
    em.provider("foreign", {"saml": metadata, "attributeMapping": {"google.subject": "assertion.subject"}})


@pytest.mark.parametrize("identifier", ["assertion", "response"])
def test_another_identity_provider_is_known_by_its_metadata(
    em: Emulator, idp: rsa.RSAPrivateKey, identifier: str
) -> None:
    foreign(em, idp)
    encoded = base64.b64encode(own_response(idp, identifier).encode()).decode()
    assert who(em, good(exchange(em, encoded, "foreign", SAML))["access_token"])["sub"] == "me"
    assert "not valid" in oauth_error(exchange(em, em.saml_response("foreign"), "foreign", SAML))[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "https://idp.example/third"}, "issuer in the SAML assertion"),
        ({"audience": "https://sp.example"}, "audience in the SAML assertion"),
        ({"recipient": "https://sts.example/v1/token"}, "recipient"),
        ({"end": "2020-01-01T00:00:00Z"}, "has expired"),
        ({"end": "soon"}, "has expired"),
    ],
)
def test_a_signature_alone_is_not_enough(
    em: Emulator, idp: rsa.RSAPrivateKey, changes: dict[str, str], said: str
) -> None:
    foreign(em, idp)
    assert said in refused(em, own_response(idp, "assertion", changes), "foreign")


def test_the_signature_is_right_by_an_independent_reading_of_the_standard(em: Emulator) -> None:
    """Digest and signature over canonical forms written out by hand, as XML Signature and exclusive C14N have them."""
    xml = opened(em)
    start, end = xml.index("<saml:Assertion "), xml.index("</saml:Assertion>") + len("</saml:Assertion>")
    assertion = xml[start:end]
    signature = assertion[assertion.index("<ds:Signature ") : assertion.index("</ds:Signature>") + 15]
    head = re.match(r'<saml:Assertion ID="(.*?)" Version="2.0" IssueInstant="(.*?)">', assertion)
    assert head is not None
    namespace = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"'
    canonical = f'<saml:Assertion {namespace} ID="{head[1]}" IssueInstant="{head[2]}" Version="2.0">'
    plain = assertion.replace(head[0], canonical).replace(signature, "")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(plain.encode())
    assert base64.b64encode(digest.finalize()).decode() in signature
