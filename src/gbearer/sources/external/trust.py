"""Which URLs in a `credential_source` may be spoken to: a subject token comes from there, and headers go there."""

from gbearer import endpoints
from gbearer.errors import BadCredentials, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_AWS_METADATA = ("169.254.169.254", "[fd00:ec2::254]")
_SAMPLE = "us-east-1"
_PLACE = "{region}"
_AWS_METADATA_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_AWS_STS_VARIABLES = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")


def subject_url(field: str, value: str, where: str, *, trust: bool) -> endpoints.URL:
    """The URL that a subject token comes from: https anywhere, plain http to loopback and link-local addresses only."""
    url = _parsed(field, value, where)
    if url.scheme == "https" or endpoints.is_local(url.host) or trust:
        return url
    raise BadCredentials(
        f"{field} in {where} names {url.origin}",
        why="what is said there in plain http can be read and replaced on the way; nothing was sent",
        fix="write it with https://, or add --trust-config if you trust this network",
    )


def aws_metadata_url(field: str, value: str, where: str, env: "Mapping[str, str]", *, trust: bool) -> endpoints.URL:
    """A URL of the instance metadata service: AWS's own addresses, and what AWS_EC2_METADATA_SERVICE_ENDPOINT names."""
    url = _parsed(field, value, where)
    own = url.host in _AWS_METADATA and (url.scheme, url.port) == ("http", 80)
    if own or url.origin in _origins(env, (_AWS_METADATA_VARIABLE,)) or trust:
        return url
    raise _elsewhere(field, url, where, f"no address of AWS's metadata service, nor named by {_AWS_METADATA_VARIABLE}")


def aws_sts_url(field: str, value: str, where: str, env: "Mapping[str, str]", *, trust: bool) -> endpoints.URL:
    """A URL of AWS STS, in which `{region}` may stand for the region: classic, FIPS, China, dual-stack hosts.

    Google's STS sends the signed request there; we sign it. What is returned has a sample region in that place.
    """
    url = _parsed(field, value.replace(_PLACE, _SAMPLE), where)
    own = endpoints.is_aws_sts(url.host) and (url.scheme, url.port) == ("https", 443)
    if own or url.origin in _origins(env, _AWS_STS_VARIABLES) or trust:
        return url
    raise _elsewhere(field, url, where, f"no host of AWS STS, nor named by {' or '.join(_AWS_STS_VARIABLES)}")


def _parsed(field: str, value: str, where: str) -> endpoints.URL:
    try:
        return endpoints.parse(value, f"{field} in {where}")
    except UsageError as error:
        raise BadCredentials(error.message, why=error.why, fix=f"restore {field} as gcloud wrote it") from None


def _origins(env: "Mapping[str, str]", names: tuple[str, ...]) -> list[str]:
    return [endpoints.parse(env[name], name).origin for name in names if env.get(name)]


def _elsewhere(field: str, url: endpoints.URL, where: str, what: str) -> BadCredentials:
    return BadCredentials(
        f"{field} in {where} names {url.origin}",
        why=f"it decides whom AWS's answers come from, and it is {what}; nothing was sent",
        fix="make the file anew with `gcloud iam workload-identity-pools create-cred-config PROVIDER --aws`, "
        "or add --trust-config if you trust this host",
    )
