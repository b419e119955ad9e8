"""URLs: one strict reading, which hosts may be sent which secret, and what the emulator's variable may say."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from gbearer import endpoints
from gbearer.errors import BadCredentials, UsageError

EMULATOR = {"GBEARER_EMULATOR_HOST": "127.0.0.1:8080"}

REFUSED = [
    "", " ", "oauth2.googleapis.com/token", "//oauth2.googleapis.com/token", "https:oauth2.googleapis.com",
    "https:/oauth2.googleapis.com", "https:///token", "https://", "https://?x", "https://#x", "https://:443/",
    "ftp://oauth2.googleapis.com/", "file:///etc/passwd", "javascript:alert(1)", "gopher://x/", "data:text/plain,x",
    "https://user@oauth2.googleapis.com/", "https://user:pw@oauth2.googleapis.com/", "https://@oauth2.googleapis.com/",
    "https://oauth2.googleapis.com@evil.example/", "https://oauth2.googleapis.com:443@evil.example/",
    "https://evil.example\\@oauth2.googleapis.com/", "https://evil.example\\.oauth2.googleapis.com/",
    "https:\\\\oauth2.googleapis.com/", "https://oauth2.googleapis.com\\evil", "https://oauth2.googleapis.com/a\\b",
    " https://oauth2.googleapis.com/", "https://oauth2.googleapis.com/ ", "https://oauth2.googleapis.com/a b",
    "https://oauth2.googleapis.com/\n", "https://oauth2.googleapis.com\n", "https://oauth2.googleapis.com\r\nHost: x",
    "https://oauth2.googleapis.com/\r\nX-Evil: 1", "https://oauth2.google\tapis.com/", "ht\ntps://a/", "\x00https://a/",
    "https://oauth2.googleapis.com/\x00", "https://oauth2.googleapis.com/\x7f", "https://oauth2.googleapis.com/é",
    "https://oauth2.googleapis.com/\u2028", "https://oauth2.googleapis.com./", "https://oauth2..googleapis.com/",
    "https://.googleapis.com/", "https://-x.googleapis.com/", "https://x-.googleapis.com/", "https://%6fauth2.x/",
    "https://oauth2.googleapis.com%2f.evil.example/", "https://oauth2.googleapis.com%00.evil/", "https://оauth2.com/",
    "https://oauth2。googleapis.com/", "https://oauth2．googleapis.com/", "https://ｇoogle.com/", "https://ſts.x/",
    "https://\u212a.x/", "https://goo\u00adgle.com/", "https://goo\u200bgle.com/", "https://a,b/", "https://a;b/",
    "https://a|b/", "https://a'b/", 'https://a"b/', "https://a*b/", "https://*/", "https://{a,b}/", "https://a[1-3]/",
    "https://a$b/", "https://a`b/", "https://(a)/", "https://a:b/", "https://a:/", "https://a:0/", "https://a:65536/",
    "https://a:443:443/", "https://a:+443/", "https://a:٤٤٣/", "https://a:-1/", "https://a:443x/", "https://a: 443/",
    "https://[::1/", "https://::1]/", "https://[::1]x/", "https://[]/", "https://[::1%25eth0]/", "https://[fe80::1%eth0]/",
    "https://[v1.x]/", "https://[::g]/", "https://[/", "httpss://a/", "https ://a/", "HTTPS//a", "https://a/\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_two_parsers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a URL") as caught:
        endpoints.parse(text, "token_uri")
    assert "\n" not in caught.value.message
    assert "\r" not in caught.value.message
    with pytest.raises(BadCredentials) as bad:
        endpoints.check_field("token_uri", text, "key.json", {}, trust=True)
    assert "token_uri in key.json" in bad.value.message


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://oauth2.googleapis.com/token", "https://oauth2.googleapis.com", "/token"),
        ("HTTPS://OAuth2.GoogleAPIs.COM/Token", "https://oauth2.googleapis.com", "/Token"),
        ("https://a.b:443/x", "https://a.b", "/x"),
        ("http://a.b:80", "http://a.b", "/"),
        ("http://a.b:443", "http://a.b:443", "/"),
        ("https://a.b:0443/x", "https://a.b", "/x"),
        ("https://a?x=/y", "https://a", "/?x=/y"),
        ("https://a/x?y#z", "https://a", "/x?y"),
        ("https://a#z", "https://a", "/"),
        ("https://a/#@evil.example/", "https://a", "/"),
        ("https://a?@evil.example/", "https://a", "/?@evil.example/"),
        ("https://a/@evil.example", "https://a", "/@evil.example"),
        ("https://a//evil.example", "https://a", "//evil.example"),
        ("https://a/../b", "https://a", "/../b"),
        ("http://[::1]:8080/", "http://[::1]:8080", "/"),
        ("http://[FD20:CE::254]/", "http://[fd20:ce::254]", "/"),
        ("https://my_bucket.storage.googleapis.com/o", "https://my_bucket.storage.googleapis.com", "/o"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example", "/"),
        ("https://a/%0d%0aX:1", "https://a", "/%0d%0aX:1"),
    ],
)
def test_a_plain_url_is_read_as_every_parser_reads_it(text: str, origin: str, target: str) -> None:
    url = endpoints.parse(text)
    assert (url.origin, url.target) == (origin, target)
    assert str(url) == origin + target
    assert endpoints.parse(str(url)).origin == origin
    theirs = urlsplit(text)
    assert theirs.hostname == url.host.strip("[]")
    assert (theirs.port or {"http": 80, "https": 443}[theirs.scheme]) == url.port


def test_every_single_character_in_a_host_is_refused_or_part_of_the_name() -> None:
    for number in [*range(0x250), 0x2024, 0x3002, 0xFF0E, 0xFF61, 0x2100, 0x212A, 0x17F, 0xFE52]:
        char = chr(number)
        try:
            url = endpoints.parse(f"https://oauth2{char}evil.example/token")
        except UsageError:
            continue
        assert url.host.endswith("evil.example") or char in "/?#", repr(char)
        assert not endpoints.is_google(url.host)
        assert url.host == "oauth2" or char.lower() in "abcdefghijklmnopqrstuvwxyz0123456789-_.", repr(char)


LOOPBACK = ["127.0.0.1", "127.1.2.3", "127.255.255.255", "[::1]", "localhost"]
NO_LOOPBACK = [
    "127.0.0.1.evil.example", "localhost.evil.example", "127.1", "127.0.1", "2130706433", "0x7f000001", "0177.0.0.1",
    "127.0.0.01", "127.0.0.08", "127.0.0.256", "127.0.0.1.", "0.0.0.0", "0", "[::]", "[::ffff:127.0.0.1]", "[::2]",
    "[0:0:0:0:0:0:0:1]", "128.0.0.1", "1127.0.0.1", "localhostx", "xlocalhost", "local", "10.0.0.1", "", "127.0.0.1 ",
    "127.0.0.1\n", "127.0.0.١", "evil.localhost",
]  # fmt: skip


def test_this_machine_is_what_is_spelt_so_and_nothing_else() -> None:
    assert all(endpoints.is_loopback(host) for host in LOOPBACK)
    assert not [host for host in NO_LOOPBACK if endpoints.is_loopback(host)]


GOOGLE = [
    "googleapis.com", "oauth2.googleapis.com", "a.b.c.googleapis.com", "my_bucket.storage.googleapis.com",
    "accounts.google.com", "f-abc-ew.a.run.app", "europe-west1-p.cloudfunctions.net", "p.appspot.com", "metadata",
    "metadata.google.internal", "169.254.169.254", "[fd20:ce::254]", "eu.gcr.io", "europe-docker.pkg.dev",
]  # fmt: skip
NOT_GOOGLE = [
    "evilgoogleapis.com", "googleapis.com.evil.example", "oauth2-googleapis.com", "googleapis.co",
    "google.com.evil.example",
    "xgoogle.com", "run.app.evil.example", "notrun.app", "metadata.evil.example", "xmetadata", "169.254.169.25",
    "1169.254.169.254", "googleapis.comx", "", "com", "googleapis", ".googleapis.com", "example.com",
]  # fmt: skip


def test_google_is_what_ends_like_google_and_no_look_alike() -> None:
    assert not [host for host in GOOGLE if not endpoints.is_google(host)]
    assert not [host for host in NOT_GOOGLE if endpoints.is_google(host)]


GOOD_HOSTS = [
    "oauth2.googleapis.com", "oauth2.mtls.googleapis.com", "us-east1.oauth2.googleapis.com",
    "oauth2.us-east1.googleapis.com", "oauth2.us-east1.rep.googleapis.com", "oauth2.us-east1.rep.mtls.googleapis.com",
    "us-east1-oauth2.googleapis.com", "oauth2-private.p.googleapis.com", "us.oauth2.mtls.googleapis.com",
]  # fmt: skip
BAD_HOSTS = [
    "oauth2.googleapis.com.evil.example", "evil-oauth2.googleapis.com.evil.example", "oauth2.evilgoogleapis.com",
    "oauth2xgoogleapis.com", "oauth2.googleapisxcom", "oauth2googleapis.com", "xoauth2.googleapis.com",
    "oauth2x.googleapis.com", "storage.googleapis.com", "oauth2.storage.googleapis.com", "www.googleapis.com",
    "oauth2.commondatastorage.googleapis.com", "oauth2.storage-download.googleapis.com",
    "a.b.oauth2.googleapis.com", "oauth2.a.b.googleapis.com", "oauth2-x.q.googleapis.com", "oauth2-x.googleapis.com",
    "oauth2_x.p.googleapis.com", "my_oauth2.googleapis.com", "googleapis.com", "oauth2", "oauth2.google.com",
    "oauth2.example.com", "OAUTH2.googleapis.com", "oauth2.googleapis.com\n", "sts.googleapis.com", "",
]  # fmt: skip


def test_a_services_hosts_are_the_named_ones_and_no_look_alike() -> None:
    assert not [host for host in GOOD_HOSTS if not endpoints.service_host(host, "oauth2")]
    assert not [host for host in BAD_HOSTS if endpoints.service_host(host, "oauth2")]
    assert endpoints.service_host("oauth2.example.com", "oauth2", "example.com")
    assert not endpoints.service_host("oauth2.exampleXcom", "oauth2", "example.com")
    assert not endpoints.service_host("oauth2.googleapis.com", "oauth2", "example.com")
    assert not endpoints.service_host("anything.googleapis.com", ".*")


@pytest.mark.parametrize(
    ("field", "url"),
    [
        *[("token_uri", f"https://{host}/token") for host in GOOD_HOSTS],
        ("token_uri", "https://www.googleapis.com/oauth2/v4/token"),
        ("token_uri", "https://accounts.google.com/o/oauth2/token"),
        ("token_uri", "https://oauth2.googleapis.com:443/token"),
        ("service_account_impersonation_url", f"{endpoints.IAM_CREDENTIALS}/a@b:generateAccessToken"),
        ("service_account_impersonation_url", "https://iamcredentials.us-east1.rep.googleapis.com/v1/x"),
        ("revoke_url", "https://oauth2.googleapis.com/revoke"),
        ("revoke_url", "https://accounts.google.com/o/oauth2/revoke"),
        ("token_info_url", "https://sts.googleapis.com/v1/introspect"),
    ],
)
def test_what_google_writes_into_its_files_is_taken(field: str, url: str) -> None:
    assert str(endpoints.check_field(field, url, "key.json", {})) == url.replace(":443", "")


@pytest.mark.parametrize(
    ("field", "url"),
    [
        *[("token_uri", f"https://{host}/token") for host in BAD_HOSTS if host and "\n" not in host and host.islower()],
        ("token_uri", "http://oauth2.googleapis.com/token"),
        ("token_uri", "https://oauth2.googleapis.com:8443/token"),
        ("token_uri", "http://127.0.0.1:8080/token"),
        ("token_uri", "http://localhost/token"),
        ("token_uri", "https://169.254.169.254/token"),
        ("token_uri", "https://iamcredentials.googleapis.com/token"),
        ("token_uri", "https://www.googleapis.com/upload/storage/v1/b/evil/o?uploadType=media&name=stolen"),
        ("token_uri", "https://www.googleapis.com/oauth2/../upload/storage/v1/b/evil/o"),
        ("token_uri", "https://www.googleapis.com/oauth2/v4/token/../../../upload"),
        ("token_uri", "https://accounts.google.com/signin/continue"),
        ("service_account_impersonation_url", "https://oauth2.googleapis.com/v1/x"),
        ("service_account_impersonation_url", "https://iamcredentials.googleapis.com.evil.example/v1/x"),
        ("revoke_url", "https://evil.example/revoke"),
    ],
)
def test_no_secret_goes_where_the_file_alone_says(field: str, url: str) -> None:
    with pytest.raises(BadCredentials, match=f"{field} in key.json names ") as caught:
        endpoints.check_field(field, url, "key.json", {})
    assert "nothing was sent" in caught.value.why
    assert ("--trust-config" in caught.value.fix) is not url.startswith(("http://127", "http://localhost"))


def test_trust_is_for_tls_and_this_machine_and_never_in_the_clear() -> None:
    for url in ("https://idp.example/token", "http://127.0.0.1:99/token"):
        assert str(endpoints.check_field("token_uri", url, "k", {}, trust=True)) == url
    with pytest.raises(BadCredentials):
        endpoints.check_field("token_uri", "http://idp.example/token", "k", {}, trust=True)


def test_a_file_of_the_emulator_is_taken_while_that_emulator_is_set() -> None:
    url = "http://127.0.0.1:8080/token"
    assert str(endpoints.check_field("token_uri", url, "k", EMULATOR)) == url
    for other in ("http://127.0.0.1:8081/token", "https://127.0.0.1:8080/token", "http://localhost:8080/token"):
        with pytest.raises(BadCredentials):
            endpoints.check_field("token_uri", other, "k", EMULATOR)
    with pytest.raises(BadCredentials) as caught:
        endpoints.check_field("token_uri", url, "k", {})
    assert caught.value.fix.endswith("export GBEARER_EMULATOR_HOST=127.0.0.1:8080")


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "127.9.9.9:1", "[::1]:65535"])
def test_the_emulator_is_a_loopback_literal_with_a_port(text: str) -> None:
    here = endpoints.emulator({"GBEARER_EMULATOR_HOST": text})
    assert here is not None
    assert here.origin == f"http://{text}"


@pytest.mark.parametrize(
    "text",
    ["localhost:8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:080x", ":8080", "8080",
     "http://127.0.0.1:8080", "127.0.0.1:8080/", "127.0.0.1:8080/x", " 127.0.0.1:8080", "127.0.0.1:8080 ",
     "10.0.0.1:80",
     "127.0.0.1:8080\n", "127.0.0.1:8080@evil.example:80", "evil.example:80", "127.0.0.1.evil.example:80", "0.0.0.0:80",
     "user@127.0.0.1:80", "127.1:80", "2130706433:80", "0x7f.0.0.1:80", "127.0.0.08:80", "::1:80", "[::]:80", " ",
     "[::ffff:127.0.0.1]:80", "metadata.google.internal:80", "127.0.0.1:٨٠", "127.0.0.1:8080,evil.example:80", "0"],
)  # fmt: skip
def test_an_emulator_variable_that_says_anything_else_is_an_error_and_no_shrug(text: str) -> None:
    env = {"GBEARER_EMULATOR_HOST": text}
    runs: list[Callable[[], object]] = [
        lambda: endpoints.emulator(env),
        lambda: endpoints.route(endpoints.parse("https://oauth2.googleapis.com/token"), env),
        lambda: endpoints.check_field("token_uri", "http://127.0.0.1:8080/token", "k", env),
        lambda: endpoints.made_by_emulator("emulator-1", "key", "k", env),
    ]
    for run in runs:
        with pytest.raises(UsageError, match="GBEARER_EMULATOR_HOST") as caught:
            run()
        assert "export GBEARER_EMULATOR_HOST=127.0.0.1:PORT" in caught.value.fix
        assert "\n" not in caught.value.message


def test_without_the_variable_there_is_no_emulator() -> None:
    assert endpoints.emulator({}) is None
    assert endpoints.emulator({"GBEARER_EMULATOR_HOST": ""}) is None


@pytest.mark.parametrize("host", GOOGLE)
def test_with_an_emulator_no_google_host_is_dialled(host: str) -> None:
    for scheme in ("http", "https"):
        for path in ("/", "/computeMetadata/v1/x", "/token?x=y"):
            sent = endpoints.route(endpoints.parse(f"{scheme}://{host}{path}"), EMULATOR)
            assert (sent.origin, sent.target) == ("http://127.0.0.1:8080", path)


def test_with_an_emulator_a_metadata_variable_counts_only_for_this_machine() -> None:
    asked = endpoints.parse("http://metadata.google.internal/computeMetadata/v1/x")
    for variable in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"):
        assert endpoints.route(asked, EMULATOR | {variable: "10.0.0.1"}).origin == "http://127.0.0.1:8080"
        assert endpoints.route(asked, EMULATOR | {variable: "127.0.0.1:99"}).origin == "http://127.0.0.1:99"
        assert endpoints.route(asked, {variable: "10.0.0.1:99"}).origin == "http://10.0.0.1:99"
    assert endpoints.route(asked, {}).origin == "http://metadata.google.internal"


@pytest.mark.parametrize("text", ["evil@x", "a b", "https://x", "x\ny", "http://http://x", "x:y", "\\", "é"])
def test_a_metadata_variable_that_is_no_host_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="GCE_METADATA_HOST"):
        endpoints.metadata({"GCE_METADATA_HOST": text})


def test_a_real_secret_is_refused_while_an_emulator_is_set_and_only_then() -> None:
    endpoints.made_by_emulator("emulator-1", "key", "key.json", EMULATOR)
    endpoints.made_by_emulator("0123abcd", "key", "key.json", {})
    for mark in ("", "0123abcd", "Emulator-1", " emulator-1", "xemulator-1", "emulator"):
        with pytest.raises(BadCredentials, match=r"key\.json holds a real key") as caught:
            endpoints.made_by_emulator(mark, "key", "key.json", EMULATOR)
        assert "nothing was sent" in caught.value.why
        assert not mark.strip() or mark not in str(caught.value).replace("emulator", "")
