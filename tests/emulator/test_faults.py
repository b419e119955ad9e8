"""Faults and control: each goes wrong as it says, for as long as it says, and where it says."""

import email.utils
import socket
import threading
import time
from typing import Any

import pytest
import urllib3

from emulator.hands import CLOUD, ROBOT, access_token, assertion, bearer, call, good, oauth_error
from gbearer.emulator import Emulator


def ask(em: Emulator) -> urllib3.response.BaseHTTPResponse:
    return bearer(em, assertion(em, {"scope": CLOUD}))


def raw(em: Emulator, timeout: float = 5) -> bytes:
    """Everything a bare socket reads for a token request until the connection ends; ConnectionResetError on RST."""
    host, port = em.host.split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(b"POST /token HTTP/1.1\r\nHost: oauth2.googleapis.com\r\nContent-Length: 0\r\n\r\n")
        got = b""
        while chunk := connection.recv(65536):
            got += chunk
        return got


def test_a_status_is_answered_count_times_then_all_is_well(em: Emulator) -> None:
    em.fault({"status": 503, "count": 2, "retry_after": 1})
    for _ in range(2):
        response = ask(em)
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
    assert good(ask(em))
    assert [entry["status"] for entry in em.log()] == [503, 503, 200]
    assert [entry.get("fault") for entry in em.log()] == ["status retry_after", "status retry_after", None]


def test_a_fault_hits_only_what_it_matches(em: Emulator) -> None:
    token = access_token(em)
    em.fault(
        {"status": 500, "match": {"path": "/token", "method": "POST"}},
        {"status": 429, "match": {"grant_type": "refresh_token"}},
        {"status": 418, "match": {"host": "sts.googleapis.com"}},
    )
    assert good(call(em, "GET", "/v1/protected", token=token))
    assert call(em, "GET", "/tokeninfo", token=token).status == 200
    assert ask(em).status == 500
    assert good(ask(em))
    assert call(em, "POST", "/token", form={"grant_type": "refresh_token"}).status == 429
    assert call(em, "GET", "/anything", token=token, host="sts.googleapis.com").status == 418


def test_count_null_lasts_until_the_reset(em: Emulator) -> None:
    em.fault({"status": 500, "count": None})
    assert [ask(em).status for _ in range(4)] == [500] * 4
    em.reset()
    assert good(ask(em))


def test_an_oauth_error_is_what_it_was_given(em: Emulator) -> None:
    error = {"error": "invalid_grant", "error_description": "reauth related error", "error_subtype": "invalid_rapt"}
    em.fault({"oauth_error": error})
    response = ask(em)
    assert (response.status, response.json()) == (400, error)
    em.fault({"oauth_error": {"error": "x", "error_description": "y"}, "status": 401})
    assert oauth_error(ask(em)) == (401, "x", "y")


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "part"),
    [
        ({"html": True}, 502, "text/html", b"<!DOCTYPE html>"),
        ({"html": True, "status": 500}, 500, "text/html", b"500"),
        ({"empty": True}, 200, "application/json", b""),
        ({"no_token": True}, 200, "application/json", b'"expires_in"'),
        ({"garbage": True}, 200, "application/json", b"\xff"),
        ({"body": "hello", "headers": {"Content-Type": "text/plain"}}, 200, "text/plain", b"hello"),
        ({"status": 403, "body": "{}"}, 403, "application/json", b"{}"),
    ],
)
def test_a_spoiled_answer(em: Emulator, fault: dict[str, Any], status: int, content_type: str, part: bytes) -> None:
    em.fault(fault)
    response = ask(em)
    assert response.status == status
    assert response.headers["Content-Type"].startswith(content_type)
    assert part in response.data
    assert b"ya29" not in response.data
    assert response.data or fault == {"empty": True}


def test_a_redirect_leads_elsewhere(em: Emulator) -> None:
    em.fault({"redirect": "http://127.0.0.1:9/evil"}, {"redirect": "https://x.example/", "status": 307})
    first, second = ask(em), ask(em)
    assert (first.status, first.headers["Location"]) == (302, "http://127.0.0.1:9/evil")
    assert (second.status, second.headers["Location"]) == (307, "https://x.example/")


def test_a_delay_comes_before_the_proper_answer(em: Emulator) -> None:
    em.fault({"delay": 0.5})
    began = time.monotonic()
    assert good(ask(em))
    assert 0.5 <= time.monotonic() - began < 5


def test_a_dropped_connection_and_a_reset_one_are_logged_without_a_status(em: Emulator) -> None:
    em.fault({"drop": True}, {"reset": True})
    assert raw(em) == b""
    with pytest.raises(ConnectionResetError):
        raw(em)
    assert [(entry["status"], entry["fault"]) for entry in em.log()] == [(None, "drop"), (None, "reset")]


