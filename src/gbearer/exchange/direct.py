"""A credential's own token, nothing beneath it: obtained by google-auth, and told whose it is and with which scopes."""

from gbearer import claims, grammar, log
from gbearer.errors import LoginRequired
from gbearer.exchange import refresh
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source


def token(ask: "Ask", source: "Source", watch: "Watch", clock: "Callable[[], float]") -> Token:
    """The source's own token, access or ID (RFC 7523 §2.1, RFC 6749 §6, or the metadata server)."""
    if source.person:
        from gbearer.exchange import login

        credential = login.refreshed(ask, source, watch)
    else:
        credential = source.credentials(ask, watch.transport)
        refresh.refresh(credential, watch)
    if ask.kind == "id":
        value = credential.id_token if source.kind == "authorized_user" else credential.token
        if value is None:
            raise LoginRequired(
                f"the login in {source.where} gives no ID token",
                why="it was made without the scope openid",
                fix=source.sign_in or "gcloud auth application-default login",
            )
        return refresh.identity(value, ask, source.principal, source.where, watch, clock)
    scopes = tuple(ask.scopes or source.default_scopes(ask))
    return Token(
        refresh.checked(credential.token, watch),
        "access",
        refresh.lent(credential.expiry, watch, clock, by_server=False),
        ask.subject or _principal(credential, source),
        source.where,
        issued_at=clock(),
        scopes=_granted(scopes, watch) if source.person else scopes,
        audience=ask.audience,
    )


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
