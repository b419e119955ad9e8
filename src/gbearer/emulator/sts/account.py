"""The AWS account that signed requests are checked against: one key of the emulator's own, and a moto server."""

import hmac
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import aiohttp

from gbearer.emulator.answers import oauth_refusal
from gbearer.emulator.sts import sigv4
from gbearer.emulator.sts.sigv4 import Signed

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_URL = re.compile(r"http://(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d{1,5}/?\Z")


@dataclass(frozen=True)
class Key:
    """An access key; `arn`, `account` and `user_id` are what GetCallerIdentity says about it, where we know.

    `name` is how the ARN of a key of the server's must end.
    """

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    arn: str = ""
    account: str = ""
    user_id: str = ""
    name: str = ""


def check_url(url: str) -> str:
    """The URL of a moto server without a final slash; ValueError when it is not on this machine."""
    if not _URL.match(url):
        raise ValueError(f"the AWS server {url!r} is not http://127.0.0.1:PORT")
    return url.rstrip("/")


async def caller(request: Signed, own: Key, server: str, now: float) -> dict[str, str]:
    """What GetCallerIdentity answers to `request`: arn, account, userid. Raises Refusal where AWS would refuse.

    The signature is always verified here, with the secret that the account knows; `server` is asked who that is.
    """
    keys = [own, *(await _moto_keys(server) if server else [])]
    known = [key for key in keys if key.key_id == request.key_id]
    if not known:
        _refuse("InvalidClientTokenId", "The security token included in the request is invalid.")
    key = known[0]
    if not hmac.compare_digest(key.session_token.encode(), request.session_token.encode()):
        _refuse("InvalidClientTokenId", "The security token included in the request is invalid")
    if not sigv4.fits(request, key.secret):
        _refuse(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    if abs(now - request.when) > sigv4.WINDOW:
        stamp = request.headers["x-amz-date"]
        _refuse("SignatureDoesNotMatch", f"Signature expired or not yet current: {stamp} is not within 15 min.")
    if key.arn:
        return {"arn": key.arn, "account": key.account, "userid": key.user_id}
    found = await _moto_caller(server, request)
    if not found["arn"].endswith(key.name):  # in a partition that does not know the key, moto names a user of its own
        _refuse("InvalidClientTokenId", "The security token included in the request is invalid.")
    return found


def _refuse(code: str, message: str) -> NoReturn:
    text = f"Error from AWS STS GetCallerIdentity: 403 {code}: {message}"
    raise oauth_refusal("invalid_grant", text)


async def _moto_keys(server: str) -> list[Key]:
    """Every active access key of the moto server; its own verification refuses requests like Google's."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
        try:
            async with session.get(f"{server}/moto-api/data.json") as response:
                data: dict[str, Any] = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            _unreachable(server)
    keys = [
        Key(one["access_key_id"], one["secret_access_key"], one.get("session_token") or "", name=one["arn"])
        for one in data.get("sts", {}).get("AssumedRole", [])
    ]
    temporary = {key.key_id for key in keys}
    keys += [
        Key(one["access_key_id"], one["secret_access_key"], name=f"/{one['user_name']}")
        for one in data.get("iam", {}).get("AccessKey", [])
        if one.get("status") == "Active" and one["access_key_id"] not in temporary
    ]
    return keys


async def _moto_caller(server: str, request: Signed) -> dict[str, str]:
    """The answer of the moto server to the request, replayed with its query and its headers."""
    query = "&".join(f"{name}={value}" for name, value in request.query)
    headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
    headers["Host"] = f"sts.{request.region}.amazonaws.com"
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False) as session:
        try:
            async with session.post(f"{server}/?{query}", headers=headers, data=b"") as response:
                status, text = response.status, await response.text()
        except (aiohttp.ClientError, TimeoutError):
            _unreachable(server)
    found = dict(re.findall(r"<(Arn|Account|UserId|Code|Message)>([^<]+)</", text))
    if status != 200 or not {"Arn", "Account", "UserId"} <= set(found):
        _refuse(found.get("Code", str(status)), found.get("Message", "no identity in the answer"))
    return {"arn": found["Arn"], "account": found["Account"], "userid": found["UserId"]}


def _unreachable(server: str) -> NoReturn:
    text = f"Error connecting to AWS STS: the server {server} of this emulator's AWS account does not answer"
    raise oauth_refusal("invalid_grant", text)
