"""Check a federation file before it is used: nothing is run, nothing is sent, no host is looked up."""

from gbearer import endpoints
from gbearer.diagnose import origins
from gbearer.diagnose.finding import BAD, NOTE, OK, Finding
from gbearer.errors import Error
from gbearer.grammar import MAX_LIFETIME
from gbearer.model import Ask
from gbearer.sources import fields, impersonated, universe
from gbearer.sources.external import Federation, Identity, federation
from gbearer.sources.look import Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_USER = "roles/iam.workloadIdentityUser"
_HOUR = 3600


def examine(
    info: "Mapping[str, object]", where: str, env: "Mapping[str, str]", *, trust: bool = False, role: str | None = None
) -> list[Finding]:
    """Everything that can be said offline of the parsed `external_account` file `where`, in the order of its fields.

    trust  accept hosts that are not Google's, as --trust-config does
    role   the ARN of the AWS role that will use it, for the names that Google will know it by
    """
    ask, look = Ask(trust_config=trust, expect_role=role), Look(env)
    found: list[Finding] = []

    def check(about: str, run: "Callable[[], str]") -> bool:
        try:
            found.append(Finding(OK, about, run()))
        except Error as error:
            text = f"{error.message}: {error.why}" if error.why else error.message
            found.append(Finding(BAD, about, text, error.fix))
            return False
        return True

    check("fields", lambda: _fields(info, where))
    audience = fields.text(info, "audience")
    problems = federation.audience_problems(audience)
    provider = audience.removeprefix("//iam.googleapis.com/")
    found.append(Finding(BAD if problems else OK, "audience", "; ".join(problems) or provider))
    named = endpoints.UNIVERSE
    if check("universe_domain", lambda: universe.of_file(info, where, ask, look)):
        named = universe.of_file(info, where, ask, look)
    for field in ("token_url", "token_info_url"):
        if fields.text(info, field):
            check(field, lambda field=field: _host(field, info, where, env, named, trust=trust))  # type: ignore[misc]
    url = fields.text(info, "service_account_impersonation_url")
    target = ""
    if url and check(
        "service_account_impersonation_url", lambda: f"as {impersonated.target(url, where, ask, look, named)}"
    ):
        target = impersonated.target(url, where, ask, look, named)
    found.append(_lifetime(info, target))
    identity = origins.examine(info, where, ask, look, found)
    if not problems:
        found += _names(info, where, target, identity)
    return found


def _fields(info: "Mapping[str, object]", where: str) -> str:
    """The fields that every such file has; the others are checked one by one."""
    fields.check(info, where, "federation file", *federation.FIELDS)
    kind = fields.text(info, "subject_token_type")
    if kind not in federation.SUBJECT_TYPES:
        raise Error(f"subject_token_type is {kind[:80]!r}", fix=federation.remake(info))
    workforce = "/workforcePools/" in fields.text(info, "audience")
    if fields.text(info, "workforce_pool_user_project") and not workforce:
        raise Error("workforce_pool_user_project is for workforce pools only", fix="remove it from the file")
    return f"complete; the subject token is {kind.rpartition(':')[2]}"


def _host(field: str, info: "Mapping[str, object]", where: str, env: "Mapping[str, str]", named: str, *,
          trust: bool) -> str:  # fmt: skip
    url = endpoints.check_field(field, fields.text(info, field), where, env, universe=named, trust=trust)
    if field == "token_url" and fields.text(info, "subject_token_type") == federation.MTLS and ".mtls." not in url.host:
        raise Error(f"{url.host} asks for no client certificate", fix=f"use https://sts.mtls.{named}/v1/token")
    return url.host


def _lifetime(info: "Mapping[str, object]", target: str) -> Finding:
    problems: list[str] = []
    seconds = federation.lifetime(info, problems)
    about = "service_account_impersonation"
    if problems:
        return Finding(BAD, about, problems[0], f"give 600 to {MAX_LIFETIME} seconds, or remove it")
    if seconds is None:
        return Finding(OK, about, "a token lives for one hour" if target else "not used")
    if not target:
        return Finding(NOTE, about, "a lifetime counts only with service_account_impersonation_url")
    if seconds > _HOUR:
        policy = "constraints/iam.allowServiceAccountCredentialLifetimeExtension"
        return Finding(NOTE, about, f"{seconds} s is more than an hour: {target} has to be in the policy {policy}")
    return Finding(OK, about, f"a token lives for {seconds} s")


def _names(info: "Mapping[str, object]", where: str, target: str, identity: Identity) -> list[Finding]:
    """What IAM policies will call this identity, and the line that lets it act as the service account."""
    import shlex

    named = Federation(fields.text(info, "audience"), fields.text(info, "subject_token_type"), where)
    if not named.pool:
        return [Finding(NOTE, "principal", "a member of a fleet: its principal is the namespace and service account")]
    is_aws = named.subject_type == federation.AWS
    groups = identity.groups or ((("aws_role", "arn:aws:sts::ACCOUNT:assumed-role/ROLE"),) if is_aws else ())
    one = named.principal(identity.subject or "SUBJECT")
    many = [named.group(name, value) for name, value in groups]
    members = [*many, one] if is_aws else [one, *many]
    told = [Finding(NOTE, "principal", f"under the mapping of Google's guides: {members[0]}")]
    if target:
        line = f"gcloud iam service-accounts add-iam-policy-binding {target} --role={_USER} --member="
        told.append(Finding(NOTE, "binding", "this identity needs one right, once:", line + shlex.quote(members[0])))
    if len(members) > 1:
        told.append(Finding(NOTE, "or", "; ".join(members[1:])))
    return told
