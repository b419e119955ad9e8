"""The client: options bound once, tokens held and renewed, a new look after reset, bodies, errors only ours."""

import io
import json
import os
import threading
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

import gbearer
from client.conftest import tokens_made
from gbearer.emulator import Emulator

TARGET = "target@emulator-project.iam.gserviceaccount.com"


class Clock:
    """Unix time that the test moves; it starts at the true one, as the emulator goes by that."""

    def __init__(self) -> None:
        import time

        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.mark.usefixtures("default")
def test_both_seed_programs_are_one_line_each(em: Emulator) -> None:
    print(gbearer.project(), gbearer.token().value)
    response = gbearer.request("POST", f"{em.url}/functions/get_range", json={})
    assert (gbearer.project(), response.status) == ("emulator-project", 200)
    shown = response.json()
    assert (shown["json"], shown["headers"]["Content-Type"]) == ({}, "application/json")


@pytest.mark.usefixtures("default")
def test_the_functions_share_one_client_and_one_token(em: Emulator) -> None:
    first = gbearer.token()
    assert gbearer.header() == {"Authorization": f"Bearer {first.value}"}
    identity = gbearer.id_token("https://f.example")
    assert gbearer.header(audience="https://f.example")["Authorization"] == f"Bearer {identity.value}"
    assert gbearer.token() is first
    assert tokens_made(em) == 2


def test_header_is_a_fresh_dict(env: dict[str, str]) -> None:
    client = gbearer.Client(env=env)
    client.header()["Authorization"] = "spoiled"
    client.header()["X"] = "y"
    assert list(client.header()) == ["Authorization"]
    assert client.header()["Authorization"].startswith("Bearer ya29.")


@pytest.mark.parametrize("form", ["path", "pathlike", "text", "mapping"])
def test_credentials_in_every_form(env: dict[str, str], em: Emulator, form: str) -> None:
    text = em.key_file.read_text()
    forms = {"path": str(em.key_file), "pathlike": Path(em.key_file), "text": text, "mapping": json.loads(text)}
    env["GOOGLE_APPLICATION_CREDENTIALS"] = ""
    client = gbearer.Client(credentials=forms[form], env=env)
    assert client.token().principal.startswith("robot@")
    assert client.project() == "emulator-project"


def test_options_are_bound(env: dict[str, str]) -> None:
    client = gbearer.Client(impersonate=TARGET, lifetime="15m", scopes=["devstorage.read_only"], env=env)
    token = client.token()
    assert token.principal == TARGET
    assert 800 < token.expires_in() <= 900
    assert token.scopes == ("https://www.googleapis.com/auth/devstorage.read_only",)
    assert client.id_token("https://f.example").audience == "https://f.example"


def test_a_chain_in_both_spellings(env: dict[str, str]) -> None:
    middle, end = (f"{name}@emulator-project.iam.gserviceaccount.com" for name in ("middle", "target2"))
    for client in (
        gbearer.Client(impersonate=[middle, end], env=env),
        gbearer.Client(impersonate=end, delegates=[middle], env=env),
    ):
        assert client.token().principal == end


def test_a_bound_audience_makes_header_an_id_token(env: dict[str, str], em: Emulator) -> None:
    url = f"{em.url}/functions/f"
    client = gbearer.Client(audience=url, env=env)
    assert client.header() == client.header(audience=url)
    assert client.header()["Authorization"] == f"Bearer {client.id_token().value}"
    assert client.request("GET", url).status == 200
    assert client.token().kind == "access"


def test_the_quota_project_goes_with_access_tokens_only(env: dict[str, str]) -> None:
    client = gbearer.Client(quota_project="charged", env=env)
    assert client.header()["x-goog-user-project"] == "charged"
    assert list(client.header(audience="https://f.example")) == ["Authorization"]
    assert (
        gbearer.Client(env=env | {"GOOGLE_CLOUD_QUOTA_PROJECT": "of-env"}).header()["x-goog-user-project"] == "of-env"
    )


def test_other_scopes_are_another_token(env: dict[str, str]) -> None:
    client = gbearer.Client(env=env)
    narrow = client.token(scopes=["devstorage.read_only"])
    assert narrow != client.token()
    assert client.token(scopes="devstorage.read_only") is narrow


def test_a_self_signed_jwt_needs_no_network(env: dict[str, str], em: Emulator) -> None:
    token = gbearer.Client(env=env).token(kind="jwt", audience=f"{em.url}/")
    assert token.kind == "jwt"
    assert em.log() == []


def test_refresh_brings_another_token_that_is_then_held(env: dict[str, str]) -> None:
    client = gbearer.Client(env=env)
    first = client.token()
    second = client.token(refresh=True)
    assert first != second
    assert client.token() is second
    assert client.header()["Authorization"] == f"Bearer {second.value}"


