"""What botocore raises, and what a credential_process does wrong, as one of our errors with the next command."""

from gbearer import log
from gbearer.errors import BadCredentials, Denied, Error, LoginRequired, Refused, Unreachable
from gbearer.sources.aws import sts
from gbearer.sources.aws.place import FULL, RELATIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.aws.place import Place
    from gbearer.sources.program import Ended

_NOT_THE_NODE = "the instance's role is not used in its place"


def explain(error: Exception, place: "Place", region: str) -> Error:
    """An exception of botocore's, of any class, for `place`; nothing secret of it is kept."""
    from botocore import exceptions as lib

    words = one_line(str(error))
    profile = place.profile
    if isinstance(error, (lib.SSOError, lib.TokenRetrievalError)):
        return LoginRequired(
            f"the SSO session of the AWS profile {profile} has ended",
            why=words,
            fix=f"aws sso login --profile {profile}",
        )
    if isinstance(error, lib.ClientError):
        return _client(error, place, region)
    if isinstance(error, (lib.HTTPClientError, lib.EndpointConnectionError)):
        return Unreachable(
            f"AWS cannot be reached for {place.words}",
            why=words,
            fix="check the network, AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL, and the region",
        )
    if place.kind == "container":
        return container(place, words if not isinstance(error, KeyError) else f"its answer has no {error.args[0]}")
    return BadCredentials(
        f"{place.words} cannot be used",
        why=words,
        fix=f"correct {place.profiles.config}, or name another profile with AWS_PROFILE",
    )


def _client(error: "Exception", place: "Place", region: str) -> Error:
    """An answer of STS, or of the SSO portal."""
    response = getattr(error, "response", {})
    told, about = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, message = str(told.get("Code", "")), one_line(str(told.get("Message", "")))
    action = str(getattr(error, "operation_name", ""))
    if action == "GetRoleCredentials":
        section = place.profiles.section()
        role, account = section.get("sso_role_name", "?"), section.get("sso_account_id", "?")
        if code == "UnauthorizedException":
            return LoginRequired(f"the SSO session of the AWS profile {place.profile} has ended", why=message,
                                 fix=f"aws sso login --profile {place.profile}")  # fmt: skip
        return Denied(
            f"SSO gives no credentials of the role {role} in the account {account}",
            why=f"{code}: {message} (profile {place.profile})",
            fix=f"correct sso_role_name and sso_account_id in {place.profiles.config}, or have it assigned to you",
        )
    status = int(about.get("HTTPStatusCode", 0))
    if code in ("InvalidIdentityToken", "ExpiredTokenException", "IDPCommunicationError"):
        return BadCredentials(
            f"AWS does not accept the token of {place.words}",
            why=f"{code}: {message}",
            fix="have the token file written anew (its audience is sts.amazonaws.com), and check that the account has "
            "an identity provider for its issuer: aws iam list-open-id-connect-providers",
        )
    return sts.explain(code, message, status, action, place.words, region)


def container(place: "Place", why: str) -> Error:
    """The container's endpoint is wrong, or gives no keys."""
    return BadCredentials(
        f"the {place.words} gives no usable credentials",
        why=f"{why}; {_NOT_THE_NODE}",
        fix=f"check {RELATIVE} and {FULL}, and that this task or pod has a role",
    )


def unreached(error: Error, place: "Place") -> Error:
    """What our transport raised on the way to the container's endpoint."""
    if isinstance(error, Refused):
        body = one_line(error.body.decode("utf-8", "replace"), 200)
        kind: type[Error] = Unreachable if error.status >= 500 else BadCredentials
        return kind(
            f"the {place.words} refuses",
            why=f"{error.url.partition('?')[0]} answered {error.status}: {body}; {_NOT_THE_NODE}",
            fix="on ECS check the task's taskRoleArn; on EKS the pod identity association of the service account: "
            "aws eks list-pod-identity-associations --cluster-name NAME",
        )
    return type(error)(
        f"the {place.words} cannot be reached",
        why=f"{error.message}; {error.why}; {_NOT_THE_NODE}",
        fix=f"check {RELATIVE} and {FULL}; outside the task or pod unset them",
    )


def process(profile: str, argv: list[str], why: str) -> Error:
    """A credential_process that was of no use; its arguments are not shown, they may be secret."""
    name = argv[0] if argv else "it"
    return BadCredentials(
        f"the credential_process of the AWS profile {profile} gave no credentials",
        why=f"{name[:200]}: {why}",
        fix=f"run it by hand: `aws configure export-credentials --profile {profile}`",
    )


def of_process(ended: "Ended", seconds: float) -> str:
    """What is wrong with what a credential_process did; "" when nothing is."""
    said = one_line(ended.err.decode("utf-8", "replace"), 200)
    if ended.status is None:
        return f"it did not end within {seconds:.0f} s, with nobody at its stdin" + (
            f"; it said {said!r}" if said else ""
        )
    if ended.large:
        return "it wrote more than a mebibyte"
    if ended.status:
        return f"it ended with status {ended.status}" + (f" and said {said!r}" if said else " and said nothing")
    import json

    try:
        told = json.loads(ended.out)
    except (ValueError, RecursionError):
        return "what it wrote to stdout is not JSON"
    if not isinstance(told, dict):
        return "what it wrote to stdout is no JSON object"
    if told.get("Version") != 1:
        return f"its answer has the version {one_line(repr(told.get('Version')), 40)}, and only version 1 is known"
    missing = [name for name in ("AccessKeyId", "SecretAccessKey") if not isinstance(told.get(name), str)]
    return f"its answer has no {' and no '.join(missing)}" if missing else ""


def one_line(text: str, length: int = 300) -> str:
    """Foreign words fit to be shown: redacted, on one line, cut."""
    return log.redact(" ".join("".join(c if c.isprintable() else " " for c in text[:4000]).split()))[:length]
