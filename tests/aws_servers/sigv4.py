"""Signature Version 4 as AWS checks it: written from its documentation, sharing nothing with what is tested."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from aws_servers.http import Request

_FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    r"/aws4_request, ?SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_WINDOW = 15 * 60


def caller(request: Request, secrets: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """(access key, "") when the signature is right, otherwise ("", the code of AWS's error).

    Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    found = _FORM.fullmatch(request.headers.get("authorization", ""))
    if not found:
        return "", "MissingAuthenticationToken"
    secret, token = secrets.get(found["key"], ("", ""))
    if not secret or request.headers.get("x-amz-security-token", "") != token:
        return "", "InvalidClientTokenId"
    stamp = request.headers["x-amz-date"]
    then = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs((datetime.now(UTC) - then).total_seconds()) > _WINDOW:
        return "", "RequestExpired"
    names = found["names"].split(";")
    if "host" not in names or "x-amz-date" not in names:
        return "", "IncompleteSignature"
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(request.query, True))
    canonical = "\n".join(
        [
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{k}={v}" for k, v in pairs),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
            "",
            found["names"],
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    scope = f"{found['day']}/{found['region']}/{found['service']}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    right = hmac.digest(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256").hex()
    return (found["key"], "") if hmac.compare_digest(right, found["signature"]) else ("", "SignatureDoesNotMatch")
