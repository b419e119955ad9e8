"""Proxies: used where the variables say so, never for this machine or the metadata server; what a bad one leads to."""

from pathlib import Path

import pytest

from gbearer import endpoints
from gbearer.errors import Refused, Unreachable, UsageError
from gbearer.transport import Transport, open_connection_pool
from gbearer.transport.pool import proxy_for
from transport.servers import OK, Authority, Proxy, Server, free_port, http, serving


def lines(proxy: Proxy) -> list[str]:
    return [request.split(b"\r\n")[0].decode() for request in proxy.requests]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_plain_request_goes_to_the_proxy_which_resolves_the_name(variable: str) -> None:
    with Proxy(OK) as proxy:
        answer = Transport({variable: proxy.url}, total=3).send("GET", "http://service.invalid/path?a=b")
    assert answer.status == 200
    assert lines(proxy) == ["GET http://service.invalid/path?a=b HTTP/1.1"]
    assert b"host: service.invalid\r\n" in proxy.requests[0].lower()


def test_a_proxy_without_a_scheme_is_an_http_proxy() -> None:
    with Proxy(OK) as proxy:
        Transport({"http_proxy": proxy.netloc}, total=3).send("GET", "http://service.invalid/")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_secret_goes_through_a_tunnel_that_the_proxy_cannot_look_into(tmp_path: Path, variable: str) -> None:
    authority = Authority(tmp_path, "Real CA")
    context = authority.server_side("oauth2.invalid")
    with serving(OK, tls=context) as server, Proxy(behind=server.port) as proxy:
        env = {variable: proxy.url, "SSL_CERT_FILE": str(authority.bundle)}
        answer = Transport(env, total=3).send("POST", "https://oauth2.invalid/token", body=b"assertion=SECRET")
        assert answer.status == 200
        assert server.requests[0].startswith(b"POST /token HTTP/1.1")
        assert server.requests[0].endswith(b"assertion=SECRET")
    assert [line.rpartition(" ")[0] for line in lines(proxy)] == ["CONNECT oauth2.invalid:443"]
    assert b"SECRET" not in b"".join(proxy.requests)


def test_a_proxy_that_opens_the_tunnel_itself_is_named_by_its_certificate(tmp_path: Path) -> None:
    context = Authority(tmp_path, "Company Inspection CA").server_side("oauth2.invalid")
    with serving(OK, tls=context) as server, Proxy(behind=server.port) as proxy:
        with pytest.raises(Unreachable, match="not trusted") as caught:
            Transport({"HTTPS_PROXY": proxy.url}, total=3).send("POST", "https://oauth2.invalid/token", body=b"SECRET")
        assert server.requests == []
    assert "CN=Company Inspection CA" in caught.value.why


def test_name_and_password_of_a_proxy_reach_it_and_nobody_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "Real CA")
    with serving(OK, tls=authority.server_side("oauth2.invalid")) as server, Proxy(behind=server.port) as proxy:
        env = {"HTTPS_PROXY": f"http://ada:s3cret@{proxy.netloc}", "SSL_CERT_FILE": str(authority.bundle)}
        Transport(env, total=3).send("GET", "https://oauth2.invalid/")
    assert b"proxy-authorization: basic YWRhOnMzY3JldA==" in proxy.requests[0].replace(b"Basic", b"basic").replace(
        b"Proxy-Authorization", b"proxy-authorization"
    )
    assert b"uthorization" not in server.requests[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost"])
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    with Proxy(OK) as proxy, Server(OK, host="127.8.9.1" if host == "127.8.9.1" else "127.0.0.1") as server:
        env = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy.url)
        assert Transport(env, total=1, tries=1).send("GET", f"http://{host}:{server.port}/").status == 200
        assert proxy.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://metadata.google.internal/computeMetadata/v1/instance/id",
        "http://169.254.169.254/computeMetadata/v1/instance/id",
        "http://[fd20:ce::254]/computeMetadata/v1/instance/id",
        "http://metadata/computeMetadata/v1/instance/id",
        "https://metadata.google.internal/computeMetadata/v1/instance/id",
    ],
)
def test_no_address_of_the_metadata_server_is_reached_through_a_proxy(url: str) -> None:
    env = {"http_proxy": "http://proxy.invalid:1", "https_proxy": "http://proxy.invalid:1", "all_proxy": "http://x:1"}
    assert proxy_for(endpoints.parse(url), env) is None


