"""A user's own login (`"type": "authorized_user"`), as `gcloud auth application-default login` leaves it."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, Denied
from gbearer.sources import fields, keyless, workforce
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Transport


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> Source:
    """The user's credential in `info`; BadCredentials naming everything that is wrong.

    google-auth itself ignores `token_uri` in such a file; here it is honoured, after the same check as a key's.
    """
    fields.check(
        info,
        where,
        "user credential",
        ("client_id", "client_secret", "refresh_token"),
        ("token_uri", "account", "quota_project_id", "rapt_token", "universe_domain"),
    )
    _check_universe(fields.text(info, "universe_domain"), where)
    token_uri = fields.text(info, "token_uri") or endpoints.TOKEN
    endpoints.check_field("token_uri", token_uri, where, look.env, trust=ask.trust_config)
    refresh_token, client_id = fields.text(info, "refresh_token"), fields.text(info, "client_id")
    endpoints.made_by_emulator(refresh_token, "refresh token", where, look.env)
    secret, account = fields.text(info, "client_secret"), fields.text(info, "account")
    rapt_token = fields.text(info, "rapt_token") or None

    def make(ask: "Ask", _: "Transport") -> "Any":
        _check_possible(ask, where, client_id)
        from google.oauth2.credentials import Credentials

        scopes = list(ask.scopes or source.default_scopes(ask)) or None
        return Credentials(
            None,
            refresh_token=source.current() if source.current is not None else refresh_token,
            token_uri=token_uri,
            client_id=client_id,
            client_secret=secret,
            scopes=["openid", "https://www.googleapis.com/auth/userinfo.email"] if ask.kind == "id" else scopes,
            rapt_token=rapt_token,
            account=account,
        )

    source = Source(
        "authorized_user",
        make,
        principal=account,
        quota_project=fields.text(info, "quota_project_id") or None,
        scopes=fields.scopes(info, where),
        client_id=client_id,
    )
    return source


def _check_universe(named: str, where: str) -> None:
    if named and named != endpoints.UNIVERSE:
        raise BadCredentials(
            f"{where} belongs to the universe {named}, where there are no such logins",
            why=f"an authorized_user is a Google account, and Google accounts are of {endpoints.UNIVERSE} only",
            fix=f"sign in there with a workforce pool (`{workforce.SIGN_IN}`), or use a service account key of {named}",
        )


def _check_possible(ask: "Ask", where: str, client_id: str) -> None:
    if ask.kind == "id" and ask.audience != client_id:
        raise Denied(
            f"a user's credential gets no ID token for {ask.audience}",
            why=f"{where} is a person's login, whose ID tokens are for its client id {client_id} and no "
            "other audience; what accepts that was told to: IAP with that client allowed, a backend that checks for it",
            fix="add --impersonate SERVICE_ACCOUNT with one that may call it and that you may impersonate, "
            f"or give --audience {client_id}",
        )
    keyless.check(ask, where, "a person's login")
