"""The token service with X.509: the certificate must be shown by TLS, and lead to a trust anchor."""

import base64
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from emulator.federated import PRINCIPAL, TYPE, audience, exchange, form, over_tls, who
from emulator.hands import good, oauth_error
from gbearer.emulator import Emulator

MTLS = {"subject_token_type": f"{TYPE}mtls"}


def paths(em: Emulator, name: str = "") -> tuple[Path, Path]:
    """A certificate and its key in the emulator's directory."""
    return em.dir / "x509" / f"{name}cert.pem", em.dir / "x509" / f"{name}key.pem"


def chain(*files: Path) -> str:
    """The subject token: every certificate in the files, as base64 of its DER form."""
    found = [one for file in files for one in x509.load_pem_x509_certificates(file.read_bytes())]
    return json.dumps([base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode() for one in found])


def refused(em: Emulator, subject_token: str, cert: tuple[Path, Path] | None, provider: str = "x509") -> str:
    """What the token service says against it."""
    status, error, text = oauth_error(over_tls(em, form(subject_token, provider, MTLS), cert))
    assert (status, error) == (400, "invalid_grant")
    return text


def test_a_certificate_shown_by_tls_becomes_a_token(em: Emulator) -> None:
    cert = paths(em)
    token = good(over_tls(em, form(chain(cert[0]), "x509", MTLS), cert))["access_token"]
    assert who(em, token) == {"principal": f"{PRINCIPAL}/emulator-workload", "sub": "emulator-workload"}
    assert em.log()[0]["mtls"] is True


def test_without_the_certificate_in_tls_it_proves_nothing(em: Emulator) -> None:
    token = chain(paths(em)[0])
    assert "No client certificate was presented" in refused(em, token, None)
    answer = exchange(em, token, "x509", MTLS)
    assert "No client certificate was presented" in oauth_error(answer)[2]


def test_the_chain_must_begin_with_the_certificate_shown(em: Emulator) -> None:
    assert "is not the one of the mTLS connection" in refused(em, chain(paths(em)[0]), paths(em, "chained-"))


def test_an_intermediate_authority_belongs_into_the_chain(em: Emulator) -> None:
    cert = paths(em, "chained-")
    token = good(over_tls(em, form(chain(em.dir / "x509" / "chain.pem"), "x509", MTLS), cert))["access_token"]
    assert who(em, token)["sub"] == "emulator-chained"
    assert "does not lead to a trust anchor" in refused(em, chain(cert[0]), cert)


def test_an_authority_that_no_provider_trusts(em: Emulator) -> None:
    cert = paths(em, "stranger-")
    assert "does not lead to a trust anchor" in refused(em, chain(cert[0]), cert)
    assert "does not lead to a trust anchor" in refused(em, chain(cert[0], paths(em)[0]), cert)


def test_a_leaf_is_no_authority(em: Emulator) -> None:
    anchor = {"pemCertificate": paths(em)[0].read_text()}
    document = {
        "x509": {"trustStore": {"trustAnchors": [anchor]}},
        "attributeMapping": {"google.subject": "assertion.subject.dn.cn"},
    }
    em.provider("leaf", document)
    assert "does not lead" in refused(em, chain(paths(em)[0]), paths(em), "leaf")


def test_a_provider_may_have_anchors_of_its_own_and_map_what_else_a_certificate_says(em: Emulator) -> None:
    pem = (em.dir / "x509" / "chain.pem").read_text()
    intermediate = pem[pem.index("-----BEGIN", 10) :]
    leaf = x509.load_pem_x509_certificate(paths(em, "chained-")[0].read_bytes())
    fingerprint = base64.b64encode(leaf.fingerprint(hashes.SHA256())).decode()
    document = {
        "x509": {"trustStore": {"trustAnchors": [{"pemCertificate": intermediate}]}},
        "attributeMapping": {"google.subject": "assertion.san.uri[0]"},
        "attributeCondition": (
            f"assertion.sha256_fingerprint == '{fingerprint}' && assertion.subject.dn.o == 'gbearer emulator'"
        ),
    }
    em.provider("own", document)
    cert = paths(em, "chained-")
    token = good(over_tls(em, form(chain(cert[0]), "own", MTLS), cert))["access_token"]
    assert who(em, token)["sub"] == "spiffe://emulator.example/emulator-chained"


def test_certificates_end(em: Emulator) -> None:
    em.fault({"clock_skew": 3660 * 24 * 3600})
    assert "has expired" in refused(em, chain(paths(em)[0]), paths(em))


@pytest.mark.parametrize("given", ["not json", "{}", "[]", '["@@"]', '["AAAA"]', "[7]", json.dumps(["AAAA"] * 12)])
def test_what_is_no_list_of_certificates(em: Emulator, given: str) -> None:
    assert "not a JSON list" in refused(em, given, paths(em))


def test_the_certificate_configuration_is_googles(em: Emulator) -> None:
    config = json.loads((em.dir / "x509" / "certificate_config.json").read_text())
    cert, key = paths(em)
    assert config == {"version": 1, "cert_configs": {"workload": {"cert_path": str(cert), "key_path": str(key)}}}
    file = json.loads((em.dir / "external-x509.json").read_text())
    assert file["token_url"] == "https://sts.mtls.googleapis.com/v1/token"
    assert file["audience"] == audience("x509")
    assert json.loads((em.dir / "clients/external-x509.json").read_text())["token_url"] == f"{em.tls_url}/v1/token"