def test_a_token_is_renewed_before_its_end(env: dict[str, str], em: Emulator) -> None:
    clock = Clock()
    client = gbearer.Client(env=env, clock=clock)
    first = client.header()
    clock.now += 3600 - 240
    assert client.header() == first
    em.fault({"clock_skew": 3600 - 220})
    clock.now += 20
    assert client.header() != first
    assert tokens_made(em) == 2


def test_min_ttl_is_never_undercut(env: dict[str, str], em: Emulator) -> None:
    clock = Clock()
    client = gbearer.Client(env=env, clock=clock, min_ttl="30m")
    first = client.header()
    em.fault({"clock_skew": 1900})
    clock.now += 1900
    assert client.header() != first
    with pytest.raises(gbearer.UsageError, match="min-ttl"):
        gbearer.Client(env=env, clock=clock, min_ttl="2h").header()


def test_a_clock_that_was_set_back_serves_nothing_from_the_future(env: dict[str, str], em: Emulator) -> None:
    clock = Clock()
    client = gbearer.Client(env=env, clock=clock)
    client.header()
    clock.now -= 1000
    client.header()
    assert tokens_made(em) == 2


def test_the_old_token_serves_while_google_is_away_and_is_not_renewed_at_every_call(
    env: dict[str, str], em: Emulator
) -> None:
    clock = Clock()
    client = gbearer.Client(env=env, clock=clock)
    first = client.header()
    em.reset()
    em.fault({"count": 1000, "match": {"path": "/token"}, "status": 400, "oauth_error": {"error": "server_error"}})
    clock.now += 3600 - 200
    for _ in range(50):
        assert client.header() == first
    assert tokens_made(em) == 1


