"""AWS Signature Version 4, recomputed: whether a signed request was made with a secret, and how it is taken apart."""

import datetime
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

WINDOW = 15 * 60  # seconds that AWS lets a signature live, and that a clock may be fast
_EMPTY = hashlib.sha256(b"").hexdigest()
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[A-Za-z0-9]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9]+)"
    r"/aws4_request,\s*SignedHeaders=(?P<signed>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})\Z"
)


@dataclass(frozen=True)
class Signed:
    """A signed request for STS: `headers` by lower-case name, `when` in seconds since 1970."""

    host: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    key_id: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    signature: str
    when: float

    @property
    def session_token(self) -> str:
        """The token of temporary credentials, or the empty string."""
        return self.headers.get("x-amz-security-token", "")


def read(subject_token: str) -> Signed:
    """The request in an `aws4_request` subject token; ValueError says what cannot be read.

    The inner encoding is undone as a form's: `+` is a space, which is what Go means by it.
    """
    document = json.loads(unquote_plus(subject_token))
    if not isinstance(document, dict) or not isinstance(document.get("headers"), list):
        raise ValueError("not a serialized request")
    if document.get("method") != "POST" or document.get("body"):
        raise ValueError("the request is not a POST without a body")
    headers: dict[str, str] = {}
    for item in document["headers"]:
        name = str(item["key"]).lower()
        if name in headers:
            raise ValueError(f"header {name} is there twice")
        headers[name] = str(item["value"])
    url = urlsplit(str(document.get("url")))
    if url.scheme != "https" or not url.hostname or url.username or url.port not in (None, 443) or url.fragment:
        raise ValueError("the url is not that of an AWS STS endpoint")
    found = _AUTHORIZATION.match(headers.get("authorization", ""))
    if found is None:
        raise ValueError("the Authorization header is missing or malformed")
    date = datetime.datetime.strptime(headers.get("x-amz-date", ""), "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
    if not headers["x-amz-date"].startswith(found["day"]):
        raise ValueError("x-amz-date and the credential scope name different days")
    return Signed(
        url.hostname,
        url.path or "/",
        tuple(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))),
        headers,
        found["key"],
        found["day"],
        found["region"],
        found["service"],
        tuple(found["signed"].split(";")),
        found["signature"],
        date.replace(tzinfo=datetime.UTC).timestamp(),
    )


def fits(request: Signed, secret: str) -> bool:
    """Whether `secret` made the signature of `request`; every x-amz-* header must have been signed."""
    if "host" not in request.signed or list(request.signed) != sorted(set(request.signed)):
        return False
    if any(name.startswith("x-amz-") and name not in request.signed for name in request.headers):
        return False
    if any(name not in request.headers for name in request.signed):
        return False
    return hmac.compare_digest(_signature(request, secret), request.signature)


def _signature(request: Signed, secret: str) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in request.query)
    lines = [
        "POST",
        quote(request.path, safe="/-_.~%"),
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{' '.join(request.headers[name].split())}" for name in request.signed),
        "",
        ";".join(request.signed),
        _EMPTY,
    ]
    scope = f"{request.day}/{request.region}/{request.service}/aws4_request"
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (request.day, request.region, request.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
