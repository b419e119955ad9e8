"""The source behind every federation: a subject token is obtained, and STS gives a token for it."""

from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer.errors import Denied
from gbearer.model import CLOUD_PLATFORM
from gbearer.sources import keyless
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.external.federation import Federation
    from gbearer.sources.external.identity import Identity
    from gbearer.transport import Transport

    Obtain = Callable[[Transport], str]
    Identify = Callable[[Transport], Identity]


def workload(
    found: "Federation",
    *,
    obtain: "Obtain",
    fingerprint: str | None,
    identify: "Identify",
    cert: tuple[str, str] | None = None,
) -> Source:
    """A source that exchanges, at `found`'s STS, the subject token that `obtain` brings.

    obtain       gives the subject token, anew for every exchange; may send requests; raises our errors
    fingerprint  pins whose subject token that is, beyond what `found` says; None for one that is not pinned,
                 which then is never on disk. Whether files and environment alone pin it is for `look.remember`
    identify     says who that is, for `whoami` and for the binding line in an error; may send requests
    cert         paths of a client certificate and its key in PEM, for STS over mTLS (RFC 8705)
    """

    def make(ask: "Ask", transport: "Transport") -> "Any":
        _check_possible(ask, found)
        from gbearer.sources.external import exchanged

        return exchanged.credential(found, ask.scopes or source.default_scopes(ask), obtain, transport, cert)

    source = Source("external_account", make, quota_project=found.quota_project, where=found.where)
    source.impersonate = (found.impersonate,) if found.impersonate else ()
    source.lifetime = found.lifetime
    source.universe = found.universe
    source.scopes = source.base_scopes = (CLOUD_PLATFORM,)
    source.federation = found
    source.identify = identify
    if fingerprint is not None:
        source.fingerprint = blake2b(f"{found.described()}\0{fingerprint}".encode(), digest_size=32).hexdigest()
    return source


def _check_possible(ask: "Ask", found: "Federation") -> None:
    """What STS itself cannot give: it knows access tokens and no more."""
    if ask.kind == "id":
        raise Denied(
            f"federation alone gives no ID token for {ask.audience}",
            why=f"{found.where} names no service account to act as, and Google makes ID tokens for accounts only",
            fix="add --impersonate SERVICE_ACCOUNT with one that this identity may act as "
            "(it needs roles/iam.workloadIdentityUser on it, and nothing more)",
        )
    keyless.check(ask, found.where, "a federation")
