"""Act as a service account: an access token, or an ID token, through the IAM Credentials API."""

from gbearer import endpoints
from gbearer.exchange import refresh
from gbearer.model import Token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source

_LINK = "projects/-/serviceAccounts/"
_HOUR = 3600


def access(ask: "Ask", source: "Source", base: Token, watch: "Watch", clock: "Callable[[], float]") -> Token:
    """An access token of the chain's last account (`generateAccessToken`), of `base`'s right.

    With a subject it is that user's: the account signs an assertion by `signJwt`, which is then exchanged
    (domain-wide delegation without a key).
    """
    from google.auth.impersonated_credentials import Credentials
    from google.oauth2.credentials import Credentials as Ready

    target = ask.impersonate[-1]
    scopes = tuple(ask.scopes or source.default_scopes(ask))
    credential = Credentials(
        Ready(base.value, universe_domain=source.universe),
        target,
        list(scopes),
        delegates=delegates(ask),
        subject=ask.subject,
        lifetime=lifetime(ask, source),
    )
    refresh.refresh(credential, watch)
    value = refresh.checked(credential.token, watch)
    ends = refresh.lent(credential.expiry, watch, clock, by_server=not ask.subject)
    return Token(value, "access", ends, ask.subject or target, _words(source, ask), issued_at=clock(), scopes=scopes)


def identity(ask: "Ask", source: "Source", base: Token, watch: "Watch", clock: "Callable[[], float]") -> Token:
    """An ID token of the chain's last account for the audience asked for (`generateIdToken`), with its email.

    The request is made here: google-auth opens a session of its own for it, past our transport.
    """
    import json

    target = ask.impersonate[-1]
    body = {"audience": ask.audience, "delegates": delegates(ask), "includeEmail": True}
    headers = {"Authorization": f"Bearer {base.value}", "Content-Type": "application/json"}
    url = f"{endpoints.IAM_CREDENTIALS.replace(endpoints.UNIVERSE, source.universe)}/{target}:generateIdToken"
    answer = watch(url, "POST", json.dumps(body), headers)
    said = answer.json()
    value = said.get("token") if isinstance(said, dict) else None
    return refresh.identity(value, ask, target, _words(source, ask), watch, clock)


def lifetime(ask: "Ask", source: "Source") -> int:
    """Seconds that an access token shall live: as asked for, else as the file says for its own chain, else an hour."""
    of_file = source.lifetime if ask.impersonate == source.impersonate else None
    return ask.lifetime or of_file or _HOUR


def delegates(ask: "Ask") -> list[str]:
    """The links between caller and target, as the API spells them."""
    return [_LINK + name for name in ask.impersonate[:-1]]


def _words(source: "Source", ask: "Ask") -> str:
    return source.where if ask.impersonate == source.impersonate else f"{source.where}, impersonating"
