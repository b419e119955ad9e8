"""Refusals of a Distributed Cloud's token endpoint: OAuth's errors, or the Status objects of Kubernetes."""

from gbearer.errors import BadCredentials, Denied, Error, Unreachable, UsageError
from gbearer.exchange.said import Said, set_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources import Source


def explain(said: Said, ask: "Ask", source: "Source") -> Error:
    """What a refusal means for the service identity of `source`."""
    text = said.text.lower()
    if said.code == "invalid_target" or ("audience" in text and said.status < 500):
        return UsageError(
            f"this Distributed Cloud gives no token for the audience {ask.audience}",
            why=said.words,
            fix="correct --audience: the URL of the service, as its cloud spells it",
        )
    if said.status == 401 or said.code in ("invalid_grant", "invalid_client", "unauthorized_client"):
        return BadCredentials(
            f"{said.host} does not accept the key of {source.principal}",
            why=f"{said.late}; {said.words}" if said.late else said.words,
            fix=set_clock() if said.late else "have the key made anew, or correct project and name in the file",
        )
    if said.status == 403 or said.code == "access_denied":
        return Denied(
            f"{source.principal} may not get this token",
            why=said.words,
            fix="ask whoever runs the cloud",
        )
    if said.status in (404, 405) or said.code in ("invalid_request", "unsupported_grant_type"):
        return BadCredentials(
            f"{said.host} does not understand what {source.where} makes us send",
            why=f"{said.words}, at {said.path}",
            fix="correct token_uri in the file: the service identity's /authenticate of that cloud",
        )
    return Unreachable(
        f"{said.host} refused in a way that is not understood",
        why=f"{said.words}, at {said.path}",
        fix="check token_uri in the file, and what stands between you and that cloud",
    )
