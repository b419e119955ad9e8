"""A ready-made access token in CLOUDSDK_AUTH_ACCESS_TOKEN: used only when it is named, kept nowhere."""

from gbearer import grammar
from gbearer.errors import BadCredentials, CredentialsNotFound, UsageError
from gbearer.sources import universe
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

VARIABLE = "CLOUDSDK_AUTH_ACCESS_TOKEN"


def find(ask: "Ask", look: "Look") -> Source:
    """The token in the environment; CredentialsNotFound where there is none, BadCredentials when it is no token."""
    del ask
    look.remember = False
    value = look.env.get(VARIABLE, "").strip()
    if not value:
        look.absent(VARIABLE, "not set")
        raise CredentialsNotFound(
            f"{VARIABLE} is not set",
            why="--source env takes the token from it and looks nowhere else",
            fix=f"export {VARIABLE}=..., or drop --source env",
        )
    source = ready(value, VARIABLE, look)
    source.name = "env"
    look.found(VARIABLE, "a ready-made access token")
    return source


def ready(value: str, where: str, look: "Look") -> Source:
    """The token `value` as a source; BadCredentials when it is none. It is never remembered: nobody knows its end."""
    look.remember = False
    if not grammar.B64TOKEN.fullmatch(value):
        raise BadCredentials(
            f"{where} holds no bearer token",
            why="RFC 6750 allows letters, digits and -._~+/ with = at the end",
            fix=f"export {where}=$(gcloud auth print-access-token)"
            if where == VARIABLE
            else "write a whole token there",
        )

    def make(ask: "Ask", _: "Transport") -> "Any":
        check_possible(ask, where)
        from google.oauth2.credentials import Credentials

        return Credentials(value)

    source = Source("token", make, scopes=(), where=where)
    source.universe = universe.of_environment(look.env) or source.universe  # the token does not say
    return source


def check_possible(ask: "Ask", where: str) -> None:
    """UsageError for what the ready-made token in `where` cannot do: it is what it is."""
    if ask.kind != "access" or ask.subject:
        wanted = {"id": "an ID token", "jwt": "a self-signed JWT"}.get(ask.kind, "a token for another user")
        raise UsageError(
            f"{where} cannot give {wanted}",
            why="a ready-made access token stays what it is",
            fix="add --impersonate SERVICE_ACCOUNT, or use another source",
        )
    if ask.scopes:
        raise UsageError(
            f"the token in {where} has the scopes it was made with",
            why="--scope cannot change a ready-made token",
            fix="drop --scope, or add --impersonate SERVICE_ACCOUNT",
        )
