"""OAuth scopes as Google writes them: which are well formed, which short names they have, which cover which."""

import re
from collections.abc import Iterable

PREFIX = "https://www.googleapis.com/auth/"
CLOUD_PLATFORM = PREFIX + "cloud-platform"
IAM = PREFIX + "iam"
EMAIL = PREFIX + "userinfo.email"
PROFILE = PREFIX + "userinfo.profile"
REAUTH = PREFIX + "accounts.reauth"
OPENID = "openid"

_ALIASES = {"email": EMAIL, "profile": PROFILE}
_FULL = re.compile(
    r"https://www\.googleapis\.com/auth/[a-z0-9][a-z0-9._-]*(/[a-z0-9._-]+)*\Z"
    r"|https://mail\.google\.com/\Z|https://www\.google\.com/(m8/feeds|calendar/feeds)/?\Z"
)
# The cloud-platform scope opens Google Cloud's APIs; Workspace, identity and advertising have scopes of their own.
_CLOUD = re.compile(
    r"(appengine|bigquery|bigtable|cloud|cloudkms|cloudruntimeconfig|compute|container|dataflow|datastore"
    r"|devstorage|firebase|genomics|iam|logging|monitoring|ndev|pubsub|servicecontrol|service|source"
    r"|spanner|sqlservice|trace|vision)([._-].*)?\Z"
)


def canonical(scope: str) -> str:
    """The full form of `scope`: `email` and `profile` are names for the userinfo scopes."""
    return _ALIASES.get(scope, scope)


def well_formed(scope: str) -> bool:
    """Whether Google could know a scope written like this."""
    return scope == OPENID or scope in _ALIASES or _FULL.match(scope) is not None


def expand(scope: str) -> str:
    """A short name such as `devstorage.read_only` in full; what is already a scope stays."""
    return canonical(scope) if well_formed(scope) or ":" in scope else PREFIX + scope


def covers(granted: Iterable[str], wanted: str) -> bool:
    """Whether a token with the scopes `granted` may call a method that wants `wanted`."""
    held = {canonical(scope) for scope in granted}
    if canonical(wanted) in held:
        return True
    name = wanted.removeprefix(PREFIX)
    return CLOUD_PLATFORM in held and name != wanted and _CLOUD.match(name) is not None
