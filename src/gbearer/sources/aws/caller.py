"""Whom AWS takes us for, and what that is to Google: --expect-role, and the mapping that Google proposes for AWS."""

from gbearer.errors import Denied
from gbearer.sources.external.identity import LONGEST_SUBJECT, Identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.aws.place import Place
    from gbearer.sources.aws.sts import Caller

_SESSION = "assumed-role/"


def check(caller: "Caller", role: str, source: str) -> None:
    """Denied unless the caller is `role` (--expect-role); `source` is where its keys came from."""
    if plays(caller.arn, role):
        return
    raise Denied(
        f"this is {caller.arn}, not {role}",
        why=f"--expect-role names the other, and {source} gave these credentials; nothing was exchanged",
        fix="run it where that role is, or correct --expect-role",
    )


def plays(arn: str, role: str) -> bool:
    """Whether the caller's ARN is `role`: itself, or a session of it. A session's ARN does not have the role's path."""
    if arn == role or (_SESSION in role and arn.startswith(f"{role}/")):
        return True
    head, _, name = role.partition(":role/")
    session = f"{head.replace(':iam:', ':sts:', 1)}:{_SESSION}{name.rpartition('/')[2]}/"
    return bool(name) and arn.startswith(session)


def identity(caller: "Caller", place: "Place", region: str) -> Identity:
    """The caller under Google's mapping for AWS: google.subject is the ARN, aws_role the role without its session.

    Follows https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds#mappings-and-conditions
    """
    arn = caller.arn
    head, session, rest = arn.partition(_SESSION)
    role = head + session + rest.partition("/")[0] if session else arn
    rows = (
        ("AWS source", place.words),
        ("AWS region", region),
        ("AWS account", caller.account),
        ("AWS ARN", arn),
        ("subject", _sized(arn)),
        ("aws_role", role),
    )
    return Identity(arn, rows, (("aws_role", role),))


def identity_of_jwt(token: str, place: "Place", region: str) -> Identity:
    """Whom a JWT of GetWebIdentityToken speaks of; for an OIDC provider google.subject is its `sub`."""
    from gbearer import claims

    told = claims.claims(token)
    subject = str(told.get("sub", ""))
    issuer = str(told.get("iss", ""))
    rows = (
        ("AWS source", place.words),
        ("AWS region", region),
        ("AWS issuer", issuer),
        ("AWS ARN", subject),
        ("subject", _sized(subject)),
    )
    return Identity(subject, rows)


def _sized(subject: str) -> str:
    return f"{subject} ({len(subject.encode())} of {LONGEST_SUBJECT} bytes)"
