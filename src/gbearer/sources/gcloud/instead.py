"""What takes the place of gcloud's session: a ready-made token, or a credential file that gcloud was told to use."""

from gbearer.errors import BadCredentials, UsageError
from gbearer.sources import env, file
from gbearer.sources.gcloud import stored
from gbearer.sources.gcloud.configuration import variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources.gcloud.configuration import Configuration
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source


def find(active: "Configuration", ask: "Ask", look: "Look") -> "Source | None":
    """The token or the file that gcloud would use whatever account is selected; None where there is none.

    UsageError when an account was named as well: gcloud would pass it over without a word.
    """
    token = look.env.get(env.VARIABLE, "").strip()
    token_file = active.get("auth", "access_token_file")
    override = active.get("auth", "credential_file_override")
    if token:
        _check_account(ask, env.VARIABLE)
        return env.ready(token, env.VARIABLE, look)
    if token_file:
        _check_account(ask, active.said("auth", "access_token_file"))
        return env.ready(
            _read(token_file, "access_token_file", active, look).decode("latin-1").strip(), token_file, look
        )
    if override:
        _check_account(ask, active.said("auth", "credential_file_override"))
        data = _read(override, "credential_file_override", active, look)
        return file.load(stored.at_host(data, active), override, ask, look)
    return None


def _read(path: str, name: str, active: "Configuration", look: "Look") -> bytes:
    data = look.read(path)
    if data is None:
        raise BadCredentials(
            f"there is no file {path}",
            why=f"gcloud's auth/{name} is set by {active.said('auth', name)}",
            fix=f"correct it: `gcloud config unset auth/{name}`, or unset {variable('auth', name)}",
        )
    return data


def _check_account(ask: "Ask", said: str) -> None:
    if ask.account:
        raise UsageError(
            f"gcloud would not be {ask.account}",
            why=f"{said} takes the place of every account; gcloud itself passes over --account then",
            fix="drop --account, or unset that",
        )
