"""TLS: who is believed, which variable says so, and what is said of a certificate that nobody vouches for."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from gbearer.errors import Unreachable, UsageError
from gbearer.transport import Transport
from transport.servers import OK, Authority, Server, http, serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Nosy Company Proxy CA")


def send(server: Server, **env: object) -> int:
    named = {name: str(value) for name, value in env.items()}
    return Transport(named, total=5, tries=2).send("POST", server.url, body=b"secret=1").status


def test_a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent_and_its_issuer_named(
    authority: Authority,
) -> None:
    with serving(OK, tls=authority.server_side("127.0.0.1")) as server:
        with pytest.raises(Unreachable, match=f"the certificate of {server.netloc} is not trusted") as caught:
            send(server)
        assert server.requests == []
    assert "CN=Nosy Company Proxy CA" in caught.value.why
    assert "SSL_CERT_FILE" in caught.value.fix
    assert "tries" not in caught.value.why, "asking again changes no certificate"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_variable_that_names_a_bundle_makes_its_authority_trusted(authority: Authority, variable: str) -> None:
    with serving(OK, tls=authority.server_side("127.0.0.1")) as server:
        assert send(server, **{variable: authority.bundle}) == 200
    assert b"secret=1" in server.requests[0]


@pytest.mark.parametrize("variable", ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
def test_a_folder_of_certificates_named_by_their_hash_is_believed(
    authority: Authority, tmp_path: Path, variable: str
) -> None:
    folder = tmp_path / "hashed"
    folder.mkdir()
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: it names the files of such a folder")
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(authority.bundle)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(authority.bundle.read_bytes())
    with serving(OK, tls=authority.server_side("127.0.0.1")) as server:
        assert send(server, **{variable: folder}) == 200


def test_the_name_has_to_be_right_as_well(authority: Authority) -> None:
    with serving(OK, tls=authority.server_side("oauth2.googleapis.com")) as server:
        with pytest.raises(Unreachable, match="is not trusted") as caught:
            send(server, SSL_CERT_FILE=authority.bundle)
        assert server.requests == []
    assert "127.0.0.1" in caught.value.why


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_bundle_that_is_not_there_is_an_error_and_not_a_shrug(tmp_path: Path, variable: str) -> None:
    missing = tmp_path / "no-such.pem"
    with pytest.raises(UsageError, match="CA bundle") as caught:
        Transport({variable: str(missing)}, total=3).send("GET", "https://127.0.0.1:1/")
    assert str(missing) in caught.value.message
    assert variable in caught.value.fix
    assert caught.value.why == "No such file or directory"


def test_a_bundle_without_a_certificate_is_an_error(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("buy milk\n")
    with pytest.raises(UsageError, match="CA bundle"):
        Transport({"SSL_CERT_FILE": str(text)}, total=3).send("GET", "https://127.0.0.1:1/")


class Plain(Server):
    """Answers the first bytes of a TLS handshake as a web server without TLS does."""

    def talk(self, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(http(400, b"what?"))


def test_a_server_that_speaks_no_tls_is_told() -> None:
    with Plain() as server, pytest.raises(Unreachable, match="TLS with") as caught:
        Transport({}, total=3, tries=1).send("GET", f"https://{server.netloc}/")
    assert "0x" not in str(caught.value)
    assert caught.value.why
