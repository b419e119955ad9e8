"""What went wrong, in our words: a server's refusal, or an exception of google-auth, becomes one of our errors."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, CredentialsNotFound, Denied, Error, LoginRequired, Unreachable
from gbearer.exchange import said as words
from gbearer.exchange.said import Said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.errors import Refused
    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask, Token
    from gbearer.sources import Source
    from gbearer.transport import Transport

_BETWEEN = "check what stands between you and Google: a proxy, a captive portal, an emulator with a fault set"


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
        return Unreachable(f"{said.host} gave an answer that is not Google's", why=said.words, fix=_BETWEEN)
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
    return Unreachable("the metadata server gave an answer that is not understood", why=said.words, fix=_BETWEEN)


def nonsense(watch: "Watch", reason: str = "it holds no token") -> Unreachable:
    """The error for a good status with a body that is of no use; shows how the body begins, redacted."""
    if watch.last is None:
        return Unreachable("no token was obtained", why=reason, fix=_BETWEEN)
    host = endpoints.parse(watch.last.url).netloc
    begins = words.one_line(watch.last.data, 80)
    body = f"the body begins {begins!r}" if begins else "the body is empty"
    return Unreachable(f"{host} gave an answer that is not understood", why=f"{reason}; {body}", fix=_BETWEEN)


def unread(error: Exception, watch: "Watch") -> Error:
    """What google-auth, or Python beneath it, raised though the server's status was good."""
    from google.auth import exceptions as lib

    ours = (lib.ReauthFailError, lib.MutualTLSChannelError, lib.ClientCertError)
    if isinstance(error, ours) or (isinstance(error, lib.GoogleAuthError) and watch.last is None):
        return foreign(error)
    return nonsense(watch, _reason(error))


def foreign(error: Exception) -> Error:
    """An exception of google-auth, of any class, as one of ours; nothing secret of it is kept."""
    from google.auth import exceptions as lib

    text = words.one_line(error.args[0] if error.args and isinstance(error.args[0], str) else error)
    lowered = text.lower()
    login = "run `gcloud auth application-default login`"
    if isinstance(error, (lib.ReauthFailError, lib.UserAccessTokenError)) or "reauthentication is needed" in lowered:
        return LoginRequired("a person has to sign in again", why=text, fix=login)
    if isinstance(error, (lib.RefreshError, lib.OAuthError)) and "invalid_grant" in lowered:
        return BadCredentials("Google refuses this credential", why=text, fix=f"get it anew from Google, or {login}")
    if isinstance(error, lib.OAuthError) and ("unauthorized_client" in lowered or "access_denied" in lowered):
        return Denied("Google refuses this client", why=text, fix="ask the administrator of the project")
    if type(error) is lib.DefaultCredentialsError:
        return CredentialsNotFound("no Google credentials were found", why=text, fix=f"{login}, or name a key")
    if isinstance(error, (lib.DefaultCredentialsError, lib.MutualTLSChannelError, lib.ClientCertError)):
        return BadCredentials("the credential cannot be used", why=text, fix="get it anew from Google, whole")
    return Unreachable("no token could be obtained", why=text or type(error).__name__, fix=_BETWEEN)


def _reason(error: Exception) -> str:
    """Why a good answer was of no use, without repeating the answer."""
    if isinstance(error, (KeyError, TypeError, AttributeError)):
        return "it holds no token, or not in the form that is expected"
    text = str(error.args[0]) if error.args else ""
    if "access token" in text.lower() or "id token" in text.lower() or "jwt" in text.lower():
        return "it holds no token with an end"
    return "it has a part that cannot be read"
