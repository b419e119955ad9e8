"""The grammars of a question: durations, scopes, audiences, principals; and every contradiction of an `Ask` at once."""

import re

from gbearer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gbearer.model import Ask

SOURCES = ("auto", "adc", "file", "login", "gcloud", "metadata", "aws", "github", "gitlab", "azure", "env")
FEDERATED = ("aws", "github", "gitlab", "azure")
"""The sources that need no file, but a `--provider`."""
WITH_ACCOUNTS = ("auto", "login", "gcloud")
"""The sources in which people are signed in, several perhaps: `--account` chooses among them."""
KINDS = ("access", "id", "jwt")
MAX_LIFETIME = 43_200
"""12 hours: the longest that IAM Credentials lends an access token, in seconds."""
MAX_JWT_LIFETIME = 3600
"""One hour: the longest that Google accepts a self-signed JWT, in seconds."""

B64TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")  # RFC 6750 §2.1
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}")
_ACCOUNT = re.compile(EMAIL.pattern + r"|[0-9]{5,30}")
_ACCOUNT_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,400}")  # an address, or a principal:// of a workforce pool
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 §3.3
_AUDIENCE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,2000}")
_DURATION = re.compile(r"([0-9]{1,9})(s|m|h|d)?")
_WHOLE = "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
_ROLE = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::[0-9]{12}:[A-Za-z0-9+=,.@_/-]+")
_PROVIDER = re.compile(
    r"(?:projects/[0-9]+/locations/[a-z0-9-]+/workloadIdentityPools|locations/[a-z0-9-]+/workforcePools)"
    r"/[a-z][a-z0-9-]{2,62}/providers/[A-Za-z][A-Za-z0-9-]{2,62}"
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, None: 1}


def seconds(text: str | float, name: str = "--lifetime") -> int:
    """A duration (`15m`, `3600s`, `12h`, or a number of seconds) as whole seconds; UsageError otherwise."""
    try:
        found = _DURATION.fullmatch(text.strip() if isinstance(text, str) else str(int(text)))
    except (ValueError, OverflowError):  # not a number, or no end
        found = None
    if not found:
        raise UsageError(f"{name} {text!r} is not a duration", fix=f"write {name} 15m, 3600s or 12h")
    return int(found[1]) * _UNITS[found[2]]


def scopes(values: "Iterable[str]") -> tuple[str, ...]:
    """Scopes as OAuth spells them, from short names and comma lists; order kept, repeats dropped."""
    if isinstance(values, str):
        values = [values]
    words = (word for value in values for word in value.replace(",", " ").split(" ") if word)
    return tuple(dict.fromkeys(_scope(word) for word in words))


def _scope(word: str) -> str:
    if word == "openid" or "://" in word:
        return word
    if word in ("email", "profile"):
        word = f"userinfo.{word}"
    return f"https://www.googleapis.com/auth/{word}"


def provider(text: str) -> str:
    """A provider's resource path, without the host that some write in front of it."""
    return text.removeprefix("https:").removeprefix("//iam.googleapis.com/").removeprefix("/").rstrip("/")


def provider_problem(path: str) -> tuple[str, str] | None:
    """What is wrong with a provider's resource path, and what to do; None for a whole one."""
    if _PROVIDER.fullmatch(path):
        return None
    parts = path.split("/")
    if parts[0] == "projects" and len(parts) > 1 and not parts[1].isdigit():
        number = f"gcloud projects describe {parts[1]} --format='value(projectNumber)'"
        if PROJECT.fullmatch(parts[1]):
            return "has a project id where its number belongs", number
    if "providers" not in parts and any(part.endswith("Pools") for part in parts):
        return "is a pool, not a provider in it", "add /providers/PROVIDER with the provider's name at the end"
    if any(mark in path for mark in "${}"):
        return "has a variable in it that was not filled in", f"write it out: {_WHOLE}"
    return "is no provider", f"write it in full: {_WHOLE}"


