"""What a federation is, wherever its subject token comes from: provider, Google's addresses, whom to act as."""

import re

from gbearer import endpoints, grammar
from gbearer.errors import BadCredentials
from gbearer.sources import fields, impersonated, universe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources.look import Look

JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
SAML = "urn:ietf:params:oauth:token-type:saml2"
MTLS = "urn:ietf:params:oauth:token-type:mtls"
AWS = "urn:ietf:params:aws:token-type:aws4_request"
SUBJECT_TYPES = (JWT, ID_TOKEN, SAML, MTLS, AWS)
_RESOURCE = "//iam.googleapis.com/"
_FLEET = re.compile(r"identitynamespace:[!-~]+:https://[!-~]+")  # what GKE writes for the members of a fleet
FIELDS = (
    ("audience", "subject_token_type", "token_url"),
    (
        "service_account_impersonation_url",
        "token_info_url",
        "client_id",
        "client_secret",
        "quota_project_id",
        "workforce_pool_user_project",
        "universe_domain",
    ),
)
"""The fields that a file has to have, and those that it may have, all of them text."""
_SHORTEST = 600
"""Seconds: the shortest life that Google documents for `token_lifetime_seconds`."""


class Federation:
    """A trust between a provider outside Google and a pool inside; what STS is told, and what comes after.

    audience        as STS wants it: `//iam.googleapis.com/PROVIDER`, or `identitynamespace:...` in a GKE fleet
    pool            the resource path of the pool, which principals begin with; "" in a GKE fleet
    subject_type    what the subject token is (RFC 8693 §3)
    token_url       where it is exchanged
    impersonate     the service account to act as, "" for none
    lifetime        seconds that a token of that account shall live, None for Google's own hour
    client_id, client_secret  what STS is told as HTTP Basic, "" for nothing
    user_project    the project that a workforce charges, "" where the file names none
    credential_source  the file's own words on where the subject token comes from; {} without a file
    where           the file, or words, for messages
    """

    __slots__ = (
        "audience", "client_id", "client_secret", "credential_source", "impersonate", "lifetime", "pool",
        "quota_project", "subject_type", "token_url", "universe", "user_project", "where",
    )  # fmt: skip

    def __init__(self, audience: str, subject_type: str, where: str) -> None:
        self.audience = audience
        self.subject_type = subject_type
        self.where = where
        provider = audience.removeprefix(_RESOURCE)
        self.pool = provider.partition("/providers/")[0] if provider != audience else ""
        self.universe = endpoints.UNIVERSE
        self.token_url = f"https://sts.{self.universe}/v1/token"
        self.impersonate = ""
        self.lifetime: int | None = None
        self.client_id = ""
        self.client_secret = ""
        self.quota_project: str | None = None
        self.user_project = ""
        self.credential_source: fields.Info = {}

    @property
    def provider(self) -> str:
        """The provider's resource path, without Google's host in front."""
        return self.audience.removeprefix(_RESOURCE)

    def principal(self, subject: str) -> str:
        """Who a mapped subject is in IAM policies: `principal://...`; "" in a GKE fleet."""
        return f"principal:{_RESOURCE}{self.pool}/subject/{subject}" if self.pool and subject else ""

    def group(self, attribute: str, value: str) -> str:
        """Everybody with a mapped attribute, as IAM policies spell it: `principalSet://...`."""
        return f"principalSet:{_RESOURCE}{self.pool}/attribute.{attribute}/{value}" if self.pool and value else ""

    def described(self) -> str:
        """Everything that decides which token comes of a subject token, as text, for fingerprints."""
        parts = (self.audience, self.subject_type, self.token_url, self.client_id, self.user_project, self.universe,
                 self.impersonate, str(self.lifetime))  # fmt: skip
        return "\0".join(parts)


def named(provider: str, subject_type: str, look: "Look") -> Federation:
    """The federation of `--provider`, for a source without a file; `grammar` has checked what it looks like."""
    found = Federation(_RESOURCE + grammar.provider(provider), subject_type, f"the provider {provider}")
    found.universe = universe.of_environment(look.env) or endpoints.UNIVERSE
    found.token_url = f"https://sts.{found.universe}/v1/token"
    _mark(found, look)
    return found


