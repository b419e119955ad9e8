"""Who may do what in the buckets: a scope for storage opens all of it, a boundary leaves what its rules name."""

from gbearer.emulator import gateway, scopes
from gbearer.emulator.answers import Refusal
from gbearer.emulator.state import Call, State
from gbearer.emulator.storage import roles
from gbearer.emulator.storage.problem import REALM, Problem
from gbearer.emulator.sts import boundary
from gbearer.emulator.sts.condition import Facts

_WRITE = tuple(f"{scopes.PREFIX}devstorage.{name}" for name in ("read_write", "full_control"))
_READ = (f"{scopes.PREFIX}devstorage.read_only", *_WRITE, f"{scopes.CLOUD_PLATFORM}.read-only")
_SCOPES = {roles.CREATE: _WRITE, roles.DELETE: _WRITE}


def check(
    state: State, call: Call, permission: str, bucket: str, name: str = "", list_prefix: str | None = None
) -> None:
    """Raise Problem unless the caller has `permission` on the object `name` of `bucket`, or on `bucket` without a name.

    Without a bucket it is the project that is meant. `list_prefix` is what a listing asks for.
    """
    call.entry.details |= {"permission": permission, "bucket": bucket}
    try:
        caller = gateway.identify(state, call, _SCOPES.get(permission, _READ))
    except Refusal as refusal:
        raise _in_storages_words(call, refusal, permission, name) from None
    if not caller.boundary:
        return
    resource = f"projects/_/buckets/{bucket}" + (f"/objects/{name}" if name else "")
    facts = Facts(resource, f"storage.googleapis.com/{'Object' if name else 'Bucket'}", list_prefix=list_prefix)
    if not bucket or not boundary.allows(caller.boundary, bucket, permission, facts):
        raise _denied(caller.email, permission, name, bucket)


def _denied(who: str, permission: str, name: str, bucket: str, status: int = 403) -> Problem:
    what = "object" if name else "bucket" if bucket else "project"
    message = (
        f"{who} does not have {permission} access to the Google Cloud {'' if what == 'project' else 'Storage '}{what}. "
        f"Permission '{permission}' denied on resource (or it may not exist)."
    )
    reason, authenticate = ("required", REALM) if status == 401 else ("forbidden", "")
    return Problem(status, reason, "AccessDenied", "Access denied.", message, authenticate)


def _in_storages_words(call: Call, refusal: Refusal, permission: str, name: str) -> Problem:
    authenticate = refusal.headers.get("WWW-Authenticate", "")
    if refusal.status == 401 and "Authorization" not in call.request.headers:
        return _denied("Anonymous caller", permission, name, call.entry.details["bucket"], 401)
    if refusal.status == 401:
        message = "Invalid Credentials"
        return Problem(401, "authError", "AuthenticationRequired", "Authentication required.", message, authenticate)
    if "insufficient_scope" in authenticate:
        message = "Provided scope(s) are not authorized"
        return Problem(403, "forbidden", "AccessDenied", "Access denied.", message, authenticate)
    message = "Caller does not have required permission to use the project that is to be charged."
    return Problem(403, "forbidden", "UserProjectAccessDenied", "Access denied.", message)
