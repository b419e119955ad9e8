"""What a credential without a private key cannot answer: self-signed JWTs, and domain-wide delegation."""

from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask


def check(ask: "Ask", where: str, what: str) -> None:
    """UsageError where `ask` needs a service account's key; `what` is what there is in its place, in words."""
    if ask.kind == "jwt":
        raise UsageError(
            "a self-signed JWT needs a service account key",
            why=f"{where} is {what}, which has no key to sign with",
            fix="name a key: --credentials key.json, or drop --type jwt",
        )
    if ask.subject:
        raise UsageError(
            "--subject needs a service account",
            why=f"{where} is {what}, and only a service account can be granted domain-wide delegation",
            fix=f"add --impersonate SERVICE_ACCOUNT with the one that may act for {ask.subject}",
        )
