"""request: the right token for the host, bodies of any size, one renewal after a 401, redirects that leak nothing."""

import hashlib
import json
import os
import resource
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import GBEARER, Run
from gbearer.emulator import Emulator

BIG = 200 * 1024 * 1024


def paths(em: Emulator, path: str) -> list[int]:
    return [line["status"] for line in em.log() if line["path"] == path]


def test_the_seed_program_is_one_line(spawn: Run, em: Emulator) -> None:
    ended = spawn("request", "POST", f"{em.url}/functions/get_range", "--json", "{}", "-i")
    assert (ended.code, ended.err) == (0, "")
    head, _, body = ended.out.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    shown = json.loads(body)
    assert (shown["method"], shown["json"], shown["headers"]["Content-Type"]) == ("POST", {}, "application/json")
    assert shown["caller"]["email"].startswith("robot@")


@pytest.mark.parametrize(
    ("url", "caller"),
    [
        ("https://storage.googleapis.com/storage/v1/b", "scopes"),
        ("https://svc-abc-ew.a.run.app/some/path?q=1", "https://svc-abc-ew.a.run.app"),
        ("https://green---svc-abc-ew.a.run.app/", "https://svc-abc-ew.a.run.app"),
        ("https://europe-west1-p.cloudfunctions.net/get_range/more?x=1", "https://europe-west1-p.cloudfunctions.net/get_range"),
        ("EMULATOR/functions/f?x=1", "EMULATOR/functions/f"),
        ("EMULATOR/v1/protected", "scopes"),
    ],
)  # fmt: skip
def test_the_host_tells_which_token(run: Run, em: Emulator, url: str, caller: str) -> None:
    ended = run("request", "GET", url.replace("EMULATOR", em.url))
    shown = json.loads(ended.out)
    assert shown.get("audience", "scopes") == caller.replace("EMULATOR", em.url)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["GET", "http://127.0.0.1:1/x"], "--audience URL for an ID token, --auth access"),
        (["GET", "EMULATOR/other"], "--auth"),
        (["GET", "https://region-p.cloudfunctions.net/"], "names no function"),
        (["GET", "http://storage.googleapis.com/"], "a token is not sent to http://"),
        (["GET", "https://service.example/", "--auth", "access"], "while GBEARER_EMULATOR_HOST is set"),
        (["GET", "https://a@b.run.app/"], "is not a URL"),
        (["GET", "https://b.run.app\\@evil.example/"], "is not a URL"),
        (["GET", "ftp://b.run.app/"], "is not a URL"),
        (["GET", "EMULATOR/v1/protected", "--auth", "access", "--audience", "x"], "contradict"),
        (["GET", "EMULATOR/v1/protected", "--auth", "sometimes"], "no --auth sometimes"),
        (["GET", "EMULATOR/v1/protected", "--header", "Authorization: Bearer x"], "an Authorization header already"),
        (["GET", "EMULATOR/v1/protected", "--header", "Host: evil.example"], "Host cannot be chosen"),
        (["GET", "EMULATOR/v1/protected", "--header", "X: a\r\nY: b"], "characters that no header"),
        (["GET", "EMULATOR/v1/protected", "--header", "nothing"], "a name and a value"),
        (["GET", "EMULATOR/v1/protected", "--timeout", "soon"], "no number of seconds"),
        (["POST", "EMULATOR/functions/f", "--json", "{"], "--json is not JSON"),
        (["POST", "EMULATOR/functions/f", "--json", "{}", "--data", "x"], "contradict"),
        (["POST", "EMULATOR/functions/f", "--data", "@/nonexistent"], "cannot be read"),
        (["PO ST", "EMULATOR/functions/f"], "no HTTP method"),
        (["GET"], "URL"),
        (["GET", "EMULATOR/functions/f", "--scope", "x"], "an audience, not scopes"),
    ],
)
def test_what_is_refused_before_anything_is_sent(run: Run, em: Emulator, argv: list[str], said: str) -> None:
    ended = run("request", *(word.replace("EMULATOR", em.url) for word in argv))
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert em.log() == []


