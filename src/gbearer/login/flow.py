"""The authorization code grant with PKCE, by google-auth-oauthlib: the URL to open, and a code made into a login."""

from gbearer import claims, endpoints, grammar
from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Refused, Unreachable, UsageError
from gbearer.exchange import said
from gbearer.login import session
from gbearer.login.client import CONSOLE
from gbearer.login.wish import LOGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from gbearer.login.client import Client
    from gbearer.login.redirect import Arrived
    from gbearer.login.service import Service
    from gbearer.transport import Transport


class Granted:
    """What a sign-in brought: whose it is, the refresh token, and the scopes that were allowed."""

    __slots__ = ("account", "refresh_token", "scopes")

    def __init__(self, account: str, refresh_token: str, scopes: tuple[str, ...]) -> None:
        self.account = account
        self.refresh_token = refresh_token
        self.scopes = scopes

    def __repr__(self) -> str:
        return f"<login of {self.account}>"


def begin(client: "Client", service: "Service", scopes: tuple[str, ...], redirect_uri: str) -> "tuple[Any, str, str]":
    """(the flow, the URL to open, its state); the verifier (RFC 7636, S256) and the state are new and random."""
    from google_auth_oauthlib.flow import Flow  # type: ignore[import-untyped]

    # Addresses as Google publishes them: where they lead with an emulator is said by `service.page` and the transport.
    config = {
        "client_id": client.id,
        "client_secret": client.secret,
        "auth_uri": _public(service.auth_url, "auth.cloud.google"),
        "token_uri": _public(service.token_url, f"sts.{endpoints.UNIVERSE}"),
    }
    flow = Flow.from_client_config({"installed": config}, scopes=list(scopes), redirect_uri=redirect_uri)
    url, state = flow.authorization_url(**service.more)
    return flow, url, state


def _public(text: str, host: str) -> str:
    """An address over https: oauthlib takes no other, and with an emulator the host is only a name."""
    url = endpoints.parse(text)
    return text if url.scheme == "https" else f"https://{host}{url.target}"


def redeem(
    flow: "Any", arrived: "Arrived", client: "Client", service: "Service", scopes: tuple[str, ...], way: "Transport"
) -> Granted:
    """The login that the answer of the sign-in page stands for.

    Raises Denied for a consent that was not given, or not for every scope; other errors by what the server said.
    """
    if arrived.error:
        raise _not_given(arrived, service, scopes)
    session.through(flow.oauth2session, way)
    try:
        # Google takes the client in the body; the token service of workforce pools wants it as Basic.
        told = flow.fetch_token(code=arrived.code, include_client_id=None if service.config else True)
    except Refused as refused:
        raise _refused(refused, client) from refused
    except Error:
        raise
    except Warning as changed:  # how oauthlib says that other scopes were granted than asked for
        told = getattr(changed, "token", {})
    except Exception as error:  # noqa: BLE001 (oauthlib's errors have no common root; nothing of an answer is kept)
        raise Unreachable(
            f"{service.name} gave an answer to the code that is not understood",
            why=type(error).__name__,
            fix=f"{LOGIN}; if it stays so, check what stands between you and Google",
        ) from None
    return _granted(told, client, service, scopes, way)


def _granted(told: "Any", client: "Client", service: "Service", asked: tuple[str, ...], way: "Transport") -> Granted:
    access, refresh = told.get("access_token"), told.get("refresh_token")
    if not isinstance(access, str) or not grammar.B64TOKEN.fullmatch(access):
        raise Unreachable(f"{service.name} gave no access token for the code", fix=LOGIN)
    words = told.get("scope")
    granted = grammar.scopes(words if isinstance(words, (list, str)) else asked)
    missing = [scope for scope in asked if scope not in granted]
    if missing:
        raise _unticked(missing, service)
    if not isinstance(refresh, str) or not refresh.isprintable() or not refresh or " " in refresh:
        raise Unreachable(
            f"{service.name} gave no refresh token, so the login would end within the hour",
            why="the answer to the code has none; nothing was kept",
            fix=f"{LOGIN}; if it stays so, make a new OAuth client of the type Desktop app at {CONSOLE}",
        )
    account = _username(access, client, service, way) if service.config else _email(told.get("id_token"), client)
    if not account:
        raise Unreachable(
            f"{service.name} does not say who has signed in",
            why="the answer names no account; nothing was kept",
            fix=LOGIN,
        )
    return Granted(account, refresh, granted)


