"""AWS subject tokens: a signed GetCallerIdentity request, checked as Google checks it and then asked of AWS."""

import re
from typing import Any

from gbearer.emulator.answers import Refusal, oauth_refusal
from gbearer.emulator.sts import account, sigv4
from gbearer.emulator.sts.pools import Provider

HOST = re.compile(
    r"sts\.amazonaws\.com|(?:sts|sts-fips)\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)\Z"
)
_QUERY = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


async def verified(provider: Provider, token: str, own: account.Key, server: str, now: float) -> dict[str, Any]:
    """`arn`, `account` and `userid` behind the signed request in `token`; raises Refusal."""
    try:
        request = sigv4.read(token)
    except (ValueError, KeyError, TypeError) as error:
        raise _malformed(str(error) or type(error).__name__) from None
    host = HOST.fullmatch(request.host)
    if host is None or request.headers.get("host", "").lower() != request.host:
        raise _malformed(f"the host {request.host} is not an AWS STS endpoint, or the host header differs")
    if request.path != "/" or dict(request.query) != _QUERY or len(request.query) != len(_QUERY):
        raise _malformed("the request is not GetCallerIdentity, version 2011-06-15")
    if request.service != "sts" or request.region != (host["region"] or "us-east-1"):
        raise _malformed(f"the signature is for {request.service} in {request.region}, the host {request.host}")
    target = request.headers.get("x-goog-cloud-target-resource", "")
    if target.removeprefix("https:") != provider.audience:
        raise _malformed(f"x-goog-cloud-target-resource is {target!r}, the audience {provider.audience}")
    found = await account.caller(request, own, server, now)
    expected = str(provider.settings["accountId"])
    if found["account"] != expected:
        text = f"The AWS account {found['account']} does not match the account {expected} of the provider."
        raise oauth_refusal("invalid_grant", text)
    return dict(found)


def _malformed(what: str) -> Refusal:
    return oauth_refusal("invalid_grant", f"Invalid format of AWS credentials:Error at line 0:0: {what}")