def test_a_metadata_server_named_by_a_variable_is_not_reached_through_a_proxy_either() -> None:
    env = {"http_proxy": "http://proxy.invalid:1", "GCE_METADATA_HOST": "10.9.8.7:8080"}
    asked = endpoints.parse("http://metadata.google.internal/computeMetadata/v1/instance/id")
    assert proxy_for(endpoints.route(asked, env), env) is None
    assert proxy_for(endpoints.parse("http://10.9.8.7:9090/"), env) == "http://proxy.invalid:1"


def test_metadata_by_the_wire_the_proxy_hears_nothing() -> None:
    with Proxy(OK) as proxy, serving(http(200, b"robot")) as server:
        env = {"http_proxy": proxy.url, "HTTPS_PROXY": proxy.url, "GCE_METADATA_HOST": server.netloc}
        answer = Transport(env, total=3).send("GET", "http://metadata.google.internal/computeMetadata/v1/x")
        assert answer.data == b"robot"
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("no", "host", "through"),
    [
        ("service.invalid", "service.invalid", False),
        (".invalid", "deep.service.invalid", False),
        ("invalid", "service.invalid", False),
        ("*", "service.invalid", False),
        ("other.invalid, service.invalid", "service.invalid", False),
        ("service.invalid:80", "service.invalid", False),
        ("service.invalid:81", "service.invalid", True),
        ("other.invalid", "service.invalid", True),
        ("ice.invalid", "service.invalid", True),
        ("", "service.invalid", True),
    ],
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_is_respected(variable: str, no: str, host: str, through: bool) -> None:
    with Proxy(OK) as proxy:
        transport = Transport({"http_proxy": proxy.url, variable: no}, total=2, tries=1)
        if through:
            assert transport.send("GET", f"http://{host}/").status == 200
        else:
            with pytest.raises(Unreachable, match="cannot be resolved"):
                transport.send("GET", f"http://{host}/")
    assert len(proxy.requests) == through


def test_a_proxy_that_is_not_there_is_blamed_itself() -> None:
    env = {"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(Unreachable, match=r"the proxy for oauth2\.invalid cannot be used") as caught:
        Transport(env, total=3, tries=1).send("GET", "https://oauth2.invalid/")
    assert "refused" in caught.value.why
    assert "HTTPS_PROXY" in caught.value.fix


def test_a_proxy_that_refuses_the_tunnel_is_quoted() -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with Proxy(refused) as proxy, pytest.raises(Unreachable, match="the proxy for") as caught:
        Transport({"HTTPS_PROXY": proxy.url}, total=3, tries=1).send("GET", "https://oauth2.invalid/")
    assert "407" in caught.value.why
    assert "Authentication Required" in caught.value.why


def test_a_refusal_of_the_proxy_to_a_plain_request_is_a_refusal() -> None:
    with Proxy(http(403, b"<html>blocked")) as proxy, pytest.raises(Refused):
        Transport({"http_proxy": proxy.url}, total=3).send("GET", "http://service.invalid/")


@pytest.mark.parametrize("text", ["socks5://127.0.0.1:1", "ftp://127.0.0.1", "http://[::bad", "http://a b:1", "://x"])
def test_a_proxy_of_a_kind_that_is_not_spoken_or_no_url_is_a_usage_error_without_its_password(text: str) -> None:
    env = {"HTTPS_PROXY": text.replace("://", "://ada:s3cret@")}
    with pytest.raises(UsageError, match="the proxy for") as caught:
        Transport(env, total=3).send("GET", "https://oauth2.invalid/")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(UsageError):
        open_connection_pool(endpoints.parse("https://oauth2.invalid/"), env)
