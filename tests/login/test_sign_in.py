"""gbearer login, whole: from the browser's first page to a token that works, and every way in which it can go wrong."""

import json
import os
import signal
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.conftest import Ended
from gbearer.emulator import Emulator
from login.conftest import ADA, GRACE, Login, visit

Begin = Callable[..., Login]
Done = Callable[..., Ended]
CLOUD = "https://www.googleapis.com/auth/cloud-platform"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"


def logins(home: Path) -> Path:
    return home / ".config/gbearer/emulator-logins"


def kept(home: Path, account: str = ADA) -> dict[str, object]:
    info: dict[str, object] = json.loads((logins(home) / f"{account}.json").read_text())
    return info


def nothing_kept(home: Path) -> bool:
    return not list(home.glob(".config/gbearer/**/*.json")) and not list(home.glob(".config/gbearer/**/active"))


@pytest.fixture
def client(em: Emulator) -> str:
    return str(em.dir / "client.json")


def test_signing_in_ends_in_a_token_that_works(
    login: Begin, em: Emulator, client: str, spawn: Done, own_environment: Path
) -> None:
    begun = login("--client-file", client)
    page = visit(em.sign_in(begun.url))
    ended = begun.end()
    assert (ended.code, ended.out) == (0, f"signed in as {ADA}\n")
    assert page.status == 200
    assert "You are signed in" in page.body
    token = spawn("token").out.strip()
    called = spawn("request", "GET", f"{em.url}/v1/protected")
    assert called.code == 0
    assert ADA in called.out
    assert token.startswith("ya29.")
    shown = spawn("whoami")
    assert f"  found   gbearer login: user credential of {ADA}" in shown.out
    assert str(logins(own_environment) / f"{ADA}.json") in shown.out


