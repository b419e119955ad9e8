"""The token service with AWS: signatures recomputed, the account asked, Google's own mapping; every kind of forgery."""

import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aws_servers.account import Account, Keys, account
from emulator.federated import AWS, POOL, PRINCIPAL, audience, exchange, who
from emulator.hands import TARGET, call, good, oauth_error
from gbearer import emulator
from gbearer.emulator import Emulator
from gbearer.errors import UsageError

QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
STS = "https://sts.us-east-2.amazonaws.com"
MALFORMED = "Invalid format of AWS credentials:Error at line 0:0: "
FROM_AWS = "Error from AWS STS GetCallerIdentity: 403 "


@pytest.fixture(scope="module")
def aws() -> Iterator[Account]:
    """A moto server."""
    with account() as running:
        yield running


@pytest.fixture(scope="module")
def aws_server(aws: Account) -> Iterator[Emulator]:
    """An emulator that asks it."""
    with emulator.running(aws=aws.url) as running:
        yield running


@pytest.fixture
def em(aws_server: Emulator) -> Emulator:
    """The same, with an empty log."""
    aws_server.reset()
    return aws_server


@pytest.fixture(scope="module")
def role(aws: Account) -> Keys:
    """A session in a role."""
    return aws.role("worker", "pod")


def signed(
    keys: Keys,
    url: str = f"{STS}?{QUERY}",
    region: str = "us-east-2",
    extra: Mapping[str, str] = {},
    service: str = "sts",
) -> dict[str, str]:
    """The headers of a request signed by botocore; `extra` are signed as well."""
    request = AWSRequest("POST", url, headers=dict(extra))
    SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token or None), service, region).add_auth(request)
    return {**dict(request.headers.items()), "host": url.split("/")[2].partition("?")[0]}


def serialized(
    headers: Mapping[str, str],
    url: str = f"{STS}?{QUERY}",
    *,
    provider: str = "aws",
    method: str = "POST",
    encode: Callable[[str], str] = quote,
    separators: tuple[str, str] = (",", ":"),
) -> str:
    """The subject token; the target resource is added unsigned where it is not there."""
    whole = {"x-goog-cloud-target-resource": audience(provider), **headers}
    listed = [{"key": name, "value": value} for name, value in whole.items()]
    return encode(json.dumps({"url": url, "method": method, "headers": listed}, separators=separators))


def exchanged(em: Emulator, subject_token: str) -> str:
    """The federated token for it."""
    return str(good(exchange(em, subject_token, "aws", {"subject_token_type": AWS}))["access_token"])


def refused(em: Emulator, subject_token: str) -> str:
    """What the token service says against it."""
    status, error, text = oauth_error(exchange(em, subject_token, "aws", {"subject_token_type": AWS}))
    assert (status, error) == (400, "invalid_grant")
    return text


def test_a_role_is_who_aws_says_under_googles_default_mapping(em: Emulator, role: Keys) -> None:
    token = exchanged(em, serialized(signed(role)))
    assert who(em, token) == {"principal": f"{PRINCIPAL}/{role.arn}", "sub": role.arn}
    entry = em.log()[0]
    assert (entry["principal"], entry["provider"]) == (f"{PRINCIPAL}/{role.arn}", f"{POOL}/providers/aws")


def test_a_users_long_lived_key_does_too(em: Emulator, aws: Account) -> None:
    keys = aws.user("ida")
    assert who(em, exchanged(em, serialized(signed(keys))))["sub"] == keys.arn


def test_as_python_node_and_go_write_it(em: Emulator, role: Keys) -> None:
    lower = {name.lower(): value for name, value in signed(role).items()}
    resource = {"x-goog-cloud-target-resource": audience("aws")}
    go = signed(role, extra=resource)
    assert "x-goog-cloud-target-resource" in go["Authorization"]
    for token in (
        serialized(signed(role)),
        serialized(lower),
        serialized(go, encode=lambda text: quote_plus(text.replace("&", "\\u0026")), separators=(", ", ": ")),
        serialized({**lower, "x-goog-cloud-target-resource": f"https:{audience('aws')}"}),
    ):
        assert who(em, exchanged(em, token))["sub"] == role.arn


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sts.amazonaws.com", "us-east-1"),
        ("sts.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sts-fips.us-west-2.amazonaws.com", "us-west-2"),
        ("sts.eu-west-1.api.aws", "eu-west-1"),
    ],
)
def test_every_form_of_an_sts_host(em: Emulator, role: Keys, host: str, region: str) -> None:
    url = f"https://{host}/?{QUERY}"
    assert who(em, exchanged(em, serialized(signed(role, url, region), url)))["sub"] == role.arn


