"""Let google-auth obtain a token, and make of it one of ours: value, end, whose, which scopes."""

import time

from gbearer import claims, grammar, log
from gbearer.errors import Error, LoginRequired, Unreachable
from gbearer.exchange.watch import server_time
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source

_SKEW = 5.0
"""Seconds by which a server's clock may differ before it is taken into account: its `Date` has whole seconds."""


def direct(ask: "Ask", source: "Source", watch: "Watch", clock: "Callable[[], float]") -> Token:
    """The source's own token, access or ID (RFC 7523 §2.1, RFC 6749 §6, or the metadata server)."""
    if source.person:
        from gbearer.exchange import login

        credential = login.refreshed(ask, source, watch)
    else:
        credential = source.credentials(ask, watch.transport)
        refresh(credential, watch)
    if ask.kind == "id":
        value = credential.id_token if source.kind == "authorized_user" else credential.token
        if value is None:
            raise LoginRequired(
                f"the login in {source.where} gives no ID token",
                why="it was made without the scope openid",
                fix=source.sign_in or "gcloud auth application-default login",
            )
        return identity(value, ask, source.principal, source.where, watch, clock)
    scopes = tuple(ask.scopes or source.default_scopes(ask))
    return Token(
        checked(credential.token, watch),
        "access",
        lent(credential.expiry, watch, clock, by_server=False),
        ask.subject or _principal(credential, source),
        source.where,
        issued_at=clock(),
        scopes=_granted(scopes, watch) if source.person else scopes,
        audience=ask.audience,
    )


def identity(
    value: object, ask: "Ask", principal: str, where: str, watch: "Watch", clock: "Callable[[], float]"
) -> Token:
    """An ID token that was obtained, with the end and the principal that it states itself.

    Unreachable when it is not for the audience that was asked for.
    """
    text = checked(value, watch)
    told = claims.claims(text)
    ends = claims.expiry(text)
    if ends is None:
        from gbearer.exchange import explain

        raise explain.nonsense(watch, "what it gave is no ID token with an end")
    if told.get("aud") not in (ask.audience, [ask.audience]):  # RFC 7519 §4.1.3: Distributed Clouds send a list
        raise Unreachable(
            "the server gave an ID token for another audience",
            why=f"its audience is {str(told.get('aud'))[:100]!r}, not {ask.audience!r}; it was not used",
            fix="check what stands between you and Google, and try again",
        )
    whose = claims.principal(told.get("email")) or principal
    ends = _ahead(ends - _now(watch), watch, clock)
    return Token(text, "id", ends, whose, where, issued_at=clock(), audience=ask.audience)


def refresh(credential: "Any", watch: "Watch") -> None:
    """`credential.refresh`, with its errors in our words: a good answer that it cannot read is not understood."""
    _quiet()
    from google.auth.exceptions import GoogleAuthError

    from gbearer.exchange import explain

    try:
        credential.refresh(watch)
    except Error:
        raise
    except (GoogleAuthError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise explain.unread(error, watch) from error


def checked(value: object, watch: "Watch") -> str:
    """The token as text; Unreachable when the server gave something else in its place."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if isinstance(text, str) and grammar.B64TOKEN.fullmatch(text):
        return text
    from gbearer.exchange import explain

    raise explain.nonsense(watch)


def lent(expiry: "Any", watch: "Watch", clock: "Callable[[], float]", *, by_server: bool) -> float:
    """The end by `clock`, from google-auth's naive UTC datetime; 0.0 where there is none.

    google-auth reckons it from `expires_in` just now, by this machine's clock, unless the server states it by its own.
    """
    if expiry is None:
        return 0.0
    import datetime

    ends = float(expiry.replace(tzinfo=datetime.UTC).timestamp())
    return _ahead(ends - (_now(watch) if by_server else time.time()), watch, clock)


def _ahead(left: float, watch: "Watch", clock: "Callable[[], float]") -> float:
    if left <= 0:
        from gbearer.exchange import explain

        raise explain.nonsense(watch, f"the token it gave has ended {-left:.0f} s ago")
    return clock() + left


def _now(watch: "Watch") -> float:
    """The time by the clock of the server that answered last, where that differs from ours."""
    here = time.time()
    there = server_time(watch.last.headers) if watch.last is not None else None
    return there if there is not None and abs(there - here) > _SKEW else here


def _principal(credential: "Any", source: "Source") -> str:
    if source.kind == "metadata":
        email = claims.principal(credential.service_account_email)
        return "" if email == "default" else email
    if source.principal or source.kind != "authorized_user":
        return source.principal
    return claims.principal(claims.claims(credential.id_token or "").get("email"))


def _granted(asked: tuple[str, ...], watch: "Watch") -> tuple[str, ...]:
    """The scopes that a user's token has: the server says so, and they may be fewer than were asked for."""
    said = watch.last.json() if watch.last is not None else None
    text = said.get("scope") if isinstance(said, dict) else None
    if not isinstance(text, str) or not text:
        return asked
    granted = tuple(text.split())
    missing = set(grammar.scopes(asked)) - set(grammar.scopes(granted))
    if missing:
        log.warn(f"this login does not grant {', '.join(sorted(missing))}")
    return granted


def _quiet() -> None:
    """Keep google-auth's own warnings off stderr, unless the program that uses us has set up logging."""
    import logging

    logger = logging.getLogger("google")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
