"""The client: options bound once; token, header, request and the rest are its methods."""

import os
import time

from gbearer import broker, grammar, output, warm
from gbearer.model import Ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    import urllib3

    from gbearer.endpoints import URL
    from gbearer.model import Token

    Placed = tuple[Token, dict[str, str]]
    Credentials = str | os.PathLike[str] | Mapping[str, object]

_MOST_HELD = 1000
_QUIET = 30.0
"""Seconds for which a token that could not be renewed is served without another try, if it lives as long."""


class Client:
    """Options of the command line, bound once; safe for threads and after a fork.

    credentials    a path, the JSON itself, or the same as a mapping; None looks where `source` says
    source         "auto", "adc", "file", "metadata", "env", or with `provider` "aws", "github", "gitlab", "azure"
    provider       the workload identity provider that trusts such a source
    expect_role    on AWS: the ARN without which nothing is exchanged; `aws_token` "jwt" for an OIDC provider
    scopes         of access tokens, short or whole
    audience       of ID tokens; with it `header` and `request` carry an ID token
    impersonate    a service account, or a chain of them that ends with the target; `delegates` come before it
    subject        the user to act for (domain-wide delegation)
    lifetime       of access tokens: seconds, or "15m"; `min_ttl` likewise: the least life an answer has left
    quota_project  sent as x-goog-user-project; GOOGLE_CLOUD_QUOTA_PROJECT, then the credential's own otherwise
    cache          False touches no disk
    trust_config   accept hosts in the credential file that are not Google's
    env, clock     variables (os.environ) and Unix time in seconds
    Raises UsageError that names every contradiction at once. Methods raise gbearer.Error and nothing of a library.
    """

    def __init__(
        self,
        *,
        credentials: "Credentials | None" = None,
        source: str = "auto",
        scopes: "Iterable[str]" = (),
        audience: str | None = None,
        impersonate: "str | Iterable[str] | None" = None,
        delegates: "Iterable[str]" = (),
        subject: str | None = None,
        provider: str | None = None,
        expect_role: str | None = None,
        aws_token: str | None = None,
        lifetime: int | str | None = None,
        quota_project: str | None = None,
        min_ttl: int | str = 0,
        cache: bool = True,
        trust_config: bool = False,
        env: "Mapping[str, str] | None" = None,
        clock: "Callable[[], float]" = time.time,
    ) -> None:
        chain = [impersonate] if isinstance(impersonate, str) else list(impersonate or ())
        self._audience = audience
        self._ask = Ask(
            "access",
            scopes=grammar.scopes(scopes),
            source=source,
            credentials=_text(credentials),
            impersonate=(*delegates, *chain),
            subject=subject,
            provider=provider,
            expect_role=expect_role,
            aws_token=aws_token,
            lifetime=None if lifetime is None else grammar.seconds(lifetime, "lifetime"),
            quota_project=quota_project,
            trust_config=trust_config,
            min_ttl=grammar.seconds(min_ttl, "min_ttl"),
            no_cache=not cache,
        )
        if audience is not None:
            self.ask("id")
        self._env = os.environ if env is None else env
        self._clock = clock
        self._broker = broker.shared() if env is None and clock is time.time else broker.Broker(env, clock)
        self._held: dict[object, tuple[float, float, dict[str, str], Token]] = {}
        self._pools: dict[tuple[int, str], urllib3.PoolManager] = {}
        self._project: str | None = None

    def token(
        self,
        *,
        scopes: "Iterable[str] | None" = None,
        refresh: bool = False,
        kind: str = "access",
        audience: str | None = None,
    ) -> "Token":
        """An access token; with kind="jwt" a self-signed JWT for `audience` or scopes. `.value` is the secret."""
        return self._get(self.ask(kind, scopes, audience, refresh))[3]

    def id_token(self, audience: str | None = None, *, refresh: bool = False) -> "Token":
        """An ID token for `audience` (the bound one when None)."""
        return self._get(self.ask("id", audience=audience, refresh=refresh))[3]

    def header(self, *, audience: str | None = None) -> dict[str, str]:
        """The headers of one request, in a fresh dict: Authorization, and x-goog-user-project where one applies.

        An ID token when there is an audience, here or bound; an access token otherwise.
        """
        held = self._held.get(audience)
        if held is not None and held[0] <= self._clock() < held[1]:
            return held[2].copy()
        kept = self._held
        entry = kept[audience] = self._get(self.ask_header(audience))
        return entry[2].copy()

    def ask(
        self, kind: str, scopes: "Iterable[str] | None" = None, audience: str | None = None, refresh: bool = False
    ) -> Ask:
        """The question for a token of this kind under the bound options."""
        if kind == "access" and scopes is None and audience is None and not refresh:
            return self._ask
        changes: dict[str, object] = {"kind": kind, "audience": audience, "refresh": refresh}
        if kind == "id":
            changes |= {"scopes": (), "lifetime": None}  # both are about access tokens
            if audience is None:
                changes["audience"] = self._audience
        elif scopes is not None:
            changes["scopes"] = grammar.scopes(scopes)
        return self._ask.replace(**changes)

    def ask_header(self, audience: str | None) -> Ask:
        """The question behind `header`: an ID token where there is an audience."""
        return self._ask if audience is None and self._audience is None else self.ask("id", audience=audience)

    def ready(self, ask: Ask) -> "Placed | None":
        """Token and headers for `ask` if memory holds them: no file, no network. For callers that must not wait."""
        held = self._held.get(ask)
        if held is None or ask.refresh or not held[0] <= self._clock() < held[1]:
            return None
        return held[3], held[2].copy()

    def place(self, ask: Ask) -> "Placed":
        """Token and headers for `ask`, from memory or from wherever they have to come."""
        entry = self._get(ask)
        return entry[3], entry[2].copy()

    def request(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        data: "bytes | str | BinaryIO | Iterable[bytes] | None" = None,
        headers: "Mapping[str, str] | None" = None,
        auth: str = "auto",
        audience: str | None = None,
        timeout: float = 70.0,
        location: bool = False,
        stream: bool = False,
    ) -> "urllib3.BaseHTTPResponse":
        """Make one HTTP call with the token that its host wants; the answer has status, headers, data, json().

        auth      "auto" (by host), "access", "id", "none"
        audience  of the ID token; given, one is sent to any host
        timeout   seconds to wait for a connection, and then for each next part of the answer
        location  follow redirects; credentials stay with scheme, host and port
        stream    leave the body unread: read or iterate it, then call release_conn()
        A 401 is answered once with a new token, where the body can be sent again. Nothing else is repeated.
        Raises UsageError before anything is sent, Unreachable where no whole answer came; any status is an answer.
        """
        from gbearer.client import call
        from gbearer.client.body import Body

        hands = call.Hands(self._env, lambda *wanted: self.place(self._asked(*wanted)), self._renew, self._pool)
        response = call.call(
            hands,
            method,
            url,
            body=Body(data, json),
            headers=headers,
            auth=auth,
            audience=self._audience if audience is None and auth in ("auto", "id") else audience,
            timeout=timeout,
            location=location,
        )
        if not stream:
            call.read_all(response, url, self._env)
        return response

    def project(self) -> str | None:
        """The project of the credential, found as Google's libraries find it; None where nobody says.

        Makes no token. Raises what finding the credential raises.
        """
        if self._project is None:
            from gbearer import sources
            from gbearer.transport import Transport

            look, transport = sources.Look(self._env), Transport(self._env)
            self._project = sources.project(look, sources.locate(self._ask, look, transport), transport)
        return self._project

    def reset(self) -> None:
        """Forget what memory holds: environment and files are looked at again."""
        self._held = {}
        self._pools = {}
        self._project = None
        self._broker.reset()

    def _get(self, ask: Ask) -> "tuple[float, float, dict[str, str], Token]":
        """The entry for `ask`, from memory or from the broker."""
        kept = self._held  # reset() puts another dict in its place, and then this answer is not kept
        held = kept.get(ask)
        if held is not None and not ask.refresh and held[0] <= self._clock() < held[1]:
            return held
        now = self._clock()
        token = self._broker.get(ask)
        ends = token.expires_at - max(warm.window(token.issued_at, token.expires_at), ask.min_ttl)
        if ends <= now:  # the old one, which nobody could renew: not tried again at once
            ends = min(now + _QUIET, token.expires_at - ask.min_ttl)
        entry = (now - 1, ends, output.headers(token), token)
        if len(kept) >= _MOST_HELD:
            kept.clear()
        kept[ask.replace(refresh=False)] = entry
        return entry

    def _asked(self, kind: str, audience: str | None) -> Ask:
        return self.ask(kind, audience=audience)

    def _renew(self, kind: str, audience: str | None, refused: "Token") -> "Placed | None":
        """Another token after a 401; None where there is no other."""
        ask = self._asked(kind, audience)
        self._held = {key: entry for key, entry in self._held.items() if entry[3] != refused}
        self._broker.drop(ask, refused)
        token, headers = self.place(ask)
        return None if token == refused else (token, headers)

    def _pool(self, url: "URL") -> "urllib3.PoolManager":
        """The connections to one server; a forked child opens its own."""
        from gbearer.transport import open_connection_pool

        key = (os.getpid(), url.origin)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = open_connection_pool(url, self._env)
        return pool


def _text(credentials: "Credentials | None") -> str | None:
    """Credentials as an Ask holds them: a path, or JSON."""
    if credentials is None or isinstance(credentials, str):
        return credentials
    if isinstance(credentials, os.PathLike):
        return os.fspath(credentials)
    import json

    return json.dumps(dict(credentials))