def read(info: "fields.Info", where: str, ask: "Ask", look: "Look") -> Federation:
    """The federation in a file of the type `external_account`; BadCredentials naming everything that is wrong.

    Follows https://google.aip.dev/auth/4117. Every URL in it that is Google's is checked; those of
    `credential_source` are for whoever reads that.
    """
    fields.check(info, where, "federation file", *FIELDS)
    problems = audience_problems(fields.text(info, "audience"))
    kind = fields.text(info, "subject_token_type")
    if kind not in SUBJECT_TYPES:
        problems.append(f"subject_token_type {kind[:80]!r} is none that Google's STS takes from a file")
    source = info.get("credential_source")
    if not isinstance(source, dict) or not source:
        problems.append("credential_source is missing" if not source else "credential_source is no object")
    seconds = lifetime(info, problems)
    workforce = "/workforcePools/" in fields.text(info, "audience")
    if fields.text(info, "workforce_pool_user_project") and not workforce:
        problems.append("workforce_pool_user_project is for workforce pools, and audience names a workload pool")
    if problems:
        raise BadCredentials(f"{where} is no usable federation file", why="; ".join(problems), fix=remake(info))
    found = Federation(fields.text(info, "audience"), kind, where)
    found.universe = universe.of_file(info, where, ask, look)
    found.token_url = fields.text(info, "token_url")
    for field in ("token_url", "token_info_url"):
        if fields.text(info, field):
            endpoints.check_field(
                field, fields.text(info, field), where, look.env, universe=found.universe, trust=ask.trust_config
            )
    url = fields.text(info, "service_account_impersonation_url")
    found.impersonate = impersonated.target(url, where, ask, look, found.universe) if url else ""
    found.lifetime = seconds
    found.client_id, found.client_secret = fields.text(info, "client_id"), fields.text(info, "client_secret")
    found.quota_project = fields.text(info, "quota_project_id") or None
    found.user_project = fields.text(info, "workforce_pool_user_project")
    found.credential_source = source if isinstance(source, dict) else {}
    _mark(found, look)
    return found


def audience_problems(audience: str) -> list[str]:
    """What is wrong with the field `audience`, in words; nothing when it names a provider in full."""
    if _FLEET.fullmatch(audience):
        return []
    told = grammar.provider_problem(audience.removeprefix(_RESOURCE))
    if audience.startswith(_RESOURCE):
        return [f"audience {audience[:200]!r} {told[0]}; {told[1]}"] if told else []
    return [f"audience {audience[:200]!r} does not begin with {_RESOURCE}projects/NUMBER/"]


def lifetime(info: "fields.Info", problems: list[str]) -> int | None:
    """Seconds that a token of the account in the file shall live, None where it does not say; adds to `problems`."""
    options = info.get("service_account_impersonation")
    if options is None:
        return None
    value = options.get("token_lifetime_seconds") if isinstance(options, dict) else options
    if isinstance(options, dict) and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        problems.append("service_account_impersonation.token_lifetime_seconds is no whole number")
    elif not _SHORTEST <= value <= grammar.MAX_LIFETIME:
        problems.append(
            f"service_account_impersonation.token_lifetime_seconds {value} is outside "
            f"{_SHORTEST} to {grammar.MAX_LIFETIME}"
        )
    else:
        return value
    return None


def remake(info: "fields.Info") -> str:
    """The command that makes such a file."""
    source = info.get("credential_source")
    names = source if isinstance(source, dict) else {}
    options = (("environment_id", "--aws"), ("file", "--credential-source-file=FILE"), ("url",
               "--credential-source-url=URL"), ("executable", "--executable-command=COMMAND"), ("certificate",
               "--credential-cert-path=FILE --credential-cert-private-key-path=FILE"))  # fmt: skip
    option = next((option for name, option in options if name in names), "--credential-source-file=FILE")
    return f"gcloud iam workload-identity-pools create-cred-config PROVIDER {option} --output-file=FILE"


def _mark(federation: Federation, look: "Look") -> None:
    """While an emulator is set, only a pool of an emulator is spoken to."""
    pool = federation.pool.rpartition("/")[2]
    endpoints.made_by_emulator(pool, "provider", federation.where, look.env)
