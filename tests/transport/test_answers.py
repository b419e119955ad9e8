"""What comes back from a server, good or bad, and what is made of it: real sockets, one bad habit a test."""

import gzip
import json
import time

import pytest

from gbearer.errors import Refused, Unreachable
from gbearer.transport import Answer, Transport
from transport.servers import OK, Reply, Server, http, reset, serving

SECRET = b"grant_type=refresh_token&refresh_token=1//verysecretrefresh"


def send(server: Server, *, total: float = 3.0, tries: int = 1, path: str = "/token", body: bytes = SECRET) -> Answer:
    return Transport({}, total=total, tries=tries).send("POST", server.url + path, body=body)


def test_a_good_answer_comes_back_whole_with_its_headers_in_any_case() -> None:
    with serving(http(200, b'{"a": [1]}', X_Thing="here")) as server:
        answer = send(server)
    assert (answer.status, answer.data, answer.json()) == (200, b'{"a": [1]}', {"a": [1]})
    assert answer.headers["x-thing"] == answer.headers["X-THING"] == "here"
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == SECRET
    assert head.split(b"\r\n")[0] == b"POST /token HTTP/1.1"
    assert b"host: " + server.netloc.encode() in head.lower()
    assert b"user-agent: gbearer/" in head.lower()


def test_an_answer_in_chunks_and_one_that_ends_with_the_connection_are_whole_too() -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n": 1\r\n1\r\n}\r\n0\r\n\r\n'
    with serving(chunked, b'HTTP/1.0 200 OK\r\n\r\n{"b": 2}') as server:
        assert send(server).json() == {"a": 1}
        assert send(server).json() == {"b": 2}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_is_raised_once_with_all_that_was_said(status: int) -> None:
    reply = http(status, b'{"error": "invalid_grant"}', Date="Sun, 22 Nov 2026 10:00:00 GMT")
    with serving(reply) as server, pytest.raises(Refused) as caught:
        send(server, tries=5)
    refused = caught.value
    assert (refused.status, refused.body, refused.url) == (status, b'{"error": "invalid_grant"}', server.url + "/token")
    assert refused.headers["date"] == "Sun, 22 Nov 2026 10:00:00 GMT"
    assert refused.code == 7
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed_and_no_body_is_sent_again(status: int) -> None:
    with serving(OK) as thief, serving(http(status, b"", Location=f"{thief.url}/take?code=SECRETCODE")) as server:
        with pytest.raises(Unreachable, match=f"answered {status} and points to {thief.url}/take") as caught:
            send(server, tries=5)
        assert thief.requests == []
    assert "SECRETCODE" not in str(caught.value)
    assert "verysecret" not in str(caught.value)
    assert len(server.requests) == 1


NOT_UNDERSTOOD: dict[str, tuple[bytes, str]] = {
    "HTML": (http(200, b"<!doctype html><title>Hotel Wi-Fi</title>", Content_Type="text/html"), "Hotel Wi-Fi"),
    "empty": (http(200), "the body is empty"),
    "cut JSON": (http(200, b'{"access_token": "ya29.abcdefghijklmnop'), "<"),
    "binary": (http(200, bytes(range(128, 256))), "the body begins"),
    "not UTF-8": (http(200, b'{"a": "\xff\xfe"}'), "the body begins"),
}


@pytest.mark.parametrize("kind", NOT_UNDERSTOOD)
def test_a_good_status_with_a_body_that_is_no_json_is_told_without_its_secrets(kind: str) -> None:
    reply, said = NOT_UNDERSTOOD[kind]
    with serving(reply) as server, pytest.raises(Unreachable, match="not understood") as caught:
        send(server).json()
    assert said in caught.value.why
    assert "abcdefgh" not in str(caught.value)
    assert caught.value.fix