def test_in_china_with_a_key_of_that_partition(em: Emulator, aws: Account, role: Keys) -> None:
    admin = {"aws_access_key_id": "admin", "aws_secret_access_key": "admin", "endpoint_url": aws.url}
    arn = "arn:aws-cn:iam::123456789012:role/worker"
    made = boto3.client("sts", region_name="cn-north-1", **admin).assume_role(RoleArn=arn, RoleSessionName="pod")
    given = made["Credentials"]
    keys = Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], arn)
    url = f"https://sts.cn-north-1.amazonaws.com.cn/?{QUERY}"
    subject = who(em, exchanged(em, serialized(signed(keys, url, "cn-north-1"), url)))["sub"]
    assert subject == "arn:aws-cn:sts::123456789012:assumed-role/worker/pod"
    assert "InvalidClientTokenId" in refused(em, serialized(signed(role, url, "cn-north-1"), url))


def test_the_default_mapping_names_the_role_without_its_session(em: Emulator, role: Keys) -> None:
    token = exchanged(em, serialized(signed(role)))
    path = "/v1/projects/-/serviceAccounts/middle@emulator-project.iam.gserviceaccount.com:generateIdToken"
    body = {"audience": "https://x.example"}
    assert call(em, "POST", path, token=token, body=body).status == 403
    arn = role.arn.rpartition("/")[0]
    member = f"principalSet://iam.googleapis.com/{POOL}/attribute.aws_role/{arn}"
    em.bind("middle@emulator-project.iam.gserviceaccount.com", member)
    good(call(em, "POST", path, token=token, body=body))


def test_the_signature_must_be_the_secrets(em: Emulator, role: Keys) -> None:
    wrong = role._replace(secret_key="x" * 40)
    assert refused(em, serialized(signed(wrong))).startswith(f"{FROM_AWS}SignatureDoesNotMatch")


@pytest.mark.parametrize("change", ["url", "x-amz-date", "x-amz-security-token", "Authorization"])
def test_what_was_signed_may_not_change(em: Emulator, role: Keys, change: str) -> None:
    headers, url = signed(role), f"{STS}?{QUERY}"
    if change == "url":
        url = f"{STS}?Version=2011-06-15&Action=AssumeRole"
    elif change == "x-amz-date":
        name = next(name for name in headers if name.lower() == change)
        headers[name] = headers[name][:-2] + ("0Z" if headers[name][-2] != "0" else "1Z")
    elif change == "x-amz-security-token":
        name = next(name for name in headers if name.lower() == change)
        headers[name] = headers[name][:-4] + "AAA="
    else:
        headers[change] = headers[change][:-1] + ("0" if headers[change][-1] != "0" else "1")
    assert refused(em, serialized(headers, url))


def test_a_header_added_under_amazons_names_must_be_signed(em: Emulator, role: Keys) -> None:
    assert "SignatureDoesNotMatch" in refused(em, serialized({**signed(role), "X-Amz-Meta": "1"}))


def test_a_session_needs_its_token_and_a_user_has_none(em: Emulator, aws: Account, role: Keys) -> None:
    assert "InvalidClientTokenId" in refused(em, serialized(signed(role._replace(token=""))))
    assert "InvalidClientTokenId" in refused(em, serialized(signed(aws.user("bob")._replace(token="x"))))


def test_a_key_that_nobody_gave_out(em: Emulator) -> None:
    nobody = Keys("ASIAAAAAAAAAAAAAAAAA", "x" * 40, "token", "")
    assert refused(em, serialized(signed(nobody))).startswith(f"{FROM_AWS}InvalidClientTokenId")


@pytest.mark.parametrize("skew", [16 * 60, -16 * 60])
def test_a_signature_lives_fifteen_minutes(em: Emulator, role: Keys, skew: int) -> None:
    token = serialized(signed(role))
    exchanged(em, token)
    em.fault({"clock_skew": skew})
    stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT")
    assert f"Signature expired or not yet current: {stamp}" in refused(em, token)


def test_another_account_is_not_the_providers(em: Emulator, role: Keys) -> None:
    em.provider("aws", {"aws": {"accountId": "999999999999"}})
    said = "The AWS account 123456789012 does not match the account 999999999999 of the provider."
    assert refused(em, serialized(signed(role))) == said


