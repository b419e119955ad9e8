"""The one port: HTTP and TLS on it, connections that say nothing or nonsense, and a clean stop with them open."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from emulator.hands import access_token, call, good
from gbearer import emulator
from gbearer.emulator import Emulator


def address(em: Emulator) -> tuple[str, int]:
    """Where the emulator listens."""
    host, _, port = em.host.partition(":")
    return host, int(port)


@pytest.fixture
def trusting(em: Emulator) -> Iterator[urllib3.PoolManager]:
    """Connections that trust ca.pem and nothing else."""
    context = ssl.create_default_context(cafile=str(em.dir / "ca.pem"))
    with urllib3.PoolManager(ssl_context=context, retries=False, timeout=15) as pool:
        yield pool


def test_the_same_port_speaks_http_and_tls(em: Emulator, trusting: urllib3.PoolManager) -> None:
    assert em.tls_url == em.url.replace("http:", "https:")
    token = access_token(em)
    headers = {"Authorization": f"Bearer {token}"}
    assert trusting.request("GET", f"{em.tls_url}/v1/protected", headers=headers).status == 200
    good(call(em, "GET", "/v1/protected", token=token))
    localhost = em.tls_url.replace("127.0.0.1", "localhost")
    assert trusting.request("GET", f"{localhost}/oauth2/v3/certs").status == 200


def test_addresses_are_named_with_the_scheme_they_were_asked_by(em: Emulator, trusting: urllib3.PoolManager) -> None:
    path = "/.well-known/openid-configuration"
    assert trusting.request("GET", em.tls_url + path).json()["jwks_uri"] == f"{em.tls_url}/oauth2/v3/certs"
    assert good(call(em, "GET", path))["jwks_uri"] == f"{em.url}/oauth2/v3/certs"


def test_a_client_that_does_not_know_its_authority_refuses_it(em: Emulator) -> None:
    with socket.create_connection(address(em), timeout=10) as plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    good(call(em, "GET", "/oauth2/v3/certs"))


def test_nonsense_after_the_first_byte_of_tls_hurts_nobody(em: Emulator) -> None:
    for said in (b"\x16", b"\x16\x03\x01", b"\x16" + bytes(300), b"\x00\x01", b"\x80" * 10):
        with socket.create_connection(address(em), timeout=10) as connection:
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    good(call(em, "GET", "/oauth2/v3/certs"))


def test_a_connection_that_says_nothing_is_kept_and_then_served(em: Emulator) -> None:
    with socket.create_connection(address(em), timeout=10) as connection:
        time.sleep(0.3)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_first_byte_alone_is_enough_to_know(em: Emulator) -> None:
    with socket.create_connection(address(em), timeout=10) as connection:
        for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":
            connection.send(bytes([byte]))
            time.sleep(0.001)
        assert connection.recv(9) == b"HTTP/1.1 "


def test_many_at_once(em: Emulator) -> None:
    with ThreadPoolExecutor(40) as pool:
        for status in pool.map(lambda _: call(em, "GET", "/oauth2/v3/certs").status, range(400)):
            assert status == 200


def test_it_stops_with_silent_and_half_open_connections(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path) as em:
        where = address(em)
        open_ones = [socket.create_connection(where, timeout=10) for _ in range(5)]
        open_ones[0].sendall(b"\x16\x03\x01")
        open_ones[1].sendall(b"POST /token HTTP/1.1\r\n")
        time.sleep(0.2)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    for one in open_ones:
        one.settimeout(10)
        try:
            assert one.recv(1) in (b"", b"\x15")
        except ConnectionResetError:
            pass
        one.close()
    with pytest.raises(OSError, match=r".*"):
        socket.create_connection(where, timeout=2)
    assert not [thread for thread in threading.enumerate() if thread.name == "gbearer-emulator" and not thread.daemon]
