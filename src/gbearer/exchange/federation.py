"""Refusals of Google's STS (RFC 8693 §2.2.2): which part of a federation is wrong, and the command that shows it."""

from gbearer.errors import BadCredentials, Denied, Error, Unreachable, UsageError
from gbearer.exchange.said import Said, set_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources import Source
    from gbearer.sources.external.federation import Federation
    from gbearer.sources.external.identity import Identity
    from gbearer.transport import Transport

LONGEST = 127
"""Bytes that Google allows a mapped google.subject."""
USER = "roles/iam.workloadIdentityUser"
_AWS = "urn:ietf:params:aws:token-type:aws4_request"
_ASK_SECONDS = 3.0


def explain(said: Said, ask: "Ask", source: "Source", transport: "Transport") -> Error:
    """What a refusal of STS means for `source`, which is federated."""
    found = source.federation
    if found is None:
        raise AssertionError("only a federated source speaks to STS")
    text = said.text.lower()
    if said.code == "invalid_target":
        return BadCredentials(
            f"Google knows no such provider, or it is disabled: {found.provider}",
            why=said.words,
            fix=f"look at it: `{describe(found)}`; a new one takes up to five minutes",
        )
    if said.code == "invalid_request" and "audience" in text:
        return BadCredentials(
            f"the audience in {found.where} names no provider that Google could know",
            why=f"it is {found.audience[:200]!r}; {said.words}",
            fix="name the provider in full: //iam.googleapis.com/projects/NUMBER/locations/global/"
            "workloadIdentityPools/POOL/providers/PROVIDER, with the project's number, not its id",
        )
    if said.code == "invalid_grant":
        return _grant(said, source, found, transport)
    if said.code == "unauthorized_client" and "condition" in text:
        return Denied(
            f"the condition of the provider {found.provider} turns this identity away",
            why=_with(_speaks(known(source, transport)), said.words),
            fix=f"compare it with attributeCondition (upper and lower case count): `{describe(found)}`",
        )
    if said.code in ("invalid_client", "unauthorized_client"):
        return BadCredentials(
            f"Google does not accept the OAuth client in {found.where}",
            why=said.words,
            fix="check client_id and client_secret in the file; a workload needs neither",
        )
    if said.code == "invalid_scope":
        scopes = " ".join(ask.scopes or source.default_scopes(ask))
        return UsageError(f"Google knows no scope {scopes}", why=said.words, fix="correct --scope")
    return _gateway(said, found)


def describe(found: "Federation") -> str:
    """The command that shows the provider."""
    parts = dict(zip(*[iter(found.provider.split("/"))] * 2, strict=False))
    name, place = parts.get("providers", "PROVIDER"), parts.get("locations", "global")
    if "workforcePools" in parts:
        pool = parts["workforcePools"]
        return f"gcloud iam workforce-pools providers describe {name} --workforce-pool={pool} --location={place}"
    pool, project = parts.get("workloadIdentityPools", "POOL"), parts.get("projects", "NUMBER")
    return (
        f"gcloud iam workload-identity-pools providers describe {name} --workload-identity-pool={pool} "
        f"--location={place} --project={project}"
    )


def known(source: "Source", transport: "Transport") -> "Identity | None":
    """Whose subject token it was; None where that cannot be found out now."""
    if source.identify is None:
        return None
    try:
        return source.identify(type(transport)(transport.env, total=_ASK_SECONDS, tries=1))
    except Error:
        return None


def members(source: "Source", identity: "Identity | None") -> list[str]:
    """How IAM policies may name this identity, the way that suits best first.

    What Google calls it is for the provider's mapping to say; these are the names under those of Google's guides.
    """
    found = source.federation
    if found is None or not found.pool:
        return []
    one = found.principal(identity.subject if identity is not None and identity.subject else "SUBJECT")
    groups = [found.group(name, value) for name, value in (identity.groups if identity is not None else ())]
    # the subject of an AWS role ends in the name of a session, which is another one every time
    return [*groups, one] if found.subject_type == _AWS else [one, *groups]


def grants(source: "Source", target: str, transport: "Transport") -> str:
    """The command that lets this identity act as `target`, with its other ways in words."""
    import shlex

    command = f"gcloud iam service-accounts add-iam-policy-binding {target} --role={USER} --member="
    first, *others = members(source, known(source, transport)) or ["PRINCIPAL"]
    more = "".join(f"\n       or --member={shlex.quote(other)}" for other in others)
    return f"{command}{shlex.quote(first)}{more}"


