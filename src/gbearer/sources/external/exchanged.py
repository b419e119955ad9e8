"""google-auth's credential for a subject token that we obtain: the exchange at STS is its own (RFC 8693)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gbearer.sources.external.federation import Federation
    from gbearer.transport import Transport


def credential(
    found: "Federation",
    scopes: tuple[str, ...],
    obtain: "Callable[[Transport], str]",
    transport: "Transport",
    cert: tuple[str, str] | None,
) -> "Any":
    """A credential whose `refresh(transport)` obtains a subject token and exchanges it; no impersonation in it.

    Impersonation is a step of its own, so that one federated token serves every account and audience. With a
    service account of `found` google-auth would take the same two steps in one.
    """
    from google.auth import identity_pool

    class Subject(identity_pool.SubjectTokenSupplier):
        """google-auth's interface to whoever brings the subject token."""

        def get_subject_token(self, context: object, request: object) -> str:
            """The subject token; errors are ours, and pass through google-auth untouched."""
            del context, request
            return obtain(transport)

    if cert is not None:
        transport.present(found.token_url, cert)
    return identity_pool.Credentials(
        audience=found.audience,
        subject_token_type=found.subject_type,
        token_url=found.token_url,
        subject_token_supplier=Subject(),
        client_id=found.client_id or None,
        client_secret=found.client_secret or None,
        scopes=list(scopes),
        workforce_pool_user_project=found.user_project or None,
        universe_domain=found.universe,
    )