def test_what_is_sent_is_the_code_flow_with_pkce_and_a_state_of_its_own(
    login: Begin, em: Emulator, client: str
) -> None:
    seen = []
    for _ in range(2):
        begun = login("--client-file", client, "--scope", "devstorage.read_only", "--account", ADA)
        url = urlsplit(begun.url)
        assert (url.scheme, url.netloc) == ("http", em.host)
        asked = {name: value[0] for name, value in parse_qs(url.query).items()}
        seen.append(asked)
        visit(em.sign_in(begun.url))
        assert begun.end().code == 0
    first, second = seen
    assert first["response_type"] == "code"
    assert (first["code_challenge_method"], len(first["code_challenge"])) == ("S256", 43)
    assert (first["access_type"], first["prompt"], first["login_hint"]) == ("offline", "consent", ADA)
    assert first["scope"].split() == ["openid", EMAIL, "https://www.googleapis.com/auth/devstorage.read_only"]
    assert first["redirect_uri"].startswith("http://127.0.0.1:")
    for name in ("state", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 22
    posted = [line for line in em.log() if line["grant_type"] == "authorization_code"]
    assert [(line["method"], line["path"], line["query"], line["status"]) for line in posted] == [
        ("POST", "/token", "", 200)
    ] * 2
    assert posted[0]["host"] == "oauth2.googleapis.com"


def test_the_login_lies_in_a_file_that_only_its_owner_can_read(signed_in: Done, own_environment: Path) -> None:
    old = os.umask(0)
    try:
        signed_in()
    finally:
        os.umask(old)
    for path in (logins(own_environment), logins(own_environment).parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    files = list(logins(own_environment).iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    info = kept(own_environment)
    assert (info["type"], info["account"]) == ("authorized_user", ADA)
    assert str(info["refresh_token"]).startswith("emulator-1//0")
    assert not [path for path in files if str(info["refresh_token"])[12:] in path.name]


def test_the_real_world_does_not_see_a_login_made_at_an_emulator(signed_in: Done, spawn: Done) -> None:
    signed_in()
    ended = spawn("login", "--list", GBEARER_EMULATOR_HOST="")
    assert (ended.code, ended.out) == (0, "")
    shown = spawn("whoami", GBEARER_EMULATOR_HOST="")
    assert (shown.code, "absent  gbearer login: not signed in" in shown.err) == (3, True)


def test_several_accounts_stand_side_by_side_and_the_newest_is_active(signed_in: Done, spawn: Done) -> None:
    signed_in(account=ADA)
    signed_in(account=GRACE)
    assert f"who         {GRACE}" in spawn("whoami").out
    assert f"who         {ADA}" in spawn("whoami", "--account", ADA.upper()).out
    listed = spawn("login", "--list").out.splitlines()
    assert [line.split()[:2] for line in listed] == [["*", GRACE], [ADA, "user"]]
    assert spawn("login", "--use", ADA).out == f"{ADA} is used from now on\n"
    assert f"who         {ADA}" in spawn("whoami").out
    rows = json.loads(spawn("login", "--list", "--format", "json").out)
    assert {row["account"]: row["active"] for row in rows} == {ADA: True, GRACE: False}
    wrong = spawn("login", "--use", "adda@example.com")
    assert (wrong.code, wrong.out) == (3, "")
    assert f"gbearer login --use {ADA}" in wrong.err


def test_a_later_sign_in_remembers_client_and_scopes(login: Begin, signed_in: Done, em: Emulator) -> None:
    signed_in("--client-file", str(em.dir / "client.json"), "--scope", "devstorage.read_only")
    begun = login("--account", ADA)
    assert "devstorage.read_only" in begun.url
    visit(em.sign_in(begun.url))
    assert begun.end().code == 0


def test_another_account_signs_in_with_the_client_that_is_remembered_and_the_usual_scopes(
    login: Begin, signed_in: Done, spawn: Done, em: Emulator, own_environment: Path
) -> None:
    signed_in("--client-file", str(em.dir / "client.json"), "--scope", "devstorage.read_only")
    for choice in ("ada", "none"):
        if choice == "none":
            (logins(own_environment) / "active").unlink()
            (logins(own_environment) / f"{GRACE}.json").unlink()
        wrong = spawn("login", "--use", GRACE)
        assert (wrong.code, f"gbearer login --account {GRACE}" in wrong.err) == (3, True)
        begun = login("--account", GRACE)
        asked = parse_qs(urlsplit(begun.url).query)
        assert asked["scope"][0].split() == ["openid", EMAIL, CLOUD]
        visit(em.sign_in(begun.url, account=GRACE))
        ended = begun.end()
        assert (ended.code, ended.out) == (0, f"signed in as {GRACE}\n"), ended.err
        assert kept(own_environment, GRACE)["client_id"] == kept(own_environment)["client_id"]


def test_a_profile_gives_the_client_and_the_scopes(
    login: Begin, em: Emulator, client: str, own_environment: Path
) -> None:
    folder = own_environment / ".config/gbearer"
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(f"[profile work]\nclient-file = {client}\nscope = devstorage.read_only\n")
    begun = login("--profile", "work")
    assert "devstorage.read_only" in begun.url
    visit(em.sign_in(begun.url))
    assert begun.end().code == 0


def test_a_cancelled_consent_is_5_and_says_so_on_the_page(
    login: Begin, em: Emulator, client: str, own_environment: Path
) -> None:
    begun = login("--client-file", client)
    page = visit(em.sign_in(begun.url, decision="deny"))
    ended = begun.end()
    assert (ended.code, ended.out) == (5, "")
    assert "error: the sign-in was cancelled" in ended.err
    assert (page.status, "The sign-in was cancelled" in page.body) == (400, True)
    assert nothing_kept(own_environment)


def test_a_scope_that_was_not_ticked_is_named_and_nothing_is_kept(
    login: Begin, em: Emulator, client: str, own_environment: Path
) -> None:
    begun = login("--client-file", client)
    page = visit(em.sign_in(begun.url, scopes=["openid", EMAIL]))
    ended = begun.end()
    assert (ended.code, ended.out) == (5, "")
    assert "cloud-platform is missing" in ended.err
    assert "cloud-platform is missing" in page.body
    assert nothing_kept(own_environment)


def test_somebody_else_than_the_account_that_was_named_is_5(
    login: Begin, em: Emulator, client: str, own_environment: Path
) -> None:
    begun = login("--client-file", client, "--account", ADA)
    page = visit(em.sign_in(begun.url, account=GRACE))
    ended = begun.end()
    assert (ended.code, ended.out) == (5, "")
    assert f"error: {GRACE} has signed in, not {ADA}" in ended.err
    command = f"gbearer login --client-file {client} --account"
    assert f"fix: run `{command} {ADA}` and choose {ADA}, or `{command} {GRACE}`" in ended.err
    assert GRACE in page.body
    assert nothing_kept(own_environment)


def test_a_wrong_state_is_refused_and_the_wait_goes_on(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client)
    good = em.sign_in(begun.url)
    port = urlsplit(good).port
    forged = visit(f"http://127.0.0.1:{port}/?code=4/0Aforged&state=somebody-elses")
    assert forged.status == 400
    assert "not the sign-in that was begun" in forged.body
    cancelled = visit(f"http://127.0.0.1:{port}/?error=access_denied&state=")
    assert cancelled.status == 400
    assert visit(good).status == 200
    assert begun.end().code == 0


def test_strays_get_404_and_end_nothing(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client)
    good = em.sign_in(begun.url)
    here = f"http://127.0.0.1:{urlsplit(good).port}"
    query = urlsplit(good).query
    for path in ("/favicon.ico", "/", "/?x=1", f"/other?{query}", f"/?{query}&code=again", "/?" + "a=1&" * 60):
        assert visit(here + path).status == 404
    for method in ("POST", "HEAD", "PUT"):
        assert visit(good, method=method).status == 501
    assert visit(good, host="evil.example").status == 404
    assert visit(good, raw=b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n").status in (404, 414)
    idle = socket.create_connection(("127.0.0.1", urlsplit(good).port or 0))  # as browsers do, to be quick later
    assert visit(good).status == 200
    idle.close()
    assert begun.end().code == 0


def test_a_request_has_a_bounded_size(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client)
    good = em.sign_in(begun.url)
    long = b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 1000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", urlsplit(good).port or 0), timeout=30) as line:
        try:
            for _ in range(100_000):
                line.sendall(long)
        except OSError:
            pass
        else:
            pytest.fail("a hundred megabytes of headers were read")
    assert visit(good).status == 200
    assert begun.end().code == 0


def test_a_code_that_google_refuses_is_told_on_page_and_terminal(login: Begin, em: Emulator, client: str) -> None:
    begun = login("--client-file", client)
    answer = em.sign_in(begun.url)
    state = parse_qs(urlsplit(answer).query)["state"][0]
    page = visit(f"http://127.0.0.1:{urlsplit(answer).port}/?state={state}&code=4/0Aemulator-madeup")
    ended = begun.end()
    assert (ended.code, ended.out) == (6, "")
    assert "error: the code from the sign-in page is not accepted" in ended.err
    assert page.status == 400
    assert "madeup" not in page.body + ended.err


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"status": 401, "body": {"error": "invalid_client"}}, 4, "does not accept the OAuth client"),
        ({"status": 503, "count": 9}, 7, "cannot answer now"),
        ({"status": 200, "body": {"access_token": "ya29.x", "token_type": "Bearer"}}, 7, "no refresh token"),
        ({"status": 200, "body": {"hello": 1}}, 7, "not understood"),
        (
            {"status": 200, "body": {"access_token": "ya29.x", "refresh_token": "emulator-1//0x"}},
            7,
            "does not say who has signed in",
        ),
    ],
)
def test_what_the_token_endpoint_may_answer(
    login: Begin,
    em: Emulator,
    client: str,
    own_environment: Path,
    fault: dict[str, object],
    code: int,
    words: str,
) -> None:
    begun = login("--client-file", client)
    good = em.sign_in(begun.url)
    body = fault.pop("body", None)
    more = {"body": json.dumps(body)} if body is not None else {}
    em.fault({"count": 1, "match": {"path": "/token"}, **fault, **more})
    page = visit(good)
    ended = begun.end()
    em.reset()
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert page.status == 400
    assert nothing_kept(own_environment)


