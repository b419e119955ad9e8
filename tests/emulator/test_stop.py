"""An emulator that stops lets go of everything, whoever still holds a connection to it."""

import gc
import ssl
import warnings

import urllib3

from gbearer import emulator


def test_a_client_that_keeps_its_connections_leaves_nothing_open() -> None:
    """Over TLS a close waits for the other side's farewell, which may never come."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with emulator.running() as em:
            trusted = ssl.create_default_context(cafile=str(em.dir / "ca.pem"))
            pool = urllib3.PoolManager(ssl_context=trusted, retries=False, timeout=15)
            for url in (em.url, em.tls_url):
                assert pool.request("GET", f"{url}/oauth2/v3/certs").status == 200
        gc.collect()
        assert [str(one.message) for one in told if issubclass(one.category, ResourceWarning)] == []
        pool.clear()
