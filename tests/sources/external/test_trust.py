"""A hostile file sends nothing anywhere: every URL in it is checked before use, and the field is named."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gbearer.errors import BadCredentials, Denied
from gbearer.sources.external import trust
from sources.external.hands import IMPERSONATION, TARGET, document, find, made_up, refusal, write

HOSTILE = [
    "https://sts.googleapis.com.evil.example/v1/token",
    "https://evil.example/sts.googleapis.com/v1/token",
    "https://sts.googleapis.com@evil.example/v1/token",
    "https://evil.example\\@sts.googleapis.com/v1/token",
    "https://evil.example#sts.googleapis.com/v1/token",
    "https://evil.example?sts.googleapis.com",
    "http://sts.googleapis.com/v1/token",
    "https://sts.googleapis.com:8443/v1/token",
    "https://stsXgoogleapis.com/v1/token",
    "https://sts.googleapis.com%2eevil.example/v1/token",
    "https://sts.googleapis.com.:443/v1/token",
    "https://ѕts.googleapis.com/v1/token",
    "https://xsts.googleapis.com.evil/v1/token",
    "//sts.googleapis.com/v1/token",
    "https://bucket.storage.googleapis.com/v1/token",
    "file:///etc/passwd",
    "https://127.0.0.1:1/v1/token",
    "http://127.0.0.1:1/v1/token",
]
GOOD = [
    "https://sts.googleapis.com/v1/token",
    "https://sts.mtls.googleapis.com/v1/token",
    "https://sts.europe-west1.rep.googleapis.com/v1/token",
    "https://sts-private.p.googleapis.com/v1/token",
    "HTTPS://STS.GOOGLEAPIS.COM/v1/token",
]


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    return write(tmp_path / "token", made_up())


def load(tmp_path: Path, content: object, env: dict[str, str] | None = None, **options: Any) -> Any:
    return find(env or {}, credentials=write(tmp_path / "fed.json", content), **options)[0]


@pytest.mark.parametrize("url", HOSTILE)
@pytest.mark.parametrize("field", ["token_url", "token_info_url", "service_account_impersonation_url"])
def test_where_secrets_would_go_elsewhere(
    tmp_path: Path, token_file: str, field: str, url: str, traffic: Callable[[], list[str]]
) -> None:
    url = url.replace("sts.", "iamcredentials.") if field.startswith("service") else url
    text = refusal(BadCredentials, lambda: load(tmp_path, document({"file": token_file}, **{field: url})))
    assert field in text
    assert traffic() == []


@pytest.mark.parametrize("url", GOOD)
def test_googles_own_hosts_in_every_form(tmp_path: Path, token_file: str, url: str) -> None:
    assert load(tmp_path, document({"file": token_file}, token_url=url)).federation.token_url == url


def test_a_universe_is_the_users_to_name_and_not_the_files(tmp_path: Path, token_file: str) -> None:
    content = document(
        {"file": token_file},
        universe_domain="evil.example",
        token_url="https://sts.evil.example/v1/token",
        token_info_url=None,
    )
    text = refusal(BadCredentials, lambda: load(tmp_path, content))
    assert "universe_domain" in text
    assert "nothing was sent" in text
    source = load(tmp_path, content, {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": "evil.example"})
    assert source.universe == "evil.example"
    elsewhere = {**content, "token_url": "https://sts.other.example/v1/token"}
    env = {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": "evil.example"}
    assert "token_url" in refusal(BadCredentials, lambda: load(tmp_path, elsewhere, env))


def test_trust_config_accepts_https_hosts(tmp_path: Path, token_file: str) -> None:
    url = "https://sts.company.example/v1/token"
    content = document({"file": token_file}, token_url=url, token_info_url=None)
    assert load(tmp_path, content, trust_config=True).federation.token_url == url
    content["token_url"] = "http://sts.company.example/v1/token"
    assert "token_url" in refusal(BadCredentials, lambda: load(tmp_path, content, trust_config=True))


def test_the_emulators_own_origin_is_accepted_while_it_is_set(tmp_path: Path, token_file: str) -> None:
    content = document(
        {"file": token_file},
        token_url="http://127.0.0.1:4711/v1/token",
        token_info_url="http://127.0.0.1:4711/v1/introspect",
        service_account_impersonation_url=IMPERSONATION.replace(
            "https://iamcredentials.googleapis.com", "http://127.0.0.1:4711"
        ),
    )
    assert load(tmp_path, content, {"GBEARER_EMULATOR_HOST": "127.0.0.1:4711"}).impersonate == (TARGET,)
    text = refusal(BadCredentials, lambda: load(tmp_path, content, {"GBEARER_EMULATOR_HOST": "127.0.0.1:4712"}))
    assert "token_url" in text


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://anywhere.example/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://localhost/token", True),
        ("http://[::1]:80/token", True),
        ("http://169.254.169.254/metadata/identity/oauth2/token", True),
        ("http://169.254.1.2/x", True),
        ("http://[fe80::1]/x", True),
        ("http://anywhere.example/token", False),
        ("http://169.254.169.254.evil.example/", False),
        ("http://169.254.300.1/", False),
        ("http://169.2540.1.1/", False),
        ("http://[fec0::1]/x", False),
        ("http://10.0.0.1/token", False),
        ("http://127.0.0.1@evil.example/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://0x7f000001/", False),
        ("http://2130706433/", False),
        ("ftp://anywhere.example/token", False),
        ("file:///token", False),
        ("https://user:secret@anywhere.example/", False),
        ("https://anywhere.example\r\nX: y/", False),
        ("", False),
    ],
)
def test_where_a_subject_token_may_come_from(
    tmp_path: Path, url: str, good: bool, traffic: Callable[[], list[str]]
) -> None:
    content = document({"url": url})
    if good:
        assert load(tmp_path, content).federation is not None
    else:
        assert "credential_source.url" in refusal(BadCredentials, lambda: load(tmp_path, content))
    assert traffic() == []


def test_plain_http_to_anywhere_only_on_trust(tmp_path: Path) -> None:
    assert load(tmp_path, document({"url": "http://vault.internal/token"}), trust_config=True)


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "1\r\nHost: evil"}, {"X A": "1"}, {"": "1"}, {"Host": "evil.example"}, {"X": 7}, ["X"], {"X": "\x00"}],
)
def test_headers_that_would_be_more_than_headers(tmp_path: Path, headers: object) -> None:
    content = document({"url": "https://x.example", "headers": headers})
    assert "credential_source.headers" in refusal(BadCredentials, lambda: load(tmp_path, content))


def test_an_executable_is_not_run_unless_the_user_says_so(tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    content = document({"executable": {"command": f"touch {proof}"}})
    for value in ("", "0", "true", "yes", " 1"):
        env = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": value, "PATH": os.environ["PATH"]}
        text = refusal(Denied, lambda env=env: load(tmp_path, content, env))  # type: ignore[misc]
        assert "export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1" in text
        assert "'touch'" in text
    assert not proof.exists()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://169.254.169.254/latest/meta-data/iam/security-credentials", True),
        ("http://[fd00:ec2::254]/latest/api/token", True),
        ("http://127.0.0.1:1338/latest/meta-data", True),
        ("https://169.254.169.254/latest", False),
        ("http://169.254.169.254:8080/latest", False),
        ("http://169.254.170.2/v2/credentials", False),
        ("http://127.0.0.1:1339/latest", False),
        ("http://evil.example/latest", False),
        ("http://169.254.169.254@evil.example/latest", False),
    ],
)
def test_addresses_of_aws_metadata(url: str, good: bool) -> None:
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1338"}
    if good:
        assert str(trust.aws_metadata_url("region_url", url, "fed.json", env, trust=False)) == url
    else:
        text = refusal(BadCredentials, lambda: trust.aws_metadata_url("region_url", url, "fed.json", env, trust=False))
        assert "region_url" in text
        assert "fed.json" in text


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", True),
        ("https://sts.amazonaws.com?Action=GetCallerIdentity", True),
        ("https://sts-fips.{region}.amazonaws.com", True),
        ("https://sts.cn-north-1.amazonaws.com.cn", True),
        ("https://sts.us-gov-west-1.amazonaws.com", True),
        ("https://sts.{region}.api.aws", True),
        ("https://sts.cn-north-1.api.amazonwebservices.com.cn", True),
        ("http://127.0.0.1:5000/?Action=GetCallerIdentity", True),
        ("http://sts.{region}.amazonaws.com", False),
        ("https://sts.{region}.amazonaws.com:444", False),
        ("https://sts.{region}.amazonaws.com.evil.example", False),
        ("https://sts.evil.example.amazonaws.com", False),
        ("https://bucket.s3.amazonaws.com", False),
        ("https://sts.{region}@evil.example", False),
        ("https://{region}.evil.example", False),
        ("http://127.0.0.1:5001/", False),
    ],
)
def test_hosts_of_aws_sts(url: str, good: bool) -> None:
    env = {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:5000"}
    if good:
        assert trust.aws_sts_url("verification", url, "fed.json", env, trust=False).origin
    else:
        text = refusal(BadCredentials, lambda: trust.aws_sts_url("verification", url, "fed.json", env, trust=False))
        assert "verification" in text


def test_a_hostile_command_line_prints_nothing_and_sends_nothing(
    tmp_path: Path, token_file: str, capsys: Any, traffic: Callable[[], list[str]]
) -> None:
    """The whole program, over every hostile spelling: an error, an empty stdout, no lookup and no connection."""
    from gbearer import cli

    for url in HOSTILE:
        path = tmp_path / "hostile.json"
        path.write_text(json.dumps(document({"file": token_file}, token_url=url)))
        code = cli.main(["token", "--no-cache", "--credentials", str(path)], env={"HOME": str(tmp_path)})
        out, err = capsys.readouterr()
        assert (code, out) == (4, "")
        assert "token_url" in err
    assert traffic() == []