def _grant(said: Said, source: "Source", found: "Federation", transport: "Transport") -> Error:
    """`invalid_grant`: the subject token is not one that this provider takes."""
    text = said.text.lower()
    identity = known(source, transport)
    speaks = _speaks(identity)
    if "127 bytes" in text or "exceeds the" in text:
        return _too_long(said, found, identity)
    if "stale" in text or "expired" in text or "issued at" in text or "future" in text:
        return BadCredentials(
            "Google refuses the subject token because of its time",
            why=_with(said.late, said.words),
            fix=set_clock() if said.late else "get a fresh one from whoever issues it, and check that it is renewed",
        )
    if "issuer" in text and "connecting" in text:
        return BadCredentials(
            "Google cannot fetch the keys of the issuer of this subject token",
            why=_with(speaks, said.words),
            fix="make its discovery document and keys public, or upload the keys: "
            "gcloud iam workload-identity-pools providers update-oidc PROVIDER --jwk-json-path=FILE",
        )
    if "issuer" in text:
        return BadCredentials(
            f"the subject token is from another issuer than {found.provider} expects",
            why=_with(speaks, said.words),
            fix=f"compare it with issuerUri, letter by letter: `{describe(found)}`",
        )
    if "mapping" in text:
        return BadCredentials(
            f"the mapping of {found.provider} wants something that this identity does not have",
            why=_with(said.words, speaks),
            fix=f"correct attributeMapping, or have the issuer add that claim: `{describe(found)}`",
        )
    if "audience" in text:
        return BadCredentials(
            f"the subject token is for another audience than {found.provider} allows",
            why=_with(speaks, said.words),
            fix=f"compare it with allowedAudiences (none means https:{found.audience}): `{describe(found)}`",
        )
    if "aws" in text or found.subject_type == _AWS:
        return BadCredentials(
            "AWS or Google does not accept the signed request of this AWS identity",
            why=_with(said.late, _with(speaks, said.words)),
            fix=set_clock()
            if said.late
            else "check that the AWS credentials work: aws sts get-caller-identity; "
            f"and that the provider is for this account: `{describe(found)}`",
        )
    return BadCredentials(
        f"Google refuses the subject token of {found.where}",
        why=_with(said.late, _with(speaks, said.words)),
        fix=f"compare it with what the provider expects: `{describe(found)}`",
    )


def _too_long(said: Said, found: "Federation", identity: "Identity | None") -> Error:
    subject = identity.subject if identity is not None else ""
    length = f"it has {identity.length} bytes, and Google takes {LONGEST}: {subject}" if identity and subject else ""
    advice = "shorten the name of the role or of the session, or map" if found.subject_type == _AWS else "map"
    return BadCredentials(
        "the subject of this identity is too long for Google",
        why=_with(length, said.words),
        fix=f"{advice} google.subject to something shorter, see attributeMapping in `{describe(found)}`",
    )


def _gateway(said: Said, found: "Federation") -> Error:
    """Refusals of Google's front door, and what is not known."""
    if said.reason == "USER_PROJECT_DENIED" or (said.status == 403 and found.user_project):
        project = found.user_project or said.details.get("consumer", "").removeprefix("projects/") or "PROJECT"
        return Denied(
            f"this identity may not charge the project {project}",
            why=said.words,
            fix=f"grant it roles/serviceusage.serviceUsageConsumer on {project}, "
            "or correct workforce_pool_user_project in the file",
        )
    if "constraints/iam.workloadIdentityPoolProviders" in said.text or said.code == "FAILED_PRECONDITION":
        return Denied(
            "a rule of the organisation forbids this provider",
            why=said.words,
            fix="have it allowed in the policy constraints/iam.workloadIdentityPoolProviders (for AWS: ...AwsAccounts)",
        )
    if said.status == 403:
        return Denied("Google's STS may not be used here", why=said.words, fix=f"look at `{describe(found)}`")
    if said.code in ("invalid_request", "unsupported_grant_type", "unsupported_token_type"):
        return BadCredentials(
            f"{said.host} does not understand what {found.where} makes us send",
            why=said.words,
            fix="check subject_token_type, token_url and the provider; preflight helps: gbearer preflight FILE",
        )
    return Unreachable(
        f"{said.host} refused in a way that is not understood",
        why=f"{said.words}, at {said.path}",
        fix="check token_url in the file, and what stands between you and Google",
    )


def _speaks(identity: "Identity | None") -> str:
    """What the subject token says, in words."""
    if identity is None or not identity.rows:
        return ""
    return "it says: " + ", ".join(f"{label} {text}" for label, text in identity.rows)


def _with(first: str, second: str) -> str:
    return f"{first}; {second}" if first and second else first or second
