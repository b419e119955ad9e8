"""Where a credential comes from: the places in their order, and the search through them."""

from gbearer.errors import CredentialsNotFound, UsageError
from gbearer.sources import env, file, gdch, metadata, universe, wellknown
from gbearer.sources.look import Look, Step
from gbearer.sources.project import project
from gbearer.sources.source import Source
from gbearer.sources.universe import of_source as universe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.model import Ask
    from gbearer.sources.detect import Notes
    from gbearer.transport import Transport

    Find = Callable[[Ask, Look, Transport, Notes | None], Source | None]

__all__ = ["ORDER", "Look", "Source", "Step", "locate", "project", "universe_of"]

OPTION = "GBEARER_CREDENTIALS"
VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
_LOGIN = "gcloud auth application-default login"


def locate(ask: "Ask", look: Look, transport: "Transport", notes: "Notes | None" = None) -> Source:
    """The credential for `ask`: the first of its places that has one. What was seen is noted in `look`.

    Absent means look further, an error means stop: a place that holds a broken credential is never passed over.
    Raises CredentialsNotFound listing every place with its reason, BadCredentials, or UsageError.
    """
    source = _first(ask, look, transport, notes)
    if (ask.expect_role or ask.aws_token) and not source.checks_role:
        raise UsageError(
            f"{'--expect-role' if ask.expect_role else '--aws-token'} is for AWS, and the credential is another",
            why=f"what was found is a {source.kind} from {source.where}",
            fix="drop the option, or name the AWS file with --credentials, or --source aws --provider PROVIDER",
        )
    if ask.kind == "access" and ask.audience and source.kind != gdch.KIND:
        raise UsageError(
            "an access token has scopes, not an audience",
            why=f"what was found is a {source.kind} from {source.where}; only a Distributed Cloud's tokens have one",
            fix="drop --audience, or ask for an ID token",
        )
    universe.check(ask, source, look.env, transport)
    return source


def _first(ask: "Ask", look: Look, transport: "Transport", notes: "Notes | None") -> Source:
    if ask.credentials is not None:
        return _won(file.named(ask.credentials, "--credentials", ask, look), "--credentials", look)
    for find in ACCOUNTS if ask.account and ask.source == "auto" else ORDER[ask.source]:
        source = find(ask, look, transport, notes)
        if source is not None:
            return source
    raise _nothing(ask, look)


def _own(ask: "Ask", look: Look, _: "Transport", __: "Notes | None") -> Source | None:
    """GBEARER_CREDENTIALS: a path, the JSON itself or its base64."""
    text = look.env.get(OPTION, "").strip()
    if not text:
        if ask.source != "file":
            look.absent(OPTION, "not set")
            return None
        raise UsageError(
            "--source file names no file",
            why=f"neither --credentials nor {OPTION} is given",
            fix="add --credentials FILE",
        )
    return _won(file.named(text, OPTION, ask, look), OPTION, look)


def _variable(ask: "Ask", look: Look, _: "Transport", __: "Notes | None") -> Source | None:
    """GOOGLE_APPLICATION_CREDENTIALS: a path and nothing else."""
    text = look.env.get(VARIABLE, "")
    if not text:
        look.absent(VARIABLE, "not set")
        return None
    if text == wellknown.adc(look):
        look.absent(VARIABLE, "names gcloud's own file, which comes next")
        return None
    if file.inline(text) is not None:
        raise UsageError(
            f"{VARIABLE} holds a credential itself, not the path of one",
            why="everybody who reads this variable takes it for a file name",
            fix=f"save it to a file and name that, or put it into {OPTION}, which takes both",
        )
    source = file.at(text, VARIABLE, ask, look)
    source.name = "adc"
    return _won(source, VARIABLE, look)


def _login(ask: "Ask", look: Look, transport: "Transport", notes: "Notes | None") -> Source | None:
    """The login of gbearer itself."""
    from gbearer.sources import login

    return login.find(ask, look, transport, notes)


def _gcloud(ask: "Ask", look: Look, _: "Transport", __: "Notes | None") -> Source | None:
    """Application default credentials, where gcloud keeps them."""
    path = wellknown.adc(look)
    place = f"gcloud's file {path}"
    data = look.read(path, named=False)
    if data is None:
        look.absent(place, "no such file" if look.remember else "its folder may not be looked into")
        return None
    source = file.load(data, path, ask, look)
    source.name = "adc"
    source.gcloud = True
    return _won(source, place, look)


def _metadata(ask: "Ask", look: Look, transport: "Transport", notes: "Notes | None") -> Source | None:
    return metadata.find(look, transport, notes, named=ask.source == "metadata")


def _env(ask: "Ask", look: Look, _: "Transport", __: "Notes | None") -> Source | None:
    return env.find(ask, look)


def _federated(ask: "Ask", look: Look, transport: "Transport", _: "Notes | None") -> Source | None:
    """A provider that vouches for this program without a file: AWS, GitHub Actions, GitLab, Azure."""
    from gbearer.sources import external

    return external.find(ask, look, transport)


def _gcloud_session(ask: "Ask", look: Look, transport: "Transport", notes: "Notes | None") -> Source | None:
    """Whoever gcloud itself would be."""
    from gbearer.sources import gcloud

    return gcloud.find(ask, look, transport, notes)


ORDER: "dict[str, tuple[Find, ...]]" = {
    "auto": (_own, _variable, _login, _gcloud, _metadata),
    "adc": (_variable, _gcloud, _metadata),  # Google's order exactly
    "file": (_own,),
    "metadata": (_metadata,),
    "env": (_env,),
    "login": (_login,),
    "gcloud": (_gcloud_session,),
    "aws": (_federated,),
    "github": (_federated,),
    "gitlab": (_federated,),
    "azure": (_federated,),
}
"""The places of each `--source`, in the order in which they are looked at. A new kind is one line here."""

ACCOUNTS: "tuple[Find, ...]" = (_login, _gcloud_session)
"""The places that hold people's logins: where an account is named and no place, nobody else is asked."""


def _won(source: Source, place: str, look: Look) -> Source:
    look.found(place, file.describe(source))
    return source


def _nothing(ask: "Ask", look: Look) -> CredentialsNotFound:
    walked = "; ".join(f"{step.place}: {step.reason}" for step in look.steps)
    if ask.account:
        return CredentialsNotFound(
            f"nobody is signed in as {ask.account}",
            why=walked,
            fix=f"correct --account, or sign in: `gbearer login`, or `gcloud auth login {ask.account}`",
        )
    return CredentialsNotFound(
        "no Google credentials were found",
        why=walked,
        fix=f"run `gbearer login` or `{_LOGIN}`, or name a key with --credentials FILE",
    )
