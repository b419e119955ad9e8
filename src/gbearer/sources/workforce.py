"""A person's login by workforce identity federation (`"type": "external_account_authorized_user"`)."""

from gbearer import claims, endpoints
from gbearer.errors import BadCredentials, Denied
from gbearer.sources import fields, keyless, universe
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

KIND = "external_account_authorized_user"
SIGN_IN = "gcloud auth application-default login --login-config=FILE"
_URLS = ("token_url", "token_info_url", "revoke_url")
_POOL = "/workforcePools/"


def load(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> Source:
    """The login in `info`; BadCredentials naming everything that is wrong.

    Follows https://cloud.google.com/iam/docs/workforce-sign-in-cli. The refresh token that an answer brings replaces
    the one in use only where somebody keeps it (`Source.rotated`).
    """
    fields.check(
        info,
        where,
        "workforce login",
        ("refresh_token", "token_url", "client_id", "client_secret"),
        ("audience", "token_info_url", "revoke_url", "account", "quota_project_id", "universe_domain"),
    )
    audience = fields.text(info, "audience")
    if audience and _POOL not in audience:
        raise BadCredentials(
            f"{where} is no usable workforce login",
            why=f"audience {audience[:120]!r} names no provider of a workforce pool",
            fix=f"sign in anew: `{SIGN_IN}`",
        )
    named = universe.of_file(info, where, ask, look)
    for field in _URLS:
        if fields.text(info, field):
            endpoints.check_field(
                field, fields.text(info, field), where, look.env, universe=named, trust=ask.trust_config
            )
    refresh_token = fields.text(info, "refresh_token")
    endpoints.made_by_emulator(refresh_token, "refresh token", where, look.env)
    client_id, client_secret = fields.text(info, "client_id"), fields.text(info, "client_secret")
    token_url, token_info_url = fields.text(info, "token_url"), fields.text(info, "token_info_url")

    def make(ask: "Ask", _: "Transport") -> "Any":
        _check_possible(ask, where)
        from google.auth.external_account_authorized_user import Credentials

        return Credentials(
            audience=audience,
            refresh_token=source.current() if source.current is not None else refresh_token,
            token_url=token_url,
            client_id=client_id,
            client_secret=client_secret,
            universe_domain=named,
        )

    source = Source(
        KIND,
        make,
        principal=fields.text(info, "account"),
        quota_project=fields.text(info, "quota_project_id") or None,
        scopes=fields.scopes(info, where),
        client_id=client_id,
        where=where,
    )
    source.universe = named
    source.sign_in = SIGN_IN
    if token_info_url:
        source.introspect = lambda token, way: introspect(token, token_info_url, (client_id, client_secret), way)
    return source


def introspect(token: str, url: str, client: tuple[str, str], transport: "Transport") -> "Mapping[str, object]":
    """What the token service says of an access token (RFC 7662): `username`, `scope`, `exp`; {} for an ended one.

    Raises Unreachable, also for a refusal: whose token it is, one can do without.
    """
    from binascii import b2a_base64
    from urllib.parse import urlencode

    basic = b2a_base64(":".join(client).encode(), newline=False).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    form = {"token": token, "token_type_hint": "urn:ietf:params:oauth:token-type:access_token"}
    told = transport.send("POST", url, body=urlencode(form).encode(), headers=headers).json()
    if not isinstance(told, dict) or told.get("active") is not True:
        return {}
    return {**told, "username": claims.principal(told.get("username"))}


def _check_possible(ask: "Ask", where: str) -> None:
    """What such a login cannot give: it knows access tokens and no more."""
    if ask.kind == "id":
        raise Denied(
            f"a workforce login gets no ID token for {ask.audience}",
            why=f"{where} is a person of a workforce pool, and Google makes ID tokens for its own accounts only",
            fix="add --impersonate SERVICE_ACCOUNT with one that may call it and that you may impersonate",
        )
    keyless.check(ask, where, "a person's login")
