"""Let google-auth obtain a token, and make of it one of ours: value, end, whose, which scopes."""

import time

from gbearer import claims, grammar
from gbearer.errors import Error, Unreachable
from gbearer.exchange.watch import server_time
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask

_SKEW = 5.0
"""Seconds by which a server's clock may differ before it is taken into account: its `Date` has whole seconds."""


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
        from gbearer.exchange import unread

        raise unread.nonsense(watch, "what it gave is no ID token with an end")
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

    from gbearer.exchange import unread

    try:
        credential.refresh(watch)
    except Error:
        raise
    except (GoogleAuthError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise unread.unread(error, watch) from error


def checked(value: object, watch: "Watch") -> str:
    """The token as text; Unreachable when the server gave something else in its place."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    if isinstance(text, str) and grammar.B64TOKEN.fullmatch(text):
        return text
    from gbearer.exchange import unread

    raise unread.nonsense(watch)


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
        from gbearer.exchange import unread

        raise unread.nonsense(watch, f"the token it gave has ended {-left:.0f} s ago")
    return clock() + left


def _now(watch: "Watch") -> float:
    """The time by the clock of the server that answered last, where that differs from ours."""
    here = time.time()
    there = server_time(watch.last.headers) if watch.last is not None else None
    return there if there is not None and abs(there - here) > _SKEW else here


def _quiet() -> None:
    """Keep google-auth's own warnings off stderr, unless the program that uses us has set up logging."""
    import logging

    logger = logging.getLogger("google")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
