"""The client: options bound once; token, header, request and the rest are its methods."""

import os
import time

from gbearer import broker, grammar, output, profiles, sources, warm
from gbearer.profiles.ask import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import BinaryIO

    import urllib3

    from gbearer.endpoints import URL
    from gbearer.model import Ask, Token
    from gbearer.profiles import Chosen

    Wanted = tuple[str, tuple[str, ...] | None, str | None, bool]
    Entry = tuple[float, float, dict[str, str], Token, Ask]
    Placed = tuple[Token, dict[str, str]]
    Document = str | os.PathLike[str] | Mapping[str, object]

_MOST_HELD = 1000
_QUIET = 30.0
"""Seconds for which a token that could not be renewed is served without another try, if it lives as long."""


class Client:
    """Options of the command line, bound once; safe for threads and after a fork.

    credentials    a path, the JSON itself, or the same as a mapping; None looks where `source` says
    source         "auto" (what None means), "adc", "file", "login", "gcloud", "metadata", "env", or with `provider`
                   "aws", "github", "gitlab", "azure"
    profile        a named set of these options, for those that are not given here; None takes the one that
                   GBEARER_PROFILE, the nearest .gbearer.ini or `gbearer profile use` chooses, "none" takes none
    account        of those who are signed in (login, gcloud): this one; `provider` trusts sources like "aws"
    expect_role    on AWS: the ARN without which nothing is exchanged; `aws_token` "jwt" for an OIDC provider
    scopes         of access tokens, short or whole
    audience       of ID tokens; with it `header` and `request` carry an ID token
    impersonate    a service account, or a chain of them that ends with the target; `delegates` come before it
    subject        the user to act for (domain-wide delegation)
    boundary       what access tokens are held down to: a path, JSON, or the same as a mapping; or, for one
                   `bucket` of Cloud Storage, what `role` leaves of the objects whose names begin with `prefix`
    lifetime       of access tokens: seconds, or "15m"; `min_ttl` likewise: the least life an answer has left
    quota_project  sent as x-goog-user-project; GOOGLE_CLOUD_QUOTA_PROJECT, then the credential's own otherwise
    cache          False touches no disk
    trust_config   accept hosts in the credential file that are not Google's
    env, clock     variables (os.environ) and Unix time in seconds
    Environment, profile and files are looked at again when a token is renewed, and after `reset`.
    Raises UsageError that names every contradiction at once. Methods raise gbearer.Error and nothing of a library.
    """

    def __init__(
        self,
        *,
        credentials: "Document | None" = None,
        source: str | None = None,
        profile: str | None = None,
        account: str | None = None,
        scopes: "Iterable[str]" = (),
        audience: str | None = None,
        impersonate: "str | Iterable[str] | None" = None,
        delegates: "Iterable[str]" = (),
        subject: str | None = None,
        provider: str | None = None,
        expect_role: str | None = None,
        aws_token: str | None = None,
        boundary: "Document | None" = None,
        bucket: str | None = None,
        prefix: str | None = None,
        role: str | None = None,
        lifetime: int | str | None = None,
        quota_project: str | None = None,
        min_ttl: int | str = 0,
        cache: bool = True,
        trust_config: bool = False,
        env: "Mapping[str, str] | None" = None,
        clock: "Callable[[], float]" = time.time,
    ) -> None:
        chain = [impersonate] if isinstance(impersonate, str) else list(impersonate or ())
        self._named = profile
        self._typed = {
            "credentials": _text(credentials),
            "source": source,
            "account": account,
            "scope": grammar.scopes(scopes) or None,
            "audience": audience,
            "impersonate": chain[-1] if chain else None,
            "delegate": [*delegates, *chain[:-1]] or None,
            "subject": subject,
            "provider": provider,
            "expect-role": expect_role,
            "aws-token": aws_token,
            "boundary": _text(boundary),
            "bucket": bucket,
            "prefix": prefix,
            "role": role,
            "lifetime": lifetime,
            "quota-project": quota_project,
            "min-ttl": min_ttl or None,
            "no-cache": None if cache else True,
            "trust-config": trust_config or None,
        }
        self._env = os.environ if env is None else env
        self._clock = clock
        self._broker = broker.shared() if env is None and clock is time.time else broker.Broker(env, clock)
        self._held: dict[object, Entry] = {}
        self._pools: dict[tuple[int, str], urllib3.PoolManager] = {}
        self._project: str | None = None
        self._profile: Chosen | None = None
        self._ask(self.wanted("access"))
        self._ask(self.wanted("header"))

    def token(
        self,
        *,
        scopes: "Iterable[str] | None" = None,
        refresh: bool = False,
        kind: str = "access",
        audience: str | None = None,
    ) -> "Token":
        """An access token; with kind="jwt" a self-signed JWT for `audience` or scopes. `.value` is the secret."""
        return self._get(self.wanted(kind, scopes, audience, refresh))[3]

    def id_token(self, audience: str | None = None, *, refresh: bool = False) -> "Token":
        """An ID token for `audience` (the bound one when None)."""
        return self._get(self.wanted("id", audience=audience, refresh=refresh))[3]

    def header(self, *, audience: str | None = None) -> dict[str, str]:
        """The headers of one request, in a fresh dict: Authorization, and x-goog-user-project where one applies.

        An ID token when there is an audience, here or bound; an access token otherwise.
        """
        held = self._held.get(audience)
        if held is not None and held[0] <= self._clock() < held[1]:
            return held[2].copy()
        kept = self._held
        entry = kept[audience] = self._get(self.wanted("header", audience=audience))
        return entry[2].copy()

    def wanted(
        self, kind: str, scopes: "Iterable[str] | None" = None, audience: str | None = None, refresh: bool = False
    ) -> "Wanted":
        """What is asked for beside the bound options, as memory files it. "header" is an ID token for an audience."""
        return kind, None if scopes is None else grammar.scopes(scopes), audience, refresh

    def ready(self, wanted: "Wanted") -> "Placed | None":
        """Token and headers if memory holds them: no file, no network. For callers that must not wait."""
        held = self._held.get(wanted)
        if held is None or wanted[3] or not held[0] <= self._clock() < held[1]:
            return None
        return held[3], held[2].copy()

    def place(self, wanted: "Wanted") -> "Placed":
        """Token and headers, from memory or from wherever they have to come."""
        entry = self._get(wanted)
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

        if audience is None and auth in ("auto", "id"):
            audience = self._bound_audience()
        hands = call.Hands(self._env, self._place, self._renew, self._pool, self._universe)
        response = call.call(
            hands,
            method,
            url,
            body=Body(data, json),
            headers=headers,
            auth=auth,
            audience=audience,
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
            from gbearer.transport import Transport

            look, transport = sources.Look(self._env), Transport(self._env)
            ask = self._ask(self.wanted("access"), look)
            self._project = sources.project(look, sources.locate(ask, look, transport), transport)
        return self._project

    def reset(self) -> None:
        """Forget what memory holds: environment, profile and files are looked at again."""
        self._held = {}
        self._pools = {}
        self._project = None
        self._profile = None
        self._broker.reset()

    def _ask(self, wanted: "Wanted", look: "sources.Look | None" = None) -> "Ask":
        """The question, with the options that are bound and those of the profile that is in force now."""
        look = look or sources.Look(self._env)
        self._profile = profile = profiles.options(look, self._named)
        kind, scopes, audience, refresh = wanted
        typed = {**self._typed, "audience": audience, "refresh": refresh or None}
        if kind in ("id", "header") and audience is None:
            typed["audience"] = self._typed["audience"]
        if kind == "header":
            kind = "access" if typed["audience"] is None and "audience" not in profile.values else "id"
        if kind == "id":
            typed |= {"scope": None, "lifetime": None}  # both are about access tokens
        elif scopes is not None:
            typed["scope"] = scopes
        return ask(typed, profile, look, kind)

    def _get(self, wanted: "Wanted") -> "Entry":
        """The entry for what is wanted, from memory or from the broker."""
        kept = self._held  # reset() puts another dict in its place, and then this answer is not kept
        held = kept.get(wanted)
        if held is not None and not wanted[3] and held[0] <= self._clock() < held[1]:
            return held
        now = self._clock()
        asked = self._ask(wanted)
        token = self._broker.get(asked)
        ends = token.expires_at - max(warm.window(token.issued_at, token.expires_at), asked.min_ttl)
        if ends <= now:  # the old one, which nobody could renew: not tried again at once
            ends = min(now + _QUIET, token.expires_at - asked.min_ttl)
        entry = (now - 1, ends, output.headers(token), token, asked)
        if len(kept) >= _MOST_HELD:
            kept.clear()
        kept[*wanted[:3], False] = entry
        return entry

    def _bound_audience(self) -> str | None:
        """The audience of ID tokens for which none is named: the bound one, or the profile's."""
        bound = self._typed["audience"]
        if bound is None:
            self._profile = self._profile or profiles.options(sources.Look(self._env), self._named)
            bound = self._profile.values.get("audience")
        return None if bound is None else str(bound)

    def _place(self, kind: str, audience: str | None) -> "Placed":
        return self.place(self.wanted(kind, audience=audience))

    def _asked(self, wanted: "Wanted") -> "Ask":
        """The question whose answer memory holds; a new one where it holds none."""
        held = self._held.get(wanted)
        return self._ask(wanted) if held is None else held[4]

    def _universe(self, kind: str, audience: str | None) -> str:
        """The universe of the credential behind a token of this kind."""
        return self._broker.universe(self._asked(self.wanted(kind, audience=audience)))

    def _renew(self, kind: str, audience: str | None, refused: "Token") -> "Placed | None":
        """Another token after a 401; None where there is no other."""
        wanted = self.wanted(kind, audience=audience)
        asked = self._asked(wanted)
        self._held = {key: entry for key, entry in self._held.items() if entry[3] != refused}
        self._broker.drop(asked, refused)
        token, headers = self.place(wanted)
        return None if token == refused else (token, headers)

    def _pool(self, url: "URL") -> "urllib3.PoolManager":
        """The connections to one server; a forked child opens its own."""
        from gbearer.transport import open_connection_pool

        key = (os.getpid(), url.origin)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools[key] = open_connection_pool(url, self._env)
        return pool


def _text(document: "Document | None") -> str | None:
    """A document as an Ask holds it: a path, or JSON."""
    if document is None or isinstance(document, str):
        return document
    if isinstance(document, os.PathLike):
        return os.fspath(document)
    import json

    return json.dumps(dict(document))