def _email(id_token: object, client: "Client") -> str:
    """Whose ID token it is (OpenID Connect Core §3.1.3.7: it came straight from the token endpoint)."""
    told = claims.claims(id_token) if isinstance(id_token, str) else {}
    email = told.get("email")
    ours = told.get("aud") == client.id
    return email if ours and isinstance(email, str) and grammar.EMAIL.fullmatch(email) else ""


def _username(access: str, client: "Client", service: "Service", way: "Transport") -> str:
    from gbearer.sources import workforce

    told = workforce.introspect(access, service.config["token_info_url"], (client.id, client.secret), way)
    name = told.get("username")
    return name if isinstance(name, str) else ""


def _not_given(arrived: "Arrived", service: "Service", scopes: tuple[str, ...]) -> Error:
    text = said.one_line(arrived.description)
    words = f"{service.name} answered {said.one_line(arrived.error, 60)}" + (f": {text}" if text else "")
    if arrived.error == "access_denied":
        return Denied(
            "the sign-in was cancelled",
            why=f"{words}; nothing was kept",
            fix=f"{LOGIN}, and allow what is asked for on the page",
        )
    if arrived.error == "invalid_scope":
        return UsageError(f"there is no such scope among {', '.join(scopes)}", why=words, fix=f"{LOGIN} --scope SCOPE")
    if arrived.error in ("admin_policy_enforced", "org_internal"):
        return Denied("an administrator's rule forbids this", why=words, fix="ask the administrator of the domain")
    return Unreachable("the sign-in failed", why=words, fix=LOGIN)


def _short(scopes: "Iterable[str]") -> str:
    """Scopes as people know them, without the address before."""
    return ", ".join(scope.rpartition("/auth/")[2] or scope for scope in scopes)


def _unticked(missing: list[str], service: "Service") -> Denied:
    names = _short(missing)
    return Denied(
        f"not everything that was asked for was allowed: {names} {'is' if len(missing) == 1 else 'are'} missing",
        why=f"{service.name}'s page lets one untick it, or the project's consent screen does not list it; "
        "nothing was kept",
        fix=f"{LOGIN}, and allow {names} on the page",
    )


def _refused(refused: Refused, client: "Client") -> Error:
    """The token endpoint's refusal of a code (RFC 6749 §5.2)."""
    told = said.of(refused)
    if told.status >= 500 or told.status in (408, 425, 429):
        return Unreachable(f"{told.host} cannot answer now", why=told.words, fix=f"{LOGIN}, in a minute")
    if told.html or not told.code:
        return Unreachable(
            f"{told.host} gave an answer that is not Google's",
            why=told.words,
            fix=f"{LOGIN}; if it stays so, check what stands in between",
        )
    if told.code == "invalid_grant":
        return LoginRequired(
            "the code from the sign-in page is not accepted",
            why=f"it holds once and for a few minutes; {told.late or told.words}",
            fix=said.set_clock() if told.late else LOGIN,
        )
    if told.code in ("invalid_client", "unauthorized_client", "deleted_client", "disabled_client"):
        return BadCredentials(
            f"Google does not accept the OAuth client in {client.where}",
            why=f"it was deleted, or its secret was replaced; {told.words}",
            fix=f"{LOGIN} --client-file FILE, with one that is downloaded anew from {CONSOLE}",
        )
    return BadCredentials(
        f"the OAuth client in {client.where} cannot sign anybody in here",
        why=told.words,
        fix=f"{LOGIN} --client-file FILE, with one of the type Desktop app that is made at {CONSOLE}",
    )
