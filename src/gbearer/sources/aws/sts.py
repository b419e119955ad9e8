"""AWS STS, asked with signed requests of our own: who are these keys, and a JWT that vouches for them."""

import re
from urllib.parse import urlencode

from gbearer import endpoints
from gbearer.errors import BadCredentials, Denied, Error, Refused, Unreachable, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gbearer.sources.aws.keys import Keys
    from gbearer.transport import Transport

QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
_VARIABLES = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
_JWT_SECONDS = "300"
_CODES_OF_KEYS = ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId")


class Caller:
    """What GetCallerIdentity says: ARN, account and user id."""

    __slots__ = ("account", "arn", "user_id")

    def __init__(self, arn: str, account: str, user_id: str) -> None:
        self.arn = arn
        self.account = account
        self.user_id = user_id


def host_url(region: str) -> str:
    """STS of a region, as Google's STS is to ask it; China has a domain of its own."""
    return f"https://sts.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def signed(keys: "Keys", region: str, url: str, headers: "Mapping[str, str] | None" = None) -> "dict[str, Any]":
    """A POST to `url` with an empty body, signed (Signature Version 4) with all of `headers`: url, method, headers."""
    from google.auth import aws

    own = aws.AwsSecurityCredentials(keys.access_key, keys.secret, keys.token or None)
    request: dict[str, Any] = aws.RequestSigner(region).get_request_options(
        own, url, "POST", additional_headers=dict(headers or {})
    )
    if "/sts/aws4_request" not in request["headers"]["Authorization"]:
        raise UsageError(
            f"this google-auth cannot sign for {endpoints.parse(url).host}",
            why="an older one takes the first part of a FIPS host's name for the name of the service",
            fix="pip install --upgrade google-auth",
        )
    return request


def caller(keys: "Keys", region: str, transport: "Transport") -> Caller:
    """Who the keys are, by GetCallerIdentity; Denied, BadCredentials or Unreachable when AWS does not say."""
    text = _call(keys, region, {"Action": "GetCallerIdentity"}, transport)
    arn, account, user_id = (_between(text, name) for name in ("Arn", "Account", "UserId"))
    if not re.fullmatch(r"arn:[!-~]{1,2000}", arn):
        raise Unreachable(
            f"what answers for AWS STS in {region} is not AWS STS",
            why="it says nothing of an ARN",
            fix="check AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL, and what stands between this machine and AWS",
        )
    return Caller(arn, account, user_id)


def web_identity_token(keys: "Keys", region: str, audience: str, transport: "Transport") -> str:
    """A JWT in which AWS vouches for the keys to `audience` (GetWebIdentityToken), good for five minutes.

    Follows https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
    """
    asked = {"Action": "GetWebIdentityToken", "Audience.member.1": audience, "DurationSeconds": _JWT_SECONDS,
             "SigningAlgorithm": "RS256"}  # fmt: skip
    token = _between(_call(keys, region, asked, transport), "WebIdentityToken")
    if not re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token):
        raise Unreachable(
            f"what answers for AWS STS in {region} gave no token",
            why="GetWebIdentityToken gives a JWT",
            fix="check AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL",
        )
    return token


def _call(keys: "Keys", region: str, asked: "Mapping[str, str]", transport: "Transport") -> str:
    """One signed request; it goes where AWS's endpoint variables say, and is signed for AWS's own host."""
    query = urlencode({**asked, "Version": "2011-06-15"})
    request = signed(keys, region, f"{host_url(region)}/?{query}")
    headers = {name: value for name, value in request["headers"].items() if name != "host"}
    url = f"{_endpoint(region, transport.env)}/?{query}"
    try:
        answer = transport.send("POST", url, body=b"", headers={**headers, "Host": request["headers"]["host"]})
    except Refused as refused:
        raise explained(refused, asked["Action"], keys, region) from refused
    return answer.data.decode("utf-8", "replace")


def _endpoint(region: str, env: "Mapping[str, str]") -> str:
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        for name in _VARIABLES:
            if env.get(name):
                named = endpoints.parse(env[name], name)
                return named.origin + named.path.rstrip("/")
    return host_url(region)


def explained(refused: Refused, action: str, keys: "Keys", region: str) -> Error:
    """A refusal of AWS STS as one of our errors; it names where the keys came from."""
    text = refused.body.decode("utf-8", "replace")
    return explain(_between(text, "Code"), _between(text, "Message"), refused.status, action, keys.source, region)


def explain(code: str, message: str, status: int, action: str, source: str, region: str) -> Error:
    """What a code of AWS's means for keys from `source`."""
    words = f"AWS STS in {region} answered {status} to {action}" + (f": {code}: {message}" if code else "")
    words = " ".join(words.split())[:400]
    who = "aws sts get-caller-identity"
    if code in _CODES_OF_KEYS:
        return BadCredentials(
            f"AWS does not accept the keys of {source}", why=words, fix=f"replace them; `{who}` shows when they work"
        )
    if code in ("ExpiredToken", "ExpiredTokenException"):
        return BadCredentials(
            f"the AWS credentials of {source} have expired", why=words, fix=f"renew them where they came from; `{who}`"
        )
    if code in ("RequestExpired", "RequestTimeTooSkewed"):
        return BadCredentials(
            "AWS refuses the request because of its time", why=words, fix="set the clock: sudo timedatectl set-ntp true"
        )
    if code == "OutboundWebIdentityFederationDisabled":
        return Denied(
            "this AWS account does not vouch for its roles outside AWS",
            why=words,
            fix="have it enabled: aws iam enable-outbound-web-identity-federation, or drop --aws-token jwt",
        )
    if status == 403 or code.startswith("AccessDenied"):
        return Denied(
            f"{source} may not call sts:{action}",
            why=words,
            fix=f"allow sts:{action} in the policy of the role that `{who}` shows"
            + (", and name that role in the trust policy of the other" if action.startswith("AssumeRole") else ""),
        )
    if status >= 500 or code == "Throttling":
        return Unreachable(f"AWS STS in {region} cannot answer now", why=words, fix="try again in a minute")
    return BadCredentials(f"AWS STS refuses what {source} asks", why=words, fix=f"check it with `{who}`")


def _between(text: str, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    if not found:
        return ""
    from html import unescape

    return unescape(found[1]).strip()