def test_half_a_body_promises_more_than_it_sends(em: Emulator) -> None:
    em.fault({"half_body": True}, {"half_body": True, "body": "0123456789", "status": 500})
    with pytest.raises(urllib3.exceptions.ProtocolError):
        ask(em)
    head, _, body = raw(em).partition(b"\r\n\r\n")
    assert b"content-length: 10" in head.lower()
    assert body == b"01234"
    assert [entry["status"] for entry in em.log()] == [200, 500]


def test_a_hanging_request_gets_nothing_until_the_reset_lets_go(em: Emulator) -> None:
    em.fault({"hang": True, "count": 2})
    with pytest.raises(TimeoutError):
        raw(em, timeout=0.5)
    got: list[bytes] = []
    waiting = threading.Thread(target=lambda: got.append(raw(em)))
    waiting.start()
    time.sleep(0.3)
    assert not got
    em.reset()
    waiting.join(timeout=5)
    assert got == [b""]


@pytest.mark.parametrize("skew", [-7200, 7200])
def test_clock_skew_shifts_date_and_verification_until_the_reset(em: Emulator, skew: int) -> None:
    em.fault({"clock_skew": skew})
    response = ask(em)
    assert oauth_error(response)[1] == "invalid_grant"
    assert "reasonable timeframe" in oauth_error(response)[2]
    seen = email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp()
    assert abs(seen - time.time() - skew) < 10
    em.reset()
    response = ask(em)
    assert good(response)
    assert abs(email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time()) < 10


def test_control_over_http_sets_faults_and_shows_a_log_without_itself(em: Emulator) -> None:
    assert good(call(em, "POST", "/_emulator/faults", body=[{"status": 500}, {"clock_skew": 5}])) == {
        "planned": 1,
        "clock_skew": 5.0,
    }
    assert ask(em).status == 500
    log = good(call(em, "GET", "/_emulator/log"))
    assert [(entry["path"], entry["status"]) for entry in log] == [("/token", 500)]
    assert {"method", "host", "path", "grant_type", "principal", "status", "time"} <= set(log[0])
    assert good(call(em, "POST", "/_emulator/reset")) == {}
    assert good(call(em, "GET", "/_emulator/log")) == []
    assert good(ask(em))


def test_faults_never_hit_control_requests(em: Emulator) -> None:
    em.fault({"status": 500, "count": None})
    assert good(call(em, "GET", "/_emulator/log")) == []


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": "oauth2.googleapis.com"},
     {"Origin": "https://evil.example"}],
)  # fmt: skip
def test_control_is_for_this_machine_only(em: Emulator, headers: dict[str, str]) -> None:
    assert call(em, "GET", "/_emulator/log", headers=headers).status == 403
    assert call(em, "POST", "/_emulator/reset", headers=headers).status == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:99", "[::1]:80"])
def test_control_answers_loopback_names(em: Emulator, host: str) -> None:
    assert call(em, "GET", "/_emulator/log", host=host).status == 200


@pytest.mark.parametrize(
    "fault",
    [{"status": "503"}, {"colour": 1}, {}, {"status": 500, "count": 0}, {"status": 500, "match": {"colour": "x"}},
     {"clock_skew": "late"}, {"hang": False}, {"status": True}, "status", {"count": 2}],
)  # fmt: skip
def test_a_fault_that_is_not_understood_is_refused(em: Emulator, fault: Any) -> None:
    response = call(em, "POST", "/_emulator/faults", body=fault)
    assert response.status == 400
    assert response.json()["error"]
    assert good(ask(em))


def test_a_fault_that_is_no_json_and_an_unknown_action_are_refused(em: Emulator) -> None:
    assert call(em, "POST", "/_emulator/faults", body=b"{").status == 400
    assert call(em, "GET", "/_emulator/reset").status == 404


def test_the_embedded_form_refuses_a_bad_fault_too(em: Emulator) -> None:
    with pytest.raises(ValueError, match="colour"):
        em.fault({"colour": 1})


def test_the_log_keeps_queries_but_no_token_in_them(em: Emulator) -> None:
    token = access_token(em)
    call(em, "GET", f"/tokeninfo?access_token={token}&x=1")
    assert em.log()[-1]["query"] == "access_token=REDACTED&x=1"
    assert em.log()[-1]["principal"] == ROBOT


def test_a_fault_on_a_large_upload_is_answered_as_it_says(em: Emulator) -> None:
    em.fault({"status": 503, "match": {"path": "/functions/f"}})
    assert call(em, "POST", "/functions/f", body=b"x" * 5_000_000).status == 503
    assert call(em, "POST", "/token", body=b"x" * 5_000_000).status == 413
