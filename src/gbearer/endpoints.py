"""Every Google URL in one place: how a URL is read, where it is sent, and which host may be sent which secret."""

import re

from gbearer.errors import BadCredentials, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

UNIVERSE = "googleapis.com"
UNIVERSE_VARIABLE = "GOOGLE_CLOUD_UNIVERSE_DOMAIN"
TOKEN = "https://oauth2.googleapis.com/token"
SIGN_IN = "https://accounts.google.com/o/oauth2/v2/auth"
REVOKE = "https://oauth2.googleapis.com/revoke"
TOKENINFO = "https://oauth2.googleapis.com/tokeninfo"
IAM_CREDENTIALS = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
METADATA_HOST = "metadata.google.internal"
METADATA_IP = "169.254.169.254"
METADATA_HOSTS = (METADATA_HOST, "metadata", METADATA_IP, "[fd20:ce::254]")
_NOT_GOOGLE = ("/latest/", "/metadata/")
"""What AWS and Azure serve at the same address as Google's metadata server."""
EMULATOR_VARIABLE = "GBEARER_EMULATOR_HOST"
EMULATOR_MARK = "emulator-"
"""Key ids, refresh tokens, client ids and universes that an emulator made begin with this."""

# Strict on purpose: whatever this accepts, every parser reads the same way. No userinfo, no backslash, no
# control character, nothing but ASCII, no percent sign or empty label in the host.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:/[!-\"$-\[\]-~]*)?(?:\?[!-\"$-\[\]-~]*)?)(?:\#[!-\[\]-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_AWS_REGION = r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}"
_AWS_STS = re.compile(
    rf"sts\.amazonaws\.com|sts(?:-fips)?\.{_AWS_REGION}\.(?:amazonaws\.com(?:\.cn)?|api\.aws|"
    r"api\.amazonwebservices\.com\.cn)"
)
_LOOPBACK_IP = r"127(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}|\[::1\]"
_LOOPBACK = re.compile(rf"{_LOOPBACK_IP}|localhost")
_LINK_LOCAL = re.compile(
    r"169\.254(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){2}|\[fe[89ab][0-9a-f]:[0-9a-f:]*\]"
    r"|\[fd00:ec2::(?:23|254)\]"  # AWS's own, for pods and instances
)
_LOOPBACK_WITH_PORT = re.compile(rf"(?P<host>{_LOOPBACK_IP}):(?P<port>[0-9]{{1,5}})")
_GOOGLE = re.compile(
    r"(?:[a-z0-9_-]+\.)*(?:googleapis\.com|google\.com|googleusercontent\.com|gstatic\.com|run\.app|"
    r"cloudfunctions\.net|pkg\.dev|gcr\.io|google\.internal|appspot\.com)|metadata|169\.254\.169\.254|\[fd20:ce::254\]"
)
_EMULATED = re.compile(rf"(?:[a-z0-9_-]+\.)*(?P<universe>{EMULATOR_MARK}[a-z0-9-]+(?:\.[a-z0-9-]+)+)")


