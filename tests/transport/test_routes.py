"""Where a request really goes: to the emulator and the metadata server that are named, under its own name."""

from collections.abc import Callable

import pytest

from gbearer import log
from gbearer.errors import Unreachable, UsageError
from gbearer.transport import Transport
from transport.servers import OK, free_port, http, serving


def test_with_an_emulator_every_google_host_is_sent_there_under_its_own_name() -> None:
    urls = [
        "https://oauth2.googleapis.com/token",
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
        "https://oauth2.us-central1.rep.googleapis.com/token",
        "https://my_bucket.storage.googleapis.com/o",
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com:8443/oauth2/v3/certs",
        "https://hello-abc-ew.a.run.app/",
        "https://europe-west1-p.cloudfunctions.net/f",
        "http://metadata.google.internal/computeMetadata/v1/instance/id",
        "http://169.254.169.254/",
    ]
    with serving(OK) as emulator:
        transport = Transport({"GBEARER_EMULATOR_HOST": emulator.netloc}, total=5)
        for url in urls:
            answer = transport.send("GET", url)
            assert answer.url.rstrip("/") == url.rstrip("/"), "errors and logs name what was asked for"
    heads = [request.lower() for request in emulator.requests]
    assert len(heads) == len(urls)
    for url, head in zip(urls, heads, strict=True):
        host, _, path = url.partition("://")[2].partition("/")
        assert head.startswith(f"get /{path.lower()} http/1.1\r\n".encode())
        assert f"\r\nhost: {host}\r\n".encode() in head


def test_a_dead_emulator_is_the_end_and_google_is_not_asked_instead(traffic: Callable[[], list[str]]) -> None:
    netloc = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=r"oauth2\.googleapis\.com cannot be reached at " + netloc) as caught:
        Transport({"GBEARER_EMULATOR_HOST": netloc}, total=3, tries=1).send(
            "POST", "https://oauth2.googleapis.com/token"
        )
    assert f"gbearer emulator --port {netloc.partition(':')[2]}" in caught.value.fix
    assert any(netloc.partition(":")[2] in line for line in traffic()), "the guard sees"
    assert not any("googleapis" in line for line in traffic())


def test_an_emulator_that_is_not_this_machine_is_refused_before_any_lookup() -> None:
    transport = Transport({"GBEARER_EMULATOR_HOST": "10.0.0.1:80"}, total=3)
    with pytest.raises(UsageError, match="no loopback address"):
        transport.send("GET", "https://oauth2.googleapis.com/token")
    assert transport.requests == 0


@pytest.mark.parametrize("variable", ["GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"])
@pytest.mark.parametrize("host", ["metadata.google.internal", "169.254.169.254", "metadata", "old-name.invalid"])
def test_metadata_requests_go_to_the_server_that_a_variable_names_whenever_it_was_set(variable: str, host: str) -> None:
    with serving(http(200, b"p", Metadata_Flavor="Google")) as server:
        env: dict[str, str] = {}
        transport = Transport(env, total=3)
        env[variable] = server.netloc  # google-auth reads such a variable once, when it is imported
        answer = transport(
            f"http://{host}/computeMetadata/v1/project/project-id", headers={"Metadata-Flavor": "Google"}
        )
    assert answer.data == b"p"
    assert f"host: {host}\r\n".encode() in server.requests[0].lower()
    assert b"metadata-flavor: google" in server.requests[0].lower()


def test_a_secret_for_a_tls_host_is_never_rerouted_in_the_clear_for_its_path() -> None:
    with serving(OK) as server, pytest.raises(Unreachable, match=r"oauth2\.invalid cannot be resolved"):
        Transport({"GCE_METADATA_HOST": server.netloc}, total=3, tries=1).send(
            "POST", "https://oauth2.invalid/computeMetadata/v1/token", body=b"refresh_token=SECRET"
        )
    assert server.requests == []


def test_debug_lines_say_where_a_request_went_and_never_what_was_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    before, log.level = log.level, 2
    try:
        with serving(http(503, b"ya29.leaked"), http(200, b'{"access_token": "ya29.leaked"}')) as server:
            Transport({"GBEARER_EMULATOR_HOST": server.netloc}, total=5).send(
                "POST",
                "https://oauth2.googleapis.com/token?refresh_token=1//leaked",
                body=b"assertion=eyJleaked.eyJleaked.leaked",
                headers={"Authorization": "Bearer ya29.leaked"},
            )
    finally:
        log.level = before
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(f"POST https://oauth2.googleapis.com/token (sent to {server.url}): ") == 2
    assert ": 503 in " in err
    assert "again in" in err
    assert "leaked" not in err
