"""Tries and pauses: what is tried again, how long is waited, and that all of it ends inside one stated total."""

import email.utils
import threading
import time

import pytest

from gbearer.errors import Refused, Unreachable
from gbearer.transport import TOTAL, Transport
from transport.servers import OK, free_port, http, serving


def test_the_stated_total_is_20_seconds() -> None:
    assert TOTAL == 20.0
    assert Transport({}).total == TOTAL


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_busy_server_is_asked_again_and_then_right(status: int) -> None:
    with serving(http(status, b"<html>busy"), OK) as server:
        assert Transport({}, total=5).send("POST", server.url, body=b"x=y").status == 200
    assert len(server.requests) == 2
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize("word", ["internal_failure", "server_error", "temporarily_unavailable"])
def test_a_400_that_means_try_again_is_tried_again(word: str) -> None:
    with serving(http(400, b'{"error": "%s"}' % word.encode()), OK) as server:
        assert Transport({}, total=5).send("POST", server.url, body=b"x").status == 200
    assert len(server.requests) == 2


def test_a_server_that_stays_busy_is_told_with_the_number_of_tries() -> None:
    with serving(http(503, b"no")) as server, pytest.raises(Refused) as caught:
        Transport({}, total=5, tries=3).send("POST", server.url)
    assert caught.value.status == 503
    assert "3 tries in" in caught.value.why
    assert len(server.requests) == 3


def test_retry_after_in_seconds_is_waited_for() -> None:
    with serving(http(429, b"", Retry_After="1"), OK) as server:
        began = time.monotonic()
        Transport({}, total=5).send("POST", server.url)
        assert 1.0 <= time.monotonic() - began < 2.0


def test_retry_after_as_a_date_is_waited_for() -> None:
    later = email.utils.formatdate(time.time() + 2, usegmt=True)
    with serving(http(503, b"", Retry_After=later), OK) as server:
        began = time.monotonic()
        Transport({}, total=5).send("POST", server.url)
        assert 0.9 <= time.monotonic() - began < 3.0


@pytest.mark.parametrize("total", [2.0, 20.0])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_wait_beyond_the_total_is_not_begun_and_is_told(form: str, total: float) -> None:
    text = "3600" if form == "seconds" else email.utils.formatdate(time.time() + 3600, usegmt=True)
    began = time.monotonic()
    with serving(http(503, b"", Retry_After=text)) as server, pytest.raises(Refused) as caught:
        Transport({}, total=total).send("POST", server.url)
    assert time.monotonic() - began < 1
    assert "asks to wait 3" in caught.value.why
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["soon", "-5", "1e9", "١", "Thu, 99 Foo 2026", "\t", "9" * 400])
def test_a_retry_after_that_makes_no_sense_does_no_harm(text: str) -> None:
    replies = [http(503, b"", Retry_After=text.encode().decode("latin-1")), OK]
    replies[0] = replies[0].decode("utf-8").encode("latin-1") if text == "١" else replies[0]
    with serving(*replies) as server:
        began = time.monotonic()
        try:
            Transport({}, total=3).send("POST", server.url)
        except Refused:
            assert text.isdigit()
        assert time.monotonic() - began < 2


def test_a_port_where_nobody_listens_is_told_with_what_the_system_says() -> None:
    port = free_port()
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port} cannot be reached") as caught:
        Transport({}, total=5, tries=2).send("GET", f"http://127.0.0.1:{port}/")
    assert "connection refused" in caught.value.why
    assert "2 tries" in caught.value.why


def test_a_name_that_does_not_resolve_is_tried_again_and_told() -> None:
    transport = Transport({}, total=5, tries=2)
    with pytest.raises(Unreachable, match=r"the name no-such-host\.invalid cannot be resolved") as caught:
        transport.send("POST", "https://no-such-host.invalid/token", body=b"secret")
    assert transport.requests == 2
    assert "DNS" in caught.value.why
    assert "HTTPS_PROXY" in caught.value.fix


def test_a_dead_endpoint_ends_within_the_total_for_everybody_at_once() -> None:
    ended: list[float] = []
    with serving(http(503)) as server:

        def run() -> None:
            with pytest.raises(Refused):
                Transport({}, total=1.5, tries=50).send("POST", server.url)
            ended.append(time.monotonic() - began)

        began = time.monotonic()
        threads = [threading.Thread(target=run) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(ended) == 20
    assert max(ended) < 2.5


def test_the_total_counts_from_the_first_request_of_a_token_to_its_last() -> None:
    with serving(OK) as server:
        transport = Transport({}, total=0.4)
        transport.send("GET", server.url)
        server.replies = [http(503)]
        began = time.monotonic()
        with pytest.raises(Refused):
            transport.send("GET", server.url)
        assert time.monotonic() - began < 0.6
