"""What a server refused, in our words: by status, host and what was said, it becomes one of our errors."""

from gbearer.errors import CredentialsNotFound, Denied, Error, Unreachable
from gbearer.exchange import said as words
from gbearer.exchange.said import BETWEEN, Said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.errors import Refused
    from gbearer.model import Ask, Token
    from gbearer.sources import Source
    from gbearer.transport import Transport


def refused(error: "Refused", ask: "Ask", source: "Source", base: "Token | None", transport: "Transport") -> Error:
    """A server's refusal as an error with its cause and the next command; by status, host and what was said."""
    said = words.of(error)
    if said.status >= 500 or said.status in (408, 425, 429):
        return Unreachable(
            f"{said.host} cannot answer now", why=_with(said.words, error.why), fix="try again in a minute"
        )
    if said.path.startswith("/computeMetadata/"):
        return _metadata(said, source)
    if said.html or said.status == 407:
        return Unreachable(f"{said.host} gave an answer that is not Google's", why=said.words, fix=BETWEEN)
    if ask.boundary:
        from gbearer.exchange import downscope

        return downscope.explain(said, ask, source, base)
    if source.kind == "gdch_service_account":
        from gbearer.exchange import gdch

        return gdch.explain(said, ask, source)
    if "/serviceAccounts/" in said.path:
        from gbearer.exchange import iam

        return iam.explain(said, ask, source, base, transport)
    if source.kind == "external_account" and not ask.subject:
        from gbearer.exchange import federation

        return federation.explain(said, ask, source, transport)
    from gbearer.exchange import oauth

    return oauth.explain(said, ask, source)


def _with(first: str, second: str) -> str:
    return f"{first}; {second}" if second else first


def _metadata(said: Said, source: "Source") -> Error:
    if said.status == 404:
        what = "an ID token" if said.path.endswith("/identity") else "a token"
        return CredentialsNotFound(
            f"the metadata server has no service account to give {what} for",
            why=f"{source.where} answered 404 to {said.path}",
            fix="attach one: `gcloud compute instances set-service-account INSTANCE --service-account=EMAIL "
            "--scopes=cloud-platform`, or name another credential with --credentials",
        )
    if said.status == 403 and not said.html:
        return Denied(
            "the metadata server refuses to give a token",
            why=said.words,
            fix="check the workload identity binding of this pod or service, and try again",
        )
    return Unreachable("the metadata server gave an answer that is not understood", why=said.words, fix=BETWEEN)
