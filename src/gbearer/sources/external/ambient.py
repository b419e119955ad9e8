"""Providers that vouch for a program by where it runs, without a file: GitHub Actions, GitLab CI, Azure."""

from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer.errors import CredentialsNotFound
from gbearer.sources import detect
from gbearer.sources.external import spoken, subject, trust
from gbearer.sources.external.federation import JWT, Federation, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

    Obtain = Callable[[Transport], str]

GITHUB_URL, GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
GITLAB = ("GBEARER_ID_TOKEN", "GITLAB_OIDC_TOKEN", "GCP_ID_TOKEN", "ID_TOKEN", "CI_JOB_JWT_V2")
"""Where a GitLab job is likely to have its ID token: the name is chosen in `.gitlab-ci.yml`."""
AZURE_ENDPOINT, AZURE_HEADER = "IDENTITY_ENDPOINT", "IDENTITY_HEADER"
AZURE_HOST = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
AZURE_RESOURCE = "GBEARER_AZURE_RESOURCE"
_AZURE_METADATA = "http://169.254.169.254"


def find(ask: "Ask", look: "Look") -> tuple[Federation, "Obtain", str | None]:
    """(federation, what obtains the subject token, what pins it) for `--source github`, `gitlab` or `azure`.

    Raises CredentialsNotFound where this is no such place.
    """
    look.remember = False  # a job and a machine are no files
    found = named(ask.provider or "", JWT, look)
    found.where = f"{_NAMES[ask.source]} for {found.provider}"
    return (found, *_FINDERS[ask.source](found, ask, look))


def audience(found: Federation) -> str:
    """The audience that a provider accepts unless it was told another: its own URL."""
    return f"https://iam.googleapis.com/{found.provider}"


def _github(found: Federation, ask: "Ask", look: "Look") -> tuple["Obtain", str | None]:
    """https://docs.github.com/actions/reference/security/oidc."""
    url, secret = look.env.get(GITHUB_URL, ""), look.env.get(GITHUB_TOKEN, "")
    if not url or not secret:
        missing = GITHUB_TOKEN if url else GITHUB_URL
        look.absent("GitHub Actions", f"{missing} is not set")
        raise CredentialsNotFound(
            "this is no GitHub Actions job that may ask for an ID token",
            why=f"{missing} is not set",
            fix="add `permissions: {id-token: write, contents: read}` to the job or the workflow",
        )
    trust.subject_url(GITHUB_URL, url, "the environment", trust=ask.trust_config)
    whole = f"{url}{'&' if '?' in url else '?'}audience={_quoted(audience(found))}"
    headers = {"Authorization": f"Bearer {secret}", "Accept": "application/json"}

    def obtain(transport: "Transport") -> str:
        data = subject.get(transport, whole, headers, GITHUB_URL, "run the job again; its permission lasts no longer")
        return subject.read(data, "value", found, "GitHub's answer")

    look.found("GitHub Actions", f"{GITHUB_URL} is set")
    return obtain, _digest(url, secret)


def _gitlab(found: Federation, _: "Ask", look: "Look") -> tuple["Obtain", str | None]:
    """https://docs.gitlab.com/ci/secrets/id_token_authentication."""
    name = next((name for name in GITLAB if look.env.get(name, "").strip()), "")
    if not name:
        look.absent("GitLab", f"none of {', '.join(GITLAB)} is set")
        raise CredentialsNotFound(
            "this is no GitLab job with an ID token",
            why=f"none of {', '.join(GITLAB)} is set",
            fix=f"add to the job: id_tokens: {{GITLAB_OIDC_TOKEN: {{aud: {audience(found)}}}}}",
        )
    token = subject.checked(look.env[name].strip(), found, f"the variable {name}")
    look.found("GitLab", f"{name} is set")
    return (lambda _: token), spoken.pin(token)


def _azure(found: Federation, ask: "Ask", look: "Look") -> tuple["Obtain", str | None]:
    """https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token."""
    env = look.env
    resource = env.get(AZURE_RESOURCE) or audience(found)
    client = env.get("AZURE_CLIENT_ID", "")
    if env.get(AZURE_ENDPOINT) and env.get(AZURE_HEADER):
        place, base, version = "App Service", env[AZURE_ENDPOINT], "2019-08-01"
        headers = {"X-IDENTITY-HEADER": env[AZURE_HEADER]}
        trust.subject_url(AZURE_ENDPOINT, base, "the environment", trust=ask.trust_config)
        by = AZURE_ENDPOINT
    else:
        host = env.get(AZURE_HOST, "") or _AZURE_METADATA
        trust.subject_url(AZURE_HOST, host, "the environment", trust=ask.trust_config)
        place, base, version = "virtual machine", f"{host.rstrip('/')}/metadata/identity/oauth2/token", "2018-02-01"
        headers = {"Metadata": "true"}
        by = AZURE_HOST if env.get(AZURE_HOST) else "--source azure"
    url = f"{base}?api-version={version}&resource={_quoted(resource)}"
    url += f"&client_id={_quoted(client)}" if client else ""
    hint = f"on Azure: turn on a managed identity, and see that {resource} is the application id URI of an app in Entra"

    def obtain(transport: "Transport") -> str:
        quick = type(transport)(transport.env, total=min(transport.total, 8.0), tries=2)
        return subject.read(subject.get(quick, url, headers, by, hint), "access_token", found, "Azure's answer")

    look.found("Azure", f"managed identity of this {place}")
    pinned = _digest(url, env[AZURE_HEADER]) if by == AZURE_ENDPOINT else detect.machine(look, url)
    return obtain, pinned


_FINDERS = {"github": _github, "gitlab": _gitlab, "azure": _azure}
_NAMES = {"github": "GitHub Actions", "gitlab": "GitLab", "azure": "Azure's managed identity"}


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()