def test_nobody_signs_in_within_the_time(login: Begin, em: Emulator, client: str, own_environment: Path) -> None:
    begun = login("--client-file", client, "--timeout", "1s")
    port = urlsplit(em.sign_in(begun.url)).port
    visit(f"http://127.0.0.1:{port}/?code=x&state=y")
    ended = begun.end()
    assert (ended.code, ended.out) == (6, "")
    assert "error: nobody has signed in" in ended.err
    assert "1 answer came that belongs to another sign-in" in ended.err
    assert nothing_kept(own_environment)


def test_ctrl_c_is_130(login: Begin, client: str, own_environment: Path) -> None:
    begun = login("--client-file", client)
    assert begun.url
    begun.process.send_signal(signal.SIGINT)
    ended = begun.end()
    assert (ended.code, ended.out) == (130, "")
    assert "Traceback" not in ended.err
    assert nothing_kept(own_environment)


def test_a_port_that_is_taken_is_named(spawn: Done, client: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = spawn("login", "--client-file", client, "--port", str(port))
    assert (ended.code, ended.out) == (2, "")
    assert f"error: the port {port} cannot be used" in ended.err


def test_a_port_may_be_chosen(login: Begin, em: Emulator, client: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = login("--client-file", client, "--port", str(port))
    answer = em.sign_in(begun.url)
    assert answer.startswith(f"http://127.0.0.1:{port}/?")
    visit(answer)
    assert begun.end().code == 0


def test_no_client_is_6_with_the_steps_to_make_one(spawn: Done) -> None:
    ended = spawn("login")
    assert (ended.code, ended.out) == (6, "")
    for step in ("console.cloud.google.com", "Desktop app", "Download JSON", "gcloud auth application-default login"):
        assert step in ended.err


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"web": {"client_id": "x", "client_secret": "y"}}, "is the OAuth client of a web application"),
        ({"type": "service_account", "private_key": "SECRET"}, "is a service account key, not an OAuth client"),
        ({"type": "authorized_user", "refresh_token": "SECRET"}, "is a user credential, not an OAuth client"),
        ({"type": "external_account_authorized_user_login_config"}, "--login-config"),
        ({"installed": {"client_id": "emulator-x"}}, "client_secret is missing"),
        ({"installed": {"client_id": 5, "client_secret": "SECRET"}}, "client_id is a number"),
        ({"installed": {"client_id": "1-a.apps.googleusercontent.com", "client_secret": "SECRET"}}, "a real OAuth"),
        (
            {"installed": {"client_id": "emulator-x", "client_secret": "SECRET", "auth_uri": "https://evil.example/a"}},
            "auth_uri",
        ),
        (
            {"installed": {"client_id": "emulator-x", "client_secret": "SECRET", "token_uri": "https://evil.example/"}},
            "token_uri",
        ),
        ({}, "is no OAuth client"),
        (b"{", "is not JSON"),
        (None, "there is no file"),
    ],
)
def test_a_client_file_of_the_wrong_kind(
    spawn: Done, tmp_path: Path, em: Emulator, document: object, words: str
) -> None:
    path = tmp_path / "client.json"
    if document is not None:
        path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    em.reset()
    ended = spawn("login", "--client-file", str(path))
    assert (ended.code, ended.out) == (4, "")
    assert words in ended.err
    assert "SECRET" not in ended.err
    assert em.log() == []