@pytest.mark.parametrize(
    ("url", "region", "said"),
    [
        (f"https://sts.us-east-2.amazonaws.com.evil.example/?{QUERY}", "us-east-2", "not an AWS STS endpoint"),
        (f"https://iam.us-east-2.amazonaws.com/?{QUERY}", "us-east-2", "not an AWS STS endpoint"),
        (f"http://sts.us-east-2.amazonaws.com/?{QUERY}", "us-east-2", "not that of an AWS STS endpoint"),
        (f"https://sts.us-east-2.amazonaws.com:8443/?{QUERY}", "us-east-2", "not that of an AWS STS endpoint"),
        (f"{STS}/?Action=GetSessionToken&Version=2011-06-15", "us-east-2", "not GetCallerIdentity"),
        (f"{STS}/?{QUERY}&Action=GetCallerIdentity", "us-east-2", "not GetCallerIdentity"),
        (f"{STS}/path?{QUERY}", "us-east-2", "not GetCallerIdentity"),
        (f"{STS}/?{QUERY}", "us-west-1", "the signature is for sts in us-west-1"),
    ],
)
def test_only_get_caller_identity_at_sts(em: Emulator, role: Keys, url: str, region: str, said: str) -> None:
    text = refused(em, serialized(signed(role, url, region), url))
    assert text.startswith(MALFORMED)
    assert said in text


def test_a_signature_for_another_service(em: Emulator, role: Keys) -> None:
    assert "the signature is for iam" in refused(em, serialized(signed(role, service="iam")))


@pytest.mark.parametrize("resource", [audience("oidc"), audience("aws") + "x", ""])
def test_the_target_resource_must_be_the_audience(em: Emulator, role: Keys, resource: str) -> None:
    text = refused(em, serialized({**signed(role), "x-goog-cloud-target-resource": resource}))
    assert "x-goog-cloud-target-resource" in text


def test_what_is_no_serialized_request(em: Emulator, role: Keys) -> None:
    headers = signed(role)
    doubled = json.dumps(
        {
            "url": f"{STS}?{QUERY}",
            "method": "POST",
            "headers": [{"key": name, "value": value} for name, value in [*headers.items(), ("Host", "x")]],
        }
    )
    for token in (
        "eyJhbGciOiJub25lIn0.e30.",
        quote("[]"),
        quote('{"headers": [7]}'),
        quote(doubled),
        serialized(headers, method="GET"),
        serialized({**headers, "host": "sts.amazonaws.com"}),
        serialized({name: value for name, value in headers.items() if name != "Authorization"}),
        serialized({**headers, "Authorization": "AWS4-HMAC-SHA256 Credential=x"}),
    ):
        assert refused(em, token).startswith(MALFORMED), token


def test_an_id_token_is_no_signed_request(em: Emulator) -> None:
    answer = exchange(em, em.subject_token(), "aws")
    assert oauth_error(answer)[1] == "invalid_request"


def exports(path: Path) -> Keys:
    """The identity in aws.sh."""
    lines = [line.removeprefix("export ") for line in path.read_text().splitlines() if line.startswith("export ")]
    read = dict(line.split("=", 1) for line in lines)
    own = "arn:aws:sts::123456789012:assumed-role/emulator-role/emulator-session"
    return Keys(read["AWS_ACCESS_KEY_ID"], read["AWS_SECRET_ACCESS_KEY"], read["AWS_SESSION_TOKEN"], own)


def test_the_emulators_own_aws_identity_needs_no_other_server(tmp_path: Path, role: Keys) -> None:
    with emulator.running(dir=tmp_path) as alone:
        own = exports(alone.dir / "aws.sh")
        assert who(alone, exchanged(alone, serialized(signed(own))))["sub"] == own.arn
        assert "InvalidClientTokenId" in refused(alone, serialized(signed(role)))
        wrong = own._replace(secret_key="x" * 40)
        assert "SignatureDoesNotMatch" in refused(alone, serialized(signed(wrong)))
    with emulator.running(dir=tmp_path) as again:
        assert exports(again.dir / "aws.sh") == own
        exchanged(again, serialized(signed(own)))


def test_a_server_that_is_not_there(tmp_path: Path, role: Keys) -> None:
    with emulator.running(dir=tmp_path, aws="http://127.0.0.1:9") as lost:
        assert "Error connecting to AWS STS" in refused(lost, serialized(signed(role)))


@pytest.mark.parametrize("url", ["https://sts.amazonaws.com", "http://10.0.0.1:5000", "127.0.0.1:5000"])
def test_only_a_server_on_this_machine_may_play_aws(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught, emulator.running(dir=tmp_path, aws=url):
        pass
    assert url in caught.value.why


def test_the_environment_names_the_server_too(
    tmp_path: Path, aws: Account, role: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GBEARER_EMULATOR_AWS", aws.url)
    with emulator.running(dir=tmp_path) as one:
        exchanged(one, serialized(signed(role)))


def test_from_aws_to_a_service_account_in_one_step(em: Emulator, role: Keys) -> None:
    token = exchanged(em, serialized(signed(role)))
    path = f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
    body = {"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
    read = good(call(em, "POST", path, token=token, body=body))
    assert who(em, read["accessToken"])["email"] == TARGET