def problems(ask: "Ask") -> list[tuple[str, str]]:
    """Every (problem, fix) of an Ask: its grammars, and options that contradict each other."""
    found: list[tuple[str, str]] = []

    def check(bad: object, problem: str, fix: str) -> None:
        if bad:
            found.append((problem, fix))

    check(ask.kind not in KINDS, f"there is no token type {ask.kind!r}", "use access, id or jwt")
    check(ask.source not in SOURCES, f"there is no source {ask.source!r}", f"use one of {', '.join(SOURCES)}")
    for scope in ask.scopes:
        check(
            not _SCOPE.fullmatch(scope),
            f"the scope {scope!r} has a character that no scope may have",
            "write scopes one by one, or separated by commas",
        )
    if ask.audience is not None:
        check(
            not ask.audience,
            "the audience is empty",
            "give the URL of the service, as in --audience https://HOST",
        )
        check(
            ask.audience and not _AUDIENCE.fullmatch(ask.audience),
            f"the audience {ask.audience[:80]!r} has spaces or characters that no audience may have",
            "give one URL or client id, without spaces or quotes",
        )
    for name in ask.impersonate:
        check(
            not _ACCOUNT.fullmatch(name),
            f"{name!r} is no service account",
            "give its email, as in robot@PROJECT.iam.gserviceaccount.com",
        )
    check(
        ask.subject is not None and not EMAIL.fullmatch(ask.subject),
        f"the subject {ask.subject!r} is no email address",
        "give the user's address: --subject ada@example.com",
    )
    check(
        ask.quota_project is not None and not PROJECT.fullmatch(ask.quota_project),
        f"the quota project {ask.quota_project!r} is no project id",
        "give a project id: --quota-project my-project",
    )
    check(
        ask.kind == "id" and not ask.audience,
        "an ID token needs an audience",
        "add --audience with the URL of the service, for example https://HOST.run.app",
    )
    check(
        ask.kind == "id" and ask.scopes,
        "an ID token has an audience, not scopes",
        "drop --scope, or drop --audience for an access token",
    )
    check(
        ask.kind == "jwt" and ask.audience and ask.scopes,
        "a self-signed JWT has an audience or scopes, never both",
        "drop --audience or --scope",
    )
    check(
        ask.kind == "jwt" and (ask.impersonate or ask.subject),
        "a self-signed JWT speaks for its own key: it cannot impersonate or act for a user",
        "drop --type jwt, or drop --impersonate and --subject",
    )
    check(
        ask.kind == "id" and ask.subject,
        "an ID token cannot be made for a user by domain-wide delegation",
        "drop --subject",
    )
    check(
        ask.kind == "id" and ask.lifetime,
        "an ID token lives for one hour: its lifetime cannot be chosen",
        "drop --lifetime",
    )
    check(
        ask.subject and ask.lifetime,
        "a token made by domain-wide delegation lives for one hour",
        "drop --lifetime or --subject",
    )
    limit = MAX_JWT_LIFETIME if ask.kind == "jwt" else MAX_LIFETIME
    check(
        ask.lifetime is not None and not 0 < ask.lifetime <= limit,
        f"a lifetime of {ask.lifetime} s is outside 1 to {limit} s",
        f"give --lifetime {limit}s or less",
    )
    check(ask.min_ttl < 0, "a least life cannot be negative", "give --min-ttl 5m, say")
    check(
        ask.credentials is not None and ask.source not in ("auto", "file"),
        f"--credentials names one credential and --source {ask.source} another",
        "drop one of the two",
    )
    found += _federation(ask)
    found += _narrowed(ask)
    return found


def _narrowed(ask: "Ask") -> list[tuple[str, str]]:
    """The problems of --account and of boundaries."""
    found = []
    if ask.account is not None:
        if not _ACCOUNT_NAME.fullmatch(ask.account):
            whole = "give it as `gbearer whoami` shows it, as in --account ada@example.com"
            found.append((f"{ask.account[:80]!r} is no account that one signs in with", whole))
        if ask.credentials is not None:
            found.append(("--credentials names one credential and --account another", "drop one of the two"))
        elif ask.source not in WITH_ACCOUNTS:
            drop = "drop --account, or choose --source login or gcloud"
            found.append((f"--source {ask.source} has no accounts to choose from", drop))
    if ask.boundary is not None and ask.kind != "access":
        what = "an ID token" if ask.kind == "id" else "a self-signed JWT"
        drop = "drop --boundary, --bucket, --prefix and --role, or ask for an access token"
        found.append((f"a boundary is for access tokens, and this is {what}", drop))
    return found


def _federation(ask: "Ask") -> list[tuple[str, str]]:
    """The problems of --provider, --expect-role and --aws-token."""
    found = []
    if ask.source in FEDERATED and ask.provider is None:
        found.append((f"--source {ask.source} needs a provider", f"add --provider {_WHOLE}"))
    if ask.provider is not None and ask.source not in FEDERATED:
        names = ", ".join(FEDERATED)
        found.append(("--provider needs to know who vouches for this program", f"add --source, one of {names}"))
    wrong = None if ask.provider is None else provider_problem(provider(ask.provider))
    if wrong:
        found.append((f"the provider {str(ask.provider)[:200]!r} {wrong[0]}", wrong[1]))
    if ask.expect_role is not None and not _ROLE.fullmatch(ask.expect_role):
        whole = "give it in full: --expect-role arn:aws:iam::ACCOUNT:role/NAME"
        found.append((f"the role {ask.expect_role[:200]!r} is no ARN of AWS", whole))
    if ask.aws_token not in (None, "signed", "jwt"):
        found.append((f"AWS vouches with no {ask.aws_token[:40]!r}", "use --aws-token signed or jwt"))
    return found