def test_reset_looks_at_environment_and_files_again(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    robot = client.token()
    env["GOOGLE_APPLICATION_CREDENTIALS"] = str(em.impersonated_file)
    assert client.token() is robot
    client.reset()
    assert client.token().principal == TARGET


def test_threads_share_one_mint(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(client.header()["Authorization"])) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(set(got)), tokens_made(em)) == (50, 1, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_uses_the_token_and_its_own_connections(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    assert client.request("GET", f"{em.url}/v1/protected").status == 200
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if client.request("GET", f"{em.url}/v1/protected").status == 200 else 2
        finally:
            os._exit(code)
    assert client.request("GET", f"{em.url}/v1/protected").status == 200
    assert os.waitpid(child, 0)[1] == 0
    assert tokens_made(em) == 1


def test_wrong_options_are_said_all_at_once_and_when_they_are_given() -> None:
    with pytest.raises(gbearer.UsageError) as caught:
        gbearer.Client(subject="nobody", lifetime="20h", quota_project="a b", source="cloud")
    for said in ("'nobody'", "72000 s", "'a b'", "'cloud'"):
        assert said in caught.value.message
    with pytest.raises(gbearer.UsageError, match="is not a duration"):
        gbearer.Client(lifetime="soon")
    with pytest.raises(gbearer.UsageError, match="needs an audience"):
        gbearer.Client().id_token()
    with pytest.raises(gbearer.UsageError, match="has spaces"):
        gbearer.Client(audience="a b")


def test_header_held_is_four_times_faster_than_google_auth(env: dict[str, str], em: Emulator) -> None:
    import google.auth.transport.urllib3
    import urllib3
    from google.oauth2 import service_account

    client = gbearer.Client(env=env)
    client.header()
    theirs = service_account.Credentials.from_service_account_file(str(em.key_file), scopes=["email"])
    transport = google.auth.transport.urllib3.Request(urllib3.PoolManager())
    theirs.refresh(transport)
    url = "https://storage.googleapis.com/"

    def ratio() -> float:
        ours = min(timeit.repeat(client.header, number=1000, repeat=3))
        return (
            min(timeit.repeat(lambda: theirs.before_request(transport, "GET", url, {}), number=1000, repeat=3)) / ours
        )

    assert max(ratio() for _ in range(3)) > 4


# --- request


def test_a_401_gets_a_new_token_once_and_the_next_call_has_it(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    first = client.header()
    em.fault({"match": {"path": "/v1/protected"}, "status": 401})
    assert client.request("POST", f"{em.url}/v1/protected", data=b"again").json()["body"] == "again"
    assert client.header() != first
    em.fault({"count": 9, "match": {"path": "/v1/protected"}, "status": 401})
    made = tokens_made(em)
    assert client.request("GET", f"{em.url}/v1/protected").status == 401
    assert client.request("GET", f"{em.url}/v1/protected").status == 401
    assert tokens_made(em) == made  # within 30 s of the last renewal


def parts() -> Iterator[bytes]:
    yield b"one "
    yield b"two"


@pytest.mark.parametrize(
    ("data", "body", "twice"),
    [
        (b"bytes", "bytes", True),
        ("text ü", "text ü", True),
        (bytearray(b"array"), "array", True),
        (io.BytesIO(b"file"), "file", True),
        ([b"one ", b"two"], "one two", True),
        (parts(), "one two", False),
        (b"", "", True),
    ],
)
def test_every_kind_of_body_and_whether_it_is_sent_again(
    env: dict[str, str], em: Emulator, data: bytes, body: str, twice: bool
) -> None:
    em.fault({"match": {"path": "/v1/protected"}, "status": 401})
    response = gbearer.Client(env=env).request("POST", f"{em.url}/v1/protected", data=data)
    assert response.status == (200 if twice else 401)
    if twice:
        assert response.json()["body"] == body
    assert [line["status"] for line in em.log() if line["path"] == "/v1/protected"] == ([401, 200] if twice else [401])


def test_a_file_is_sent_from_where_it_stands(env: dict[str, str], em: Emulator) -> None:
    file = io.BytesIO(b"0123456789")
    file.seek(4)
    shown = gbearer.Client(env=env).request("POST", f"{em.url}/functions/f", data=file).json()
    assert (shown["body"], shown["headers"]["Content-Length"]) == ("456789", "6")


def test_a_stream_of_unknown_length_goes_in_chunks(env: dict[str, str], em: Emulator) -> None:
    shown = gbearer.Client(env=env).request("POST", f"{em.url}/functions/f", data=parts()).json()
    assert (shown["body"], shown["headers"]["Transfer-Encoding"]) == ("one two", "chunked")


def test_what_is_no_body(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    for data, said in (({"a": "b"}, "mapping"), (io.StringIO("x"), "text mode")):
        with pytest.raises(gbearer.UsageError, match=said):
            client.request("POST", f"{em.url}/functions/f", data=data)  # type: ignore[arg-type]
    with pytest.raises(gbearer.UsageError, match="one body"):
        client.request("POST", f"{em.url}/functions/f", data=b"x", json={})
    assert em.log() == []


def test_a_file_that_shrinks_while_it_is_sent_is_an_error(env: dict[str, str], em: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * (1 << 20))

    class Shrinking(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            os.truncate(path, 1 << 19)
            return super().read(size)

    with Shrinking(path) as file, pytest.raises(gbearer.UsageError, match="became shorter"):
        gbearer.Client(env=env).request("POST", f"{em.url}/functions/f", data=file)


def test_stream_leaves_the_body_to_be_read(env: dict[str, str], em: Emulator) -> None:
    size = 3_000_000
    response = gbearer.Client(env=env).request("GET", f"{em.url}/functions/f?size={size}", stream=True)
    assert sum(len(piece) for piece in response.stream(1 << 16)) == size
    response.release_conn()


def test_connections_are_kept_between_calls(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    client.token()

    def connections() -> int:
        return Path(os.environ["GBEARER_TEST_TRAFFIC"]).read_text().count("\nconnect ")

    before = connections()
    assert [client.request("GET", f"{em.url}/v1/protected").status for _ in range(5)] == [200] * 5
    assert connections() == before + 1


def test_headers_of_the_caller_win_and_ours_stay(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env, quota_project="charged")
    headers = {"user-agent": "mine", "X-Goog-User-Project": "other", "content-type": "application/merge-patch+json"}
    shown = client.request("PATCH", f"{em.url}/v1/protected", json={}, headers=headers).json()
    lower = {name.lower(): value for name, value in shown["headers"].items()}
    assert (lower["user-agent"], lower["x-goog-user-project"]) == ("mine", "other")
    assert lower["content-type"] == "application/merge-patch+json"


@pytest.mark.parametrize("url", ["http://storage.googleapis.com/", "http://192.0.2.1/x", "http://0x7f.1/"])
def test_a_token_never_goes_in_clear_text(env: dict[str, str], em: Emulator, url: str) -> None:
    with pytest.raises(gbearer.UsageError, match="a token is not sent to"):
        gbearer.Client(env=env).request("GET", url, auth="access")
    assert em.log() == []


def test_no_answer_is_one_of_our_errors(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(env=env)
    for fault in ({"drop": True}, {"reset": True}, {"half_body": True}, {"hang": True}):
        em.fault({"match": {"path": "/v1/protected"}, **fault})
        with pytest.raises(gbearer.Unreachable):
            client.request("GET", f"{em.url}/v1/protected", timeout=0.5)
    assert client.request("GET", f"{em.url}/v1/protected").status == 200


def test_dir_and_all_of_the_package_name_what_is_there() -> None:
    assert dir(gbearer) == sorted(gbearer.__all__) == gbearer.__all__
    assert [name for name in gbearer.__all__ if not hasattr(gbearer, name)] == []
