"""The instance metadata service of EC2, by version 2 (session tokens): the role's keys, and the region.

Follows https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html. Version 1 is
asked only where it was switched on by AWS_EC2_METADATA_V1_DISABLED=false: any request forged from inside can read it.
"""

import re

from gbearer import endpoints
from gbearer.errors import BadCredentials, CredentialsNotFound, Error, Refused, Unreachable, UsageError
from gbearer.sources.aws.keys import Keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.transport import Answer, Transport

ADDRESS = "http://169.254.169.254"
_ADDRESS_6 = "http://[fd00:ec2::254]"
ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_SECONDS = "300"
"""Life of a session token: it is used at once."""
_ROLES = "/latest/meta-data/iam/security-credentials/"
_ROLE = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}")
_HOPS = (
    "inside a container the answer to it may not get through: aws ec2 modify-instance-metadata-options "
    "--instance-id ID --http-put-response-hop-limit 2, or give the task or pod a role of its own"
)


class Imds:
    """One conversation with the service: one session token for everything that is asked."""

    def __init__(self, transport: "Transport", named: str = "") -> None:
        """`named` is the origin that a credential file names, "" for AWS's own; a variable comes before both."""
        env = transport.env
        six = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "").lower() == "ipv6"
        self.at = (env.get(ENDPOINT) or named or (_ADDRESS_6 if six else ADDRESS)).rstrip("/")
        endpoints.parse(self.at, ENDPOINT)
        self._env = env
        self._seconds = _number(env.get("AWS_METADATA_SERVICE_TIMEOUT"), 1.0)
        tries = int(_number(env.get("AWS_METADATA_SERVICE_NUM_ATTEMPTS"), 2))
        self._transport = type(transport)(env, total=min(8.0, 4 * self._seconds * tries + 1), tries=tries)
        self._token: str | None = None

    def keys(self) -> Keys:
        """The keys of the instance's role; CredentialsNotFound without a service or a role, else Unreachable."""
        try:
            listed = self._get(_ROLES)
        except Refused as refused:
            if refused.status == 404:
                raise self._no_role() from None
            raise self._refused(refused) from None
        role = listed.data.decode("utf-8", "replace").strip().partition("\n")[0].strip()
        if not _ROLE.fullmatch(role):
            raise self._no_role() if not role else self._nonsense("the name of the role has characters no role has")
        try:
            told = self._get(_ROLES + role).json()
        except Refused as refused:
            raise self._refused(refused) from None
        if not isinstance(told, dict):
            raise self._nonsense("the role's credentials are no JSON object")
        code = told.get("Code", "Success")
        if code != "Success":
            raise BadCredentials(
                f"EC2 gives no credentials of the role {role}",
                why=f"the metadata service at {self.at} says {str(code)[:60]!r}: there is no such role, or it does not "
                "trust EC2",
                fix=f"check the trust policy: aws iam get-role --role-name {role}",
            )
        return Keys(
            told.get("AccessKeyId"), told.get("SecretAccessKey"), told.get("Token"), f"the instance role {role}"
        )

    def region(self) -> str:
        """The region of the instance; "" where the service does not say. Raises as `keys` does."""
        try:
            said = self._get("/latest/meta-data/placement/region").data
        except Refused as refused:
            if refused.status != 404:
                raise self._refused(refused) from None
            try:
                said = self._get("/latest/meta-data/placement/availability-zone").data  # an older service
            except Refused as again:
                raise self._refused(again) from None
        found = _REGION.match(said.decode("ascii", "replace").strip())
        return found[0] if found else ""

    def _get(self, path: str) -> "Answer":
        if self._token is None:
            self._token = self._session()
        headers = {"X-aws-ec2-metadata-token": self._token} if self._token else {}
        return self._transport.send("GET", self.at + path, headers=headers, timeout=self._seconds)

    def _session(self) -> str:
        """A session token; "" where version 1 is on and version 2 is not there."""
        if self._env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            raise CredentialsNotFound(
                "no AWS credentials were found",
                why="no other place has any, and AWS_EC2_METADATA_DISABLED=true forbids to ask the instance",
                fix="name a profile with AWS_PROFILE, or unset AWS_EC2_METADATA_DISABLED",
            )
        url = f"{self.at}/latest/api/token"
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": _SECONDS}
        try:
            answer = self._transport.send("PUT", url, headers=headers, timeout=self._seconds)
        except Refused as refused:
            return self._without(refused)
        except Unreachable as error:
            if self._version_1():
                return ""
            raise self._silent(error) from None
        token = answer.data.decode("ascii", "replace").strip()
        if not re.fullmatch(r"[!-~]{1,1000}", token):
            raise self._nonsense("the session token is no token")
        return token

    def _without(self, refused: Refused) -> str:
        """No session token was given."""
        if self._version_1():
            return ""
        if refused.status in (404, 405):
            raise Unreachable(
                f"the metadata service at {self.at} does not know version 2",
                why=f"it answered {refused.status} to the request for a session token, and version 1 is off: "
                "every request forged from inside a machine can read it",
                fix="switch version 2 on: aws ec2 modify-instance-metadata-options --instance-id ID --http-tokens "
                "required; or export AWS_EC2_METADATA_V1_DISABLED=false",
            ) from None
        raise self._refused(refused) from None

    def _version_1(self) -> bool:
        return self._env.get("AWS_EC2_METADATA_V1_DISABLED", "").lower() == "false"

    def _silent(self, error: Unreachable) -> Error:
        """Nobody answered the request for a session token."""
        if "in time" in error.message:  # the connection stood: somebody is there
            return Unreachable(
                f"the metadata service at {self.at} does not answer the request for a session token",
                why="the connection stood and no answer came, as with a hop limit of 1 seen from a container",
                fix=_HOPS,
            )
        return CredentialsNotFound(
            "no AWS credentials were found",
            why="no variable, profile or container endpoint names any, and no metadata service of EC2 is there: "
            f"{error.message}",
            fix="export AWS_PROFILE=NAME, or the AWS_ACCESS_KEY_ID family; on AWS give machine, task or pod a role",
        )

    def _refused(self, refused: Refused) -> Error:
        if refused.status in (401, 403):
            return Unreachable(
                f"the metadata service at {self.at} refuses",
                why=f"it answered {refused.status}: it is switched off, or something in between adds X-Forwarded-For, "
                "or blocks it",
                fix="aws ec2 modify-instance-metadata-options --instance-id ID --http-endpoint enabled; "
                "for a container or pod give it a role of its own",
            )
        return Unreachable(
            f"the metadata service at {self.at} cannot answer",
            why=f"it answered {refused.status} to {endpoints.parse(refused.url).path}",
            fix="try again in a minute",
        )

    def _no_role(self) -> CredentialsNotFound:
        return CredentialsNotFound(
            "this instance has no role",
            why=f"the metadata service at {self.at} lists none",
            fix="attach one: aws ec2 associate-iam-instance-profile --instance-id ID "
            "--iam-instance-profile Name=PROFILE",
        )

    def _nonsense(self, why: str) -> Unreachable:
        fix = f"check {ENDPOINT}, and what stands between this machine and it"
        return Unreachable(f"what answers at {self.at} is not EC2's metadata service", why=why, fix=fix)


def _number(text: str | None, otherwise: float) -> float:
    """A setting of AWS's as a number of 1 or more, 10 at most."""
    try:
        value = float(text) if text else otherwise
    except ValueError:
        raise UsageError(
            f"AWS_METADATA_SERVICE_TIMEOUT or _NUM_ATTEMPTS is {str(text)[:40]!r}, which is no number",
            fix="write seconds, or a count",
        ) from None
    return min(10.0, max(1.0, value))