class URL:
    """A URL taken apart once; what is dialled is made from these parts and from nothing else."""

    __slots__ = ("host", "port", "scheme", "target")

    def __init__(self, scheme: str, host: str, port: int, target: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.target = target

    @property
    def netloc(self) -> str:
        """Host and, where it is not the scheme's own, port: what goes into a `Host` header."""
        usual = self.port == (443 if self.scheme == "https" else 80)
        return self.host if usual else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a path."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def path(self) -> str:
        """The path, without the query."""
        return self.target.partition("?")[0]

    def to(self, emulator: "URL") -> "Self":
        """The same request at the emulator's address."""
        return type(self)(emulator.scheme, emulator.host, emulator.port, self.target)

    def __str__(self) -> str:
        return self.origin + self.target


def parse(text: str, what: str = "the URL") -> URL:
    """`text` as a URL; UsageError when two parsers could read it differently."""
    found = _URL.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else 0
    if not found or port > 65535 or (found["port"] and not port):
        raise UsageError(
            f"{what} {text[:200]!r} is not a URL that can be sent a token",
            why="only http:// and https:// with a plain host name: no user, backslash, space or control character",
            fix="write it as https://HOST/PATH, with other characters percent-encoded",
        )
    scheme = found["scheme"].lower()
    return URL(scheme, found["host"].lower(), port or (443 if scheme == "https" else 80), _rooted(found["target"]))


def _rooted(target: str) -> str:
    return target if target.startswith("/") else f"/{target}"


def is_loopback(host: str) -> bool:
    """Whether `host` (as `URL.host` spells it) is this machine itself."""
    return bool(_LOOPBACK.fullmatch(host))


def is_local(host: str) -> bool:
    """Whether `host` is this machine, or a link-local address (RFC 3927, RFC 4291 §2.5.6)."""
    return is_loopback(host) or bool(_LINK_LOCAL.fullmatch(host))


def is_google(host: str) -> bool:
    """Whether `host` is one of Google's own, metadata addresses included."""
    return bool(_GOOGLE.fullmatch(host))


def in_universe(host: str, universe: str) -> bool:
    """Whether `host` is one of a universe's: its APIs are at SERVICE.UNIVERSE."""
    return host.endswith(f".{universe}")


def emulated(host: str, env: "Mapping[str, str]") -> bool:
    """Whether an emulator stands in for `host`: Google's, and those of the universes that may be in use.

    Those are the one that `env` names and the emulator's own, and while an emulator is set no others are spoken to.
    """
    return is_google(host) or bool(universe_of(host, env))


def universe_of(host: str, env: "Mapping[str, str]") -> str:
    """The universe whose API is at `host`: Google's own, the one that `env` names, an emulator's; "" for none known."""
    named = env.get(UNIVERSE_VARIABLE, "").strip()
    for universe in (UNIVERSE, named):
        if universe and in_universe(host, universe):
            return universe
    found = _EMULATED.fullmatch(host)
    return found["universe"] if found else ""


def emulator(env: "Mapping[str, str]") -> URL | None:
    """The emulator that `env` names, or None; UsageError when it is not a loopback IP literal with a port."""
    text = env.get(EMULATOR_VARIABLE, "")
    if not text:
        return None
    found = _LOOPBACK_WITH_PORT.fullmatch(text)
    if not found or not 0 < int(found["port"]) < 65536:
        raise UsageError(
            f"{EMULATOR_VARIABLE} is {text[:100]!r}, which is no loopback address with a port",
            why="every Google request goes to this address, so it may only be this machine, as an IP literal",
            fix=f"export {EMULATOR_VARIABLE}=127.0.0.1:PORT, or unset it",
        )
    return URL("http", found["host"], int(found["port"]), "/")


def metadata(env: "Mapping[str, str]") -> URL:
    """The metadata server that `env` names, its own address otherwise; with an emulator, the emulator or loopback."""
    here = emulator(env)
    text = env.get("GCE_METADATA_HOST") or env.get("GCE_METADATA_ROOT") or env.get("GCE_METADATA_IP")
    if text:
        named = parse(f"http://{text.removeprefix('http://').rstrip('/')}/", "GCE_METADATA_HOST")
        if here is None or is_loopback(named.host):
            return named
    return here or URL("http", METADATA_HOST, 80, "/")


def is_metadata(url: URL, env: "Mapping[str, str]") -> bool:
    """Whether `url` is at the metadata server: one of its own addresses, or the one that `env` names."""
    if url.host in METADATA_HOSTS:
        return True
    try:
        return url.origin == metadata(env).origin
    except UsageError:  # told where it is needed
        return False


def route(url: URL, env: "Mapping[str, str]") -> URL:
    """Where a request for `url` goes: metadata to its server, Google and AWS STS to the emulator, if one is set."""
    if url.host == METADATA_IP and url.target.startswith(_NOT_GOOGLE):
        return url
    if url.host in METADATA_HOSTS or (url.scheme == "http" and url.target.startswith("/computeMetadata/v1/")):
        return url.to(metadata(env))
    here = emulator(env)
    return url.to(here) if here is not None and (emulated(url.host, env) or is_aws_sts(url.host)) else url


def is_aws_sts(host: str) -> bool:
    """Whether `host` is AWS STS: its classic, FIPS, China and dual-stack hosts."""
    return bool(_AWS_STS.fullmatch(host))


def service_host(host: str, service: str, universe: str = UNIVERSE) -> bool:
    """Whether `host` is a service's named host: plain, mtls, regional (`.R.rep.`) or private (`SERVICE-X.p.`).

    SERVICE.storage. has the form of a regional host and is none: anybody may have a bucket of that name.
    """
    name, label, tail = re.escape(service), "(?![a-z0-9-]*storage)[a-z0-9-]+", re.escape(universe)
    forms = (
        rf"{name}(\.mtls)?\.{tail}",
        rf"{label}\.{name}(\.mtls)?\.{tail}",
        rf"{name}\.{label}(\.rep)?(\.mtls)?\.{tail}",
        rf"{label}-{name}\.{tail}",
        rf"{name}-{label}\.p\.{tail}",
    )
    return any(re.fullmatch(form, host) for form in forms)


# For each field: the services whose hosts will do, and hosts that will do for these paths only:
# www.googleapis.com also serves uploads to anybody's bucket.
_OLD = r"www\.googleapis\.com/oauth2/v[0-9]/[a-z]+|accounts\.google\.com/o/oauth2/(v[0-9]/)?[a-z]+"
_MAY = {
    "token_uri": (("oauth2",), _OLD),
    "token_url": (("sts",), ""),
    "service_account_impersonation_url": (("iamcredentials",), ""),
    "revoke_url": (("oauth2", "sts"), _OLD),
    "token_info_url": (("oauth2", "sts"), _OLD),
}


def check_field(field: str, value: str, where: str, env: "Mapping[str, str]", *, universe: str = UNIVERSE,
                trust: bool = False) -> URL:  # fmt: skip
    """The URL in a credential's `field`, when its host may be sent what that field is for; BadCredentials otherwise."""
    try:
        url = parse(value, f"{field} in {where}")
    except UsageError as error:
        raise BadCredentials(error.message, why=error.why, fix=f"restore {field} as Google wrote it") from None
    services, old = _MAY[field]
    here = emulator(env)
    at_google = url.scheme == "https" and url.port == 443
    named = any(service_host(url.host, service, universe) for service in services)
    if at_google and (named or re.fullmatch(old, url.host + url.path)):
        return url
    if here is not None and (url.scheme, url.host, url.port) == (here.scheme, here.host, here.port):
        return url
    if trust and (url.scheme == "https" or is_loopback(url.host)):
        return url
    whose = "Google's" if universe == UNIVERSE else f"the universe {universe}"
    raise BadCredentials(
        f"{field} in {where} names {url.origin}",
        why=f"a secret would be sent there, and it is no host of {whose} for {field}; nothing was sent",
        fix=(
            f"if this is the gbearer emulator, export {EMULATOR_VARIABLE}={url.host}:{url.port}"
            if is_loopback(url.host) and url.scheme == "http"
            else "get the file anew from Google, or add --trust-config if you trust this host"
        ),
    )


def made_by_emulator(mark: str, what: str, where: str, env: "Mapping[str, str]") -> None:
    """Refuse a real secret while an emulator is set; `mark` is the key id, refresh token or client id beside it."""
    if emulator(env) is not None and not mark.startswith(EMULATOR_MARK):
        raise BadCredentials(
            f"{where} holds a real {what}, and {EMULATOR_VARIABLE} is set",
            why="a real secret is never sent to an emulator; nothing was sent",
            fix=f"unset {EMULATOR_VARIABLE}, or use a file that the emulator wrote",
        )
