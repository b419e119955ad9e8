"""A good status with an answer that is of no use, or an exception of google-auth: what it was, in our words."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, CredentialsNotFound, Denied, Error, LoginRequired, Unreachable
from gbearer.exchange import said as words
from gbearer.exchange.said import BETWEEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.exchange.watch import Watch


def nonsense(watch: "Watch", reason: str = "it holds no token") -> Unreachable:
    """The error for a good status with a body that is of no use; shows how the body begins, redacted."""
    if watch.last is None:
        return Unreachable("no token was obtained", why=reason, fix=BETWEEN)
    host = endpoints.parse(watch.last.url).netloc
    begins = words.one_line(watch.last.data, 80)
    body = f"the body begins {begins!r}" if begins else "the body is empty"
    return Unreachable(f"{host} gave an answer that is not understood", why=f"{reason}; {body}", fix=BETWEEN)


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
    return Unreachable("no token could be obtained", why=text or type(error).__name__, fix=BETWEEN)


def _reason(error: Exception) -> str:
    """Why a good answer was of no use, without repeating the answer."""
    if isinstance(error, (KeyError, TypeError, AttributeError)):
        return "it holds no token, or not in the form that is expected"
    text = str(error.args[0]) if error.args else ""
    if "access token" in text.lower() or "id token" in text.lower() or "jwt" in text.lower():
        return "it holds no token with an end"
    return "it has a part that cannot be read"
