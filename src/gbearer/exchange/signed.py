"""A JWT that a service account signs with its own key, and that Google's APIs take for an access token; no network."""

from gbearer.exchange import refresh
from gbearer.grammar import MAX_JWT_LIFETIME
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source


def token(ask: "Ask", source: "Source", watch: "Watch", clock: "Callable[[], float]") -> Token:
    """A self-signed JWT (https://google.aip.dev/auth/4111): for `ask.audience`, else with the scopes in it.

    UsageError when the source has no key to sign with.
    """
    key = source.credentials(ask, watch.transport)
    from google.auth import jwt

    scopes = () if ask.audience else tuple(ask.scopes or source.default_scopes(ask))
    credential = jwt.Credentials.from_signing_credentials(
        key,
        ask.audience,
        additional_claims={"scope": " ".join(scopes)} if scopes else None,
        token_lifetime=ask.lifetime or MAX_JWT_LIFETIME,
    )
    refresh.refresh(credential, watch)
    return Token(
        refresh.checked(credential.token, watch),
        "jwt",
        refresh.lent(credential.expiry, watch, clock, by_server=False),
        source.principal,
        source.where,
        issued_at=clock(),
        scopes=scopes,
        audience=ask.audience,
    )
