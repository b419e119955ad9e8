"""The two words that travel through the house: `Ask`, the question, and `Token`, the answer; both immutable."""

import time

from gbearer import grammar
from gbearer.errors import BadCredentials, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn, Self

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


class Ask:
    """What is wanted, checked once where it is made; hashable, compared by value.

    kind        "access" (an OAuth access token), "id" (an OIDC ID token) or "jwt" (a self-signed JWT)
    impersonate service accounts in order, the last is the target, those before it the delegates
    lifetime, min_ttl   seconds
    credentials a path, or the JSON itself; None looks at the environment
    account     which of the people who are signed in, for the sources that have some; None is the active one
    audience    of ID tokens and self-signed JWTs; of access tokens only for the sources that have one (GDCH)
    boundary    what an access token is held down to, as `boundary.canonical` writes it
    aws_token   what AWS vouches with: "signed" (a GetCallerIdentity request; the same as None) or "jwt"
    Raises UsageError that names every contradiction at once.
    """

    __slots__ = (
        "_hash", "account", "audience", "aws_token", "boundary", "credentials", "expect_role", "impersonate", "kind",
        "lifetime", "min_ttl", "no_cache", "provider", "quota_project", "refresh", "scopes", "source",
        "subject", "trust_config",
    )  # fmt: skip

    _hash: int
    kind: str
    scopes: tuple[str, ...]
    audience: str | None
    source: str
    credentials: str | None
    account: str | None
    provider: str | None
    impersonate: tuple[str, ...]
    subject: str | None
    lifetime: int | None
    boundary: str | None
    quota_project: str | None
    expect_role: str | None
    aws_token: str | None
    trust_config: bool
    min_ttl: int
    refresh: bool
    no_cache: bool

    def __init__(
        self,
        kind: str = "access",
        *,
        scopes: tuple[str, ...] = (),
        audience: str | None = None,
        source: str = "auto",
        credentials: str | None = None,
        account: str | None = None,
        provider: str | None = None,
        impersonate: tuple[str, ...] = (),
        subject: str | None = None,
        lifetime: int | None = None,
        boundary: str | None = None,
        quota_project: str | None = None,
        expect_role: str | None = None,
        aws_token: str | None = None,
        trust_config: bool = False,
        min_ttl: int = 0,
        refresh: bool = False,
        no_cache: bool = False,
    ) -> None:
        values = locals()
        put = object.__setattr__
        for name in _FIELDS:
            put(self, name, values[name])
        put(self, "_hash", hash(self._values()))
        problems = grammar.problems(self)
        if problems:
            raise UsageError("; ".join(problem for problem, _ in problems), fix="; ".join(fix for _, fix in problems))

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _FIELDS)

    def replace(self, **changes: object) -> "Self":
        """A copy with other values in the fields that are named."""
        values = {name: getattr(self, name) for name in _FIELDS}
        kind = values.pop("kind")
        return type(self)(changes.pop("kind", kind), **(values | changes))  # type: ignore[arg-type]

    def canonical(self) -> str:
        """What makes one token differ from another, as text: without what only changes how it is placed."""
        parts = {name: getattr(self, name) for name in _FIELDS if name not in _PLACING}
        parts["scopes"] = tuple(sorted(self.scopes))
        return repr(sorted((name, value) for name, value in parts.items() if value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ask) and self._values() == other._values()

    def __hash__(self) -> int:
        return self._hash

    def __setattr__(self, name: str, value: object) -> "NoReturn":
        raise AttributeError(f"Ask is immutable; use ask.replace({name}=...)")

    def __delattr__(self, name: str) -> "NoReturn":
        raise AttributeError(f"Ask is immutable; use ask.replace({name}=...)")

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in _FIELDS if getattr(self, name) not in (None, (), False, 0)}
        if self.credentials and self.credentials.lstrip().startswith("{"):
            shown["credentials"] = "<inline>"
        return f"Ask({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


_FIELDS = tuple(sorted(name for name in Ask.__slots__ if name != "_hash"))
_PLACING = ("min_ttl", "refresh", "no_cache", "quota_project", "credentials", "source", "account")


class Token:
    """An answer: the secret and what is known of it. Nothing prints it by accident; `.value` is the secret.

    kind          "access", "id" or "jwt"
    expires_at    Unix time in seconds (UTC); 0.0 where the end is unknown
    issued_at     when it was obtained, likewise
    principal     whose it is, "" where nobody said
    source        what it was made from, in words
    Raises BadCredentials when the value is no RFC 6750 b64token.
    """

    __slots__ = (
        "audience",
        "expires_at",
        "issued_at",
        "kind",
        "principal",
        "quota_project",
        "scopes",
        "source",
        "value",
    )

    value: str
    kind: str
    expires_at: float
    issued_at: float
    principal: str
    source: str
    scopes: tuple[str, ...]
    audience: str | None
    quota_project: str | None

    def __init__(
        self,
        value: str,
        kind: str,
        expires_at: float,
        principal: str = "",
        source: str = "",
        *,
        issued_at: float = 0.0,
        scopes: tuple[str, ...] = (),
        audience: str | None = None,
        quota_project: str | None = None,
    ) -> None:
        if not grammar.B64TOKEN.fullmatch(value):
            raise BadCredentials(
                "the token has characters that no bearer token may have",
                why="RFC 6750 allows letters, digits and -._~+/ with = at the end; it was not used or stored",
                fix="check the server that answered, or the variable that held the token",
            )
        values = locals()
        for name in self.__slots__:
            object.__setattr__(self, name, values[name])

    def expires_in(self, now: float | None = None) -> float:
        """Seconds of life left at `now` (Unix time; the present when None)."""
        return self.expires_at - (time.time() if now is None else now)

    def with_quota_project(self, project: str | None) -> "Token":
        """The same token with another quota project beside it."""
        if project == self.quota_project:
            return self
        return Token(
            self.value,
            self.kind,
            self.expires_at,
            self.principal,
            self.source,
            issued_at=self.issued_at,
            scopes=self.scopes,
            audience=self.audience,
            quota_project=project,
        )

    def __repr__(self) -> str:
        whose = f" of {self.principal}" if self.principal else ""
        if not self.expires_at:
            return f"<{self.kind} token{whose}, end unknown>"
        left = self.expires_in()
        return (
            f"<{self.kind} token{whose}, {int(left // 60)} min left>"
            if left > 0
            else f"<{self.kind} token{whose}, expired>"
        )

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        raise TypeError("a Token does not go into text: use token.value, or gbearer.header() for a request")

    def __reduce__(self) -> "NoReturn":
        raise TypeError("a Token is not serialised: store nothing, ask again")

    def __copy__(self) -> "Self":
        return self

    def __deepcopy__(self, memo: object) -> "Self":
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and (self.value, self.kind) == (other.value, other.kind)

    def __hash__(self) -> int:
        return hash((self.value, self.kind))

    def __setattr__(self, name: str, value: object) -> "NoReturn":
        raise AttributeError("a Token is immutable")

    def __delattr__(self, name: str) -> "NoReturn":
        raise AttributeError("a Token is immutable")