@pytest.mark.parametrize(
    ("option", "steps"),
    [
        ("--client-file", ("Desktop app", "console.cloud.google.com", "download its JSON")),
        ("--login-config", ("gcloud iam workforce-pools create-login-config",)),
    ],
)
def test_a_file_that_is_missing_or_a_folder_is_told_with_how_to_make_one(
    spawn: Done, tmp_path: Path, client: str, option: str, steps: tuple[str, ...]
) -> None:
    for name, words in ((tmp_path / "nothere.json", "there is no file"), (tmp_path, "is a directory")):
        more = [] if option == "--client-file" else ["--client-file", client]
        ended = spawn("login", option, str(name), *more)
        assert (ended.code, ended.out) == (4, "")
        assert words in ended.err
        assert "credential" not in ended.err
        for step in steps:
            assert step in ended.err


def test_an_emulators_client_is_refused_where_no_emulator_is_set(spawn: Done, client: str, em: Emulator) -> None:
    ended = spawn("login", "--client-file", client, GBEARER_EMULATOR_HOST="")
    assert (ended.code, ended.out) == (4, "")
    assert f"GBEARER_EMULATOR_HOST={em.host}" in ended.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--port", "70000"], "--port '70000' is no port"),
        (["--timeout", "soon"], "--timeout 'soon' is not a duration"),
        (["--timeout", "0"], "leaves nobody time"),
        (["--scope", 'a"b'], "no scope may have"),
        (["--quota-project", "a b"], "is no project id"),
        (["--keyring", "--no-keyring"], "contradict"),
        (["--keyring", "--adc"], "out of files"),
        (["--client-file", ""], "--client-file is empty"),
        (["--client-file", '{"installed":{}}'], "holds the client itself"),
        (["--list", "--format", "yaml"], "no format 'yaml'"),
        (["--profile", "nowhere"], "nowhere"),
    ],
)
def test_wrong_options_are_2(spawn: Done, client: str, argv: list[str], words: str) -> None:
    given = [] if "--client-file" in argv else ["--client-file", client]
    ended = spawn("login", *given, *argv)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_two_who_sign_in_at_once_both_stay(login: Begin, em: Emulator, client: str, spawn: Done) -> None:
    begun = [login("--client-file", client, "--no-browser") for _ in range(4)]
    whom = [ADA, GRACE, ADA, GRACE]
    answers = [em.sign_in(each.printed, account=who) for each, who in zip(begun, whom, strict=True)]
    threads = [threading.Thread(target=visit, args=(answer,)) for answer in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.end().code for each in begun] == [0] * 4
    rows = json.loads(spawn("login", "--list", "--format", "json").out)
    assert {row["account"] for row in rows} == {ADA, GRACE}
    assert spawn("token", "--account", ADA).code == spawn("token", "--account", GRACE).code == 0


def test_a_folder_that_cannot_be_written_is_found_out_before_a_browser_opens(
    spawn: Done, client: str, own_environment: Path
) -> None:
    (own_environment / ".config").write_text("a file where the folder belongs")
    ended = spawn("login", "--client-file", client)
    assert (ended.code, ended.out) == (4, "")
    assert "no login can be kept" in ended.err
    assert not (own_environment / "opened").exists()


def test_no_secret_is_shown_or_passed_on(login: Begin, em: Emulator, client: str, own_environment: Path) -> None:
    begun = login("--client-file", client, "-vv")
    answer = em.sign_in(begun.url)
    argv = Path(f"/proc/{begun.process.pid}/cmdline")
    shown = argv.read_text() if argv.exists() else ""
    page = visit(answer)
    ended = begun.end()
    assert ended.code == 0
    info = kept(own_environment)
    code = parse_qs(urlsplit(answer).query)["code"][0]
    for secret in (str(info["refresh_token"]), str(info["client_secret"]), code):
        assert secret not in ended.err + ended.out + page.body + shown
    assert "ya29." not in ended.err + ended.out + page.body
    assert not [line for line in em.log() if code in line["query"] or str(info["refresh_token"]) in line["query"]]