def body_of(size: int, stated: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % stated + b"x" * size


BROKEN: dict[str, tuple[Reply, str]] = {
    "no answer": (lambda _: None, "closed without an answer"),
    "reset": (reset, "reset"),
    "half a body": (body_of(10, 100), "ended before its stated length"),
    "no body": (body_of(0, 100), "ended before its stated length"),
    "half a chunk": (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"a"', "ended before"),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", ""),
    "garbage": (b"\x16\x03\x01\x02\x00 this is not the web\r\n\r\n", "no HTTP"),
    "endless line": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "no HTTP"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_whole_answer_is_never_taken_for_one(kind: str) -> None:
    reply, said = BROKEN[kind]
    with serving(reply) as server:
        with pytest.raises(Unreachable) as caught:
            send(server).json()
        assert len(server.requests) == 1
    assert not isinstance(caught.value, Refused)
    assert said in caught.value.why
    assert "0x" not in str(caught.value), "an object's address helps nobody"
    assert "verysecret" not in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("kind", sorted(BROKEN.keys() - {"half a head"}))  # that one is an empty answer to HTTP/1.0
def test_and_the_next_try_may_bring_it(kind: str) -> None:
    with serving(BROKEN[kind][0], OK) as server:
        answer = send(server, tries=2)
    assert answer.json() == {"access_token": "ya29.fine"}
    assert len(server.requests) == 2


def test_an_answer_larger_than_a_mebibyte_is_dropped() -> None:
    with serving(http(200, b"[" + b"1," * (1 << 20))) as server, pytest.raises(Unreachable) as caught:
        send(server)
    assert "1 MiB" in caught.value.why
    with serving(http(200, b'"' + b"1" * 1_000_000 + b'"')) as server:
        assert len(send(server).data) == 1_000_002


def test_a_small_body_that_unpacks_to_a_huge_one_is_dropped() -> None:
    packed = gzip.compress(b"0" * 50_000_000)
    with serving(http(200, packed, Content_Encoding="gzip")) as server, pytest.raises(Unreachable) as caught:
        send(server)
    assert "1 MiB" in caught.value.why


def test_a_body_that_is_not_packed_as_stated_is_told() -> None:
    with serving(http(200, b'{"a": 1}', Content_Encoding="gzip")) as server, pytest.raises(Unreachable) as caught:
        send(server)
    assert "unpacked" in caught.value.why


def test_a_server_that_hangs_is_given_up_within_the_total() -> None:
    with Server() as server:
        server.replies = [server.hang]
        began = time.monotonic()
        with pytest.raises(Unreachable, match="did not answer in time"):
            send(server, total=0.6, tries=5)
        assert 0.5 < time.monotonic() - began < 1.2


@pytest.mark.parametrize("part", ["head", "body", "one long line"])
def test_a_server_that_drips_is_given_up_within_the_total(part: str) -> None:
    slow = b"x" * 200
    with Server() as server:
        replies: dict[str, list[Reply]] = {
            "head": [server.drip(b"HTTP/1.1 200 OK\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(90)))],
            "body": [server.drip(http(200, slow)[: -len(slow)] + slow)],
            "one long line": [server.drip(slow)],
        }
        server.replies = replies[part]
        began = time.monotonic()
        with pytest.raises(Unreachable, match="in time"):
            send(server, total=0.6, tries=5)
        assert time.monotonic() - began < 1.5


def test_a_time_limit_of_one_try_leaves_room_for_the_next() -> None:
    with Server() as server:
        server.replies = [server.hang, OK]
        began = time.monotonic()
        answer = Transport({}, total=5.0).send("POST", server.url, body=SECRET, timeout=0.2)
        assert answer.status == 200
        assert time.monotonic() - began < 1.5


def test_called_as_google_auth_calls_it_text_bodies_and_unknown_options_are_taken() -> None:
    with serving(OK) as server:
        answer = Transport({}, total=3)(
            server.url + "/token", method="POST", body="a=b", headers={"content-type": "x/y"}, timeout=120, verify=1
        )
    assert json.loads(answer.data)["access_token"] == "ya29.fine"
    assert b"content-type: x/y" in server.requests[0]
    assert server.requests[0].endswith(b"\r\n\r\na=b")


def test_only_the_question_for_the_universe_may_be_answered_not_found() -> None:
    with serving(http(404, b"no")) as server:
        transport = Transport({"GCE_METADATA_HOST": server.netloc}, total=3)
        assert transport(f"{server.url}/computeMetadata/v1/universe/universe-domain").status == 404
        with pytest.raises(Refused):
            transport(f"{server.url}/computeMetadata/v1/instance/service-accounts/")


def test_every_request_is_counted_tries_too() -> None:
    with serving(http(500), OK) as server:
        transport = Transport({}, total=3)
        transport.send("GET", server.url)
        assert transport.requests == 2 == len(server.requests)
