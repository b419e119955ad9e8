"""The metadata server's own service account: Compute Engine, GKE, Cloud Run, Functions, App Engine."""

from gbearer import endpoints
from gbearer.errors import Refused, Unreachable, UsageError
from gbearer.model import CLOUD_PLATFORM
from gbearer.sources import detect, universe
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Answer, Transport

PLACE = "metadata server"
REMEMBERED = 86_400.0
"""Seconds for which a machine's universe is believed, on the same boot."""


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
    source = source_at(origin, detect.machine(look, origin))
    note = f"universe-{source.fingerprint[:32]}" if source.fingerprint and notes is not None else ""
    known = notes.read(note) if note and notes is not None else None
    if known is not None and universe.DOMAIN.fullmatch(known):
        source.universe, source.tell_universe = known, None
        return source

    def tell(transport: "Transport") -> str:
        told = told_universe(transport)
        if note and notes is not None:
            notes.write(note, told, REMEMBERED)
        return told

    source.tell_universe = tell
    return source


def source_at(origin: str, fingerprint: str | None) -> Source:
    """The source for the metadata server at `origin`."""

    def make(ask: "Ask", _: "Transport") -> "Any":
        return _make(ask, source.universe)

    source = Source("metadata", make, fingerprint=fingerprint, where=f"the metadata server at {origin}")
    source.name = "metadata"
    source.tell_universe = told_universe
    return source


def told_universe(transport: "Transport") -> str:
    """The universe of this machine, which its metadata server says; 404 means googleapis.com. Unreachable otherwise."""
    url = f"http://{endpoints.METADATA_HOST}/computeMetadata/v1/universe/universe-domain"
    try:
        data = transport.send("GET", url, headers={"Metadata-Flavor": "Google"}).data
    except Refused as refused:
        if refused.status < 500:  # 403 and 405 are what others say who stand in for it
            return endpoints.UNIVERSE
        raise
    named = data.decode("ascii", "replace").strip() or endpoints.UNIVERSE
    if not universe.DOMAIN.fullmatch(named):
        raise Unreachable(
            "the metadata server gave an answer that is not understood",
            why=f"it says that its universe is {named[:60]!r}, which is no domain",
            fix="check what answers at the metadata server's address",
        )
    return named


def _make(ask: "Ask", named: str) -> "Any":
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
    return compute_engine.Credentials(scopes=list(ask.scopes) or [CLOUD_PLATFORM], universe_domain=named)


def _anybody(url: str, **_: object) -> "Answer":
    """In place of a transport while the credential is made: older google-auth asks whose it is; the token says so."""
    from gbearer.transport import Answer

    return Answer(url, 200, {"content-type": "application/json"}, b'{"email": ""}')