def test_all_that_is_wrong_is_said_at_once(run: Run, em: Emulator) -> None:
    ended = run(
        "request", "POST", f"{em.url}/other", "--timeout", "0", "--header", "x", "--json", "{", "--subject", "nobody"
    )
    assert (ended.code, ended.out) == (2, "")
    for said in ("which token it wants", "--timeout '0'", "--header needs", "--json is not", "'nobody' is no email"):
        assert said in ended.err


def test_auth_none_sends_nothing(run: Run, em: Emulator) -> None:
    ended = run("request", "GET", f"{em.url}/v1/protected", "--auth", "none", GOOGLE_APPLICATION_CREDENTIALS="")
    assert json.loads(ended.out)["error"]["code"] == 401
    assert [line["path"] for line in em.log()] == ["/v1/protected"]


def test_any_answer_is_0_and_with_fail_22(run: Run, em: Emulator) -> None:
    wrong = ("request", "GET", f"{em.url}/functions/f", "--audience", "https://other.example")
    assert run(*wrong).code == 0
    ended = run(*wrong, "--fail")
    assert ended.code == 22
    assert "Unauthorized" in ended.out
    assert run("request", "--fail", "GET", f"{em.url}/functions/f").code == 0


def test_a_401_is_answered_once_with_a_new_token(run: Run, em: Emulator) -> None:
    run("token")
    em.reset()
    em.fault({"match": {"path": "/v1/protected"}, "status": 401})
    ended = run("request", "POST", f"{em.url}/v1/protected", "--data", "again")
    assert json.loads(ended.out)["body"] == "again"
    assert paths(em, "/v1/protected") == [401, 200]
    assert len(paths(em, "/token")) == 1


def test_a_401_that_stays_is_passed_on_after_one_try(run: Run, em: Emulator) -> None:
    em.fault({"count": 9, "match": {"path": "/v1/protected"}, "status": 401, "body": "no"})
    ended = run("request", "GET", f"{em.url}/v1/protected")
    assert (ended.code, ended.out) == (0, "no")
    assert paths(em, "/v1/protected") == [401, 401]


def test_a_body_from_a_pipe_is_not_sent_twice(spawn: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "status": 401, "body": "no"})
    ended = spawn("request", "POST", f"{em.url}/v1/protected", "--data", "@-", stdin=b"once")
    assert (ended.code, ended.out) == (0, "no")
    assert paths(em, "/v1/protected") == [401]


def test_a_body_from_a_file_is_sent_again_from_its_start(spawn: Run, em: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "body"
    file.write_bytes(b"0123456789")
    em.fault({"match": {"path": "/v1/protected"}, "status": 401})
    ended = spawn("request", "POST", f"{em.url}/v1/protected", "--data", f"@{file}")
    shown = json.loads(ended.out)
    assert (shown["body"], shown["headers"]["Content-Length"]) == ("0123456789", "10")


def test_large_bodies_stream_both_ways_in_constant_memory(env: dict[str, str], em: Emulator, tmp_path: Path) -> None:
    file, answer = tmp_path / "big", tmp_path / "answer"
    block = os.urandom(1 << 20)
    with file.open("wb") as out:
        for _ in range(BIG >> 20):
            out.write(block)
    digest = hashlib.sha256()
    for _ in range(BIG >> 20):
        digest.update(block)

    def limit() -> None:  # an address space in which 200 MB would not fit beside the program
        resource.setrlimit(resource.RLIMIT_DATA, (150 << 20, 150 << 20))

    def called(*argv: str) -> bytes:
        with answer.open("wb") as out:
            subprocess.run([GBEARER, "request", *argv], env=env, stdout=out, check=True, timeout=120, preexec_fn=limit)
        return answer.read_bytes() if answer.stat().st_size < 1 << 20 else b""

    shown = json.loads(called("PUT", f"{em.url}/functions/f", "--data", f"@{file}"))
    assert (shown["body_length"], shown["body_sha256"]) == (BIG, digest.hexdigest())
    called("GET", f"{em.url}/functions/f?size={BIG}")
    assert answer.stat().st_size == BIG


def test_a_broken_answer_is_7_though_it_began(run: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "half_body": True})
    ended = run("request", "GET", f"{em.url}/v1/protected")
    assert ended.code == 7
    assert "error: " in ended.err


