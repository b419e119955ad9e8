"""AWS STS in front of moto: checks signatures, tokens and external ids for real, and knows GetWebIdentityToken."""

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import jwt
import urllib3

from aws_servers import sigv4
from aws_servers.account import Account
from aws_servers.http import Reply, Request, Served, serve
from aws_servers.issuer import Issuer

_POOL = urllib3.PoolManager(retries=False, timeout=10)
_PER_HOP = ("connection", "content-length")
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Sts:
    """An STS endpoint. What it is to do is set on it.

    cluster       whose tokens AssumeRoleWithWebIdentity takes
    external_ids  role ARN -> the id that AssumeRole wants for it
    closed        role ARNs that nobody may assume
    outbound      whether the account has GetWebIdentityToken enabled
    fails         (status, code, message) for every request, None for none
    """

    def __init__(self, account: Account, served: Served) -> None:
        self.account = account
        self.url = served.url
        self.requests = served.requests
        self.cluster = Issuer("https://oidc.eks.us-east-2.amazonaws.com/id/CLUSTER")
        self.vouches = Issuer("https://11111111-2222-3333-4444-555555555555.tokens.sts.global.api.aws")
        self.external_ids: dict[str, str] = {}
        self.closed: set[str] = set()
        self.outbound = True
        self.fails: tuple[int, str, str] | None = None

    def actions(self) -> list[str]:
        """What was asked, in order."""
        return [request.parameters.get("Action", "?") for request in self.requests]

    def answer(self, request: Request) -> Reply:
        """What AWS would say."""
        if self.fails:
            return refusal(*self.fails)
        asked = request.parameters
        if asked.get("Action") == "AssumeRoleWithWebIdentity":
            wrong = self._web_identity(asked)
            return wrong or self._moto(request)
        key, code = sigv4.caller(request, self.account.secrets())
        if code:
            return refusal(403, code, f"The request is refused: {code}")
        if asked.get("Action") == "AssumeRole":
            role = asked["RoleArn"]
            if role in self.closed or self.external_ids.get(role, "") != asked.get("ExternalId", ""):
                return refusal(403, "AccessDenied", f"User: {key} is not authorized to perform: sts:AssumeRole")
        if asked.get("Action") == "GetWebIdentityToken":
            return self._outbound(request, asked)
        return self._moto(request)

    def _web_identity(self, asked: dict[str, str]) -> Reply | None:
        try:
            self.cluster.claims(asked["WebIdentityToken"], "sts.amazonaws.com")
        except jwt.ExpiredSignatureError:
            return refusal(400, "ExpiredTokenException", "Token expired: current date/time must be before the end")
        except jwt.InvalidTokenError:
            return refusal(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for it")
        if asked["RoleArn"] in self.closed:
            return refusal(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return None

    def _outbound(self, request: Request, asked: dict[str, str]) -> Reply:
        if request.headers["host"] == "sts.amazonaws.com":
            return refusal(400, "InvalidAction", "Could not find operation GetWebIdentityToken on the global endpoint")
        if not self.outbound:
            told = "Outbound web identity federation is not enabled for this account"
            return refusal(403, "OutboundWebIdentityFederationDisabled", told)
        seconds = int(asked.get("DurationSeconds", "300"))
        if not 60 <= seconds <= 3600 or asked.get("SigningAlgorithm") not in ("RS256", "ES384"):
            return refusal(400, "ValidationError", "1 validation error detected")
        arn = _between(_text(self._moto(_identity(request))), "Arn")
        token = self.vouches.token(arn, asked["Audience.member.1"], lifetime=seconds)
        inner = f"<WebIdentityToken>{token}</WebIdentityToken><Expiration>2026-11-22T00:00:00Z</Expiration>"
        return Reply(200, f'<GetWebIdentityTokenResponse xmlns="{_NAMESPACE}"><GetWebIdentityTokenResult>{inner}'
                          "</GetWebIdentityTokenResult></GetWebIdentityTokenResponse>")  # fmt: skip

    def _moto(self, request: Request) -> Reply:
        query = f"?{request.query}" if request.query else ""
        headers = {name: value for name, value in request.headers.items() if name not in _PER_HOP}
        got = _POOL.request(request.method, self.account.url + "/" + query, body=request.body, headers=headers)
        return Reply(got.status, got.data, "text/xml")


def _identity(request: Request) -> Request:
    return request._replace(query="Action=GetCallerIdentity&Version=2011-06-15", body=b"")


def _text(reply: Reply) -> str:
    return reply.body.decode() if isinstance(reply.body, bytes) else str(reply.body)


def _between(text: str, name: str) -> str:
    return text.partition(f"<{name}>")[2].partition(f"</{name}>")[0]


def refusal(status: int, code: str, message: str) -> Reply:
    """An error as AWS's query protocol has it."""
    inner = f"<Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    body = f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{inner}</Error><RequestId>1</RequestId></ErrorResponse>'
    return Reply(status, body)


@contextmanager
def sts(account: Account) -> Iterator[Sts]:
    """An STS endpoint for `account`, as long as the block lasts."""
    with serve() as served:
        made = Sts(account, served)
        served.handle = made.answer
        yield made
