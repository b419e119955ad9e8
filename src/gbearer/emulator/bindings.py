"""Who may act as whom: role bindings on service accounts, with members written as in IAM policies."""

from collections.abc import Iterable
from typing import Any, NamedTuple

TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"
OPEN_ID_TOKEN_CREATOR = "roles/iam.serviceAccountOpenIdTokenCreator"
WORKLOAD_IDENTITY_USER = "roles/iam.workloadIdentityUser"
_ID_TOKEN = "iam.serviceAccounts.getOpenIdToken"
_BOTH_TOKENS = ("iam.serviceAccounts.getAccessToken", _ID_TOKEN)
PERMISSIONS = {
    TOKEN_CREATOR: frozenset(
        {
            *_BOTH_TOKENS,
            *(f"iam.serviceAccounts.{verb}" for verb in ("implicitDelegation", "signBlob", "signJwt")),
        }
    ),
    OPEN_ID_TOKEN_CREATOR: frozenset({_ID_TOKEN}),
    WORKLOAD_IDENTITY_USER: frozenset(_BOTH_TOKENS),
}
"""What each role that the emulator knows allows on the service account it is granted on."""
_KINDS = ("serviceAccount:", "user:", "principal://iam.googleapis.com/", "principalSet://iam.googleapis.com/")


class Binding(NamedTuple):
    """`member` has `role` on the service account `target` (an e-mail address)."""

    member: str
    role: str
    target: str


def allows(bindings: Iterable[Binding], members: frozenset[str], target: str, permission: str) -> bool:
    """Whether somebody who counts as each of `members` has `permission` on `target`."""
    return any(
        one.target == target and one.member in members and permission in PERMISSIONS[one.role] for one in bindings
    )


def parse(document: object) -> list[Binding]:
    """The bindings of one item `{"serviceAccount", "role", "members"}`; ValueError says what is wrong with it."""
    if not isinstance(document, dict):
        raise ValueError("a binding is an object with serviceAccount, role and members")
    item: dict[str, Any] = document
    target, role, members = item.get("serviceAccount"), item.get("role", WORKLOAD_IDENTITY_USER), item.get("members")
    if not isinstance(target, str) or "@" not in target:
        raise ValueError("serviceAccount is the e-mail address that the members may act as")
    if role not in PERMISSIONS:
        raise ValueError(f"unknown role {role!r}; known: {', '.join(PERMISSIONS)}")
    if not isinstance(members, list) or not members:
        raise ValueError("members is a list of members")
    for member in members:
        if not isinstance(member, str) or not member.startswith(_KINDS):
            raise ValueError(f"{member!r} is no member; members begin with {', '.join(_KINDS)}")
    return [Binding(member, role, target) for member in members]