def test_no_answer_is_7(run: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "drop": True})
    assert run("request", "GET", f"{em.url}/v1/protected").code == 7
    em.fault({"match": {"path": "/v1/protected"}, "hang": True})
    assert run("request", "GET", f"{em.url}/v1/protected", "--timeout", "0.3").code == 7


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A server on another port that answers 200 to everything: its URL, and the requests it got."""
    got: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    got.append(connection.recv(1 << 16).decode())
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", got
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)


def test_without_location_a_redirect_is_an_answer(run: Run, em: Emulator, elsewhere: tuple[str, list[str]]) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "redirect": f"{elsewhere[0]}/x"})
    ended = run("request", "-i", "GET", f"{em.url}/v1/protected")
    assert ended.code == 0
    assert ended.out.startswith("HTTP/1.1 302")
    assert elsewhere[1] == []


def test_location_takes_no_credential_to_another_port(run: Run, em: Emulator, elsewhere: tuple[str, list[str]]) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "redirect": f"{elsewhere[0]}/x"})
    ended = run(
        "request", "--location", "GET", f"{em.url}/v1/protected", "--quota-project", "charged",
        "--header", "Cookie: a=b", "--header", "X-Plain: kept",
    )  # fmt: skip
    assert (ended.code, ended.out) == (0, "hi")
    (request,) = elsewhere[1]
    assert request.startswith("GET /x HTTP/1.1\r\n")
    assert "X-Plain: kept" in request
    for secret in ("authorization", "bearer ", "x-goog-user-project", "cookie"):
        assert secret not in request.lower()


def test_location_on_the_same_host_keeps_the_token(run: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "redirect": "/v1/protected?again"})
    ended = run("request", "--location", "POST", f"{em.url}/v1/protected", "--json", "{}")
    shown = json.loads(ended.out)
    assert (shown["method"], shown["query"], shown["body_length"]) == ("GET", "again", 0)
    assert "Content-Type" not in shown["headers"]


def test_a_307_repeats_method_and_body(run: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "status": 307, "headers": {"Location": "/v1/protected?again"}})
    shown = json.loads(run("request", "--location", "PUT", f"{em.url}/v1/protected", "--data", "body").out)
    assert (shown["method"], shown["body"], shown["query"]) == ("PUT", "body", "again")


def test_a_307_does_not_repeat_what_came_from_a_pipe(spawn: Run, em: Emulator) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "status": 307, "headers": {"Location": "/v1/protected?again"}})
    ended = spawn("request", "--location", "PUT", f"{em.url}/v1/protected", "--data", "@-", stdin=b"once")
    assert (ended.code, ended.out) == (7, "")
    assert paths(em, "/v1/protected") == [307]


def test_redirects_end_after_twenty(run: Run, em: Emulator) -> None:
    em.fault({"count": 50, "match": {"path": "/v1/protected"}, "redirect": "/v1/protected"})
    ended = run("request", "--location", "GET", f"{em.url}/v1/protected")
    assert (ended.code, ended.out) == (7, "")
    assert len(paths(em, "/v1/protected")) == 21


@pytest.mark.parametrize("where", ["https://evil.example/", "http://a@b/", "file:///etc/passwd"])
def test_a_redirect_to_nowhere_good_is_not_followed(run: Run, em: Emulator, where: str) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "redirect": where})
    ended = run("request", "--location", "GET", f"{em.url}/v1/protected")
    assert (ended.code, ended.out) == (7, "")
