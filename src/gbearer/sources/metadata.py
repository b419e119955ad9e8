"""The metadata server's own service account: Compute Engine, GKE, Cloud Run, Functions, App Engine."""

from gbearer import endpoints
from gbearer.errors import UsageError
from gbearer.model import CLOUD_PLATFORM
from gbearer.sources import detect
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Answer, Transport

PLACE = "metadata server"


def find(look: "Look", transport: "Transport", notes: "detect.Notes | None", *, named: bool) -> Source | None:
    """The metadata server as a source, None where this is not Google Cloud; taken as given when it was `named`."""
    if named:
        present, reason = True, "named by --source metadata"
    else:
        present, reason = detect.detect(look, transport, notes)
    if not present:
        look.absent(PLACE, reason)
        return None
    look.found(PLACE, reason)
    look.remember = False  # neither files nor variables say whose machine this is
    origin = endpoints.metadata(look.env).origin
    return source_at(origin, detect.machine(look, origin))


def source_at(origin: str, fingerprint: str | None) -> Source:
    """The source for the metadata server at `origin`."""
    source = Source("metadata", _make, fingerprint=fingerprint, where=f"the metadata server at {origin}")
    source.name = "metadata"
    return source


def _make(ask: "Ask", _: "Transport") -> "Any":
    if ask.kind == "jwt":
        raise UsageError(
            "a self-signed JWT needs a service account key",
            why="the metadata server gives out tokens, not keys",
            fix="name a key: --credentials key.json, or drop --type jwt",
        )
    if ask.subject:
        raise UsageError(
            "--subject needs a key or --impersonate",
            why="the metadata server makes tokens for its own service account only",
            fix=f"add --impersonate SERVICE_ACCOUNT with the one that may act for {ask.subject}",
        )
    from google.auth import compute_engine

    if ask.kind == "id":
        return compute_engine.IDTokenCredentials(_anybody, ask.audience, use_metadata_identity_endpoint=True)
    return compute_engine.Credentials(scopes=list(ask.scopes) or [CLOUD_PLATFORM], universe_domain=endpoints.UNIVERSE)


def _anybody(url: str, **_: object) -> "Answer":
    """In place of a transport while the credential is made: older google-auth asks whose it is; the token says so."""
    from gbearer.transport import Answer

    return Answer(url, 200, {"content-type": "application/json"}, b'{"email": ""}')
