"""Which of AWS's sources is meant here, told by variables and files alone: no request is sent, no library imported.

The order is AWS's own: environment keys, a profile that assumes a role, web identity, SSO, the shared credentials
file, credential_process, keys in the config file, the container endpoint, and last the instance's role. Where a
variable of a container or of web identity is set, the instance's role is never used: it is the node's, not ours.
"""

from gbearer.errors import BadCredentials
from gbearer.sources import detect
from gbearer.sources.aws import profiles, web_token
from gbearer.sources.aws.profiles import Profiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.sources.look import Look

ENVIRONMENT, PROFILE, WEB_IDENTITY, CONTAINER, INSTANCE = (
    "environment",
    "profile",
    "web identity",
    "container",
    "instance",
)
RELATIVE, FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
AUTHORIZATION, AUTHORIZATION_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
WEB_TOKEN_FILE, ROLE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"
OURS = (RELATIVE, FULL, WEB_TOKEN_FILE, ROLE)
"""Variables that give this program an identity of its own on a machine that has another."""


class Place:
    """One of AWS's sources.

    kind      "environment", "profile", "web identity", "container" or "instance"
    words     what it is called in messages, with the variable or the profile that chose it
    pin       what tells the identity from every other, as text; None where nothing here does
    remember  whether files and environment alone pin it, so that the warm path may answer
    profile   the name of the profile that is in force, "" for none
    profiles  the shared files as they were read
    patience  seconds that a program of the user's own may take
    """

    __slots__ = ("kind", "patience", "pin", "profile", "profiles", "remember", "words")

    def __init__(self, kind: str, words: str, pin: str | None, read: Profiles, *, remember: bool = True) -> None:
        self.kind = kind
        self.words = words
        self.pin = pin
        self.remember = remember
        self.profiles = read
        self.profile = read.active
        self.patience = 0.0

    def __repr__(self) -> str:
        return f"<{self.words}>"


def find(look: "Look") -> Place:
    """The source that AWS's own tools would take, noted step by step in `look`.

    Raises BadCredentials where the place that is meant cannot be used: the next one would be somebody else.
    """
    env = look.env
    if env.get("AWS_ACCESS_KEY_ID"):
        return _environment(look)
    look.absent("AWS environment keys", "AWS_ACCESS_KEY_ID is not set")
    read = profiles.read(look)
    kind = read.kind() if read.active else ""
    if kind == "role" or (kind and not env.get(WEB_TOKEN_FILE)):
        return _profile(look, read, kind)
    look.absent(
        "AWS profile", f"{read.active} has no credentials" if read.active else "none is named, nor a default one"
    )
    if env.get(WEB_TOKEN_FILE):
        return _web_identity(look, read)
    if env.get(RELATIVE) or env.get(FULL):
        return _container(look, read)
    look.absent("AWS container endpoint", f"neither {RELATIVE} nor {FULL} is set")
    if env.get(ROLE):
        raise BadCredentials(
            f"{ROLE} is set, and {WEB_TOKEN_FILE} is not",
            why="this program was given a role of its own, and the token to assume it with is missing; "
            "the instance's role is not used in its place",
            fix=f"export {WEB_TOKEN_FILE}=FILE, or unset {ROLE}",
        )
    return _instance(look, read)


def _environment(look: "Look") -> Place:
    env = look.env
    token = env.get("AWS_SESSION_TOKEN") or env.get("AWS_SECURITY_TOKEN") or ""
    words = "AWS_ACCESS_KEY_ID"
    if env.get("AWS_LAMBDA_FUNCTION_NAME"):
        words += " (Lambda)"
    pin = "\0".join((env["AWS_ACCESS_KEY_ID"], env.get("AWS_SECRET_ACCESS_KEY", ""), token))
    named = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    return Place(ENVIRONMENT, words, pin, profiles.unread(look) if named else profiles.read(look))


def _profile(look: "Look", read: Profiles, kind: str) -> Place:
    beneath = read.check(look.env, kind)
    pin: str | None = read.pin()
    remember = True
    if "process" in beneath.kinds or "Ec2InstanceMetadata" in beneath.kinds:
        pin = detect.machine(look, read.pin())  # what a program or the instance says, no file tells
        remember = False
    if "EcsContainer" in beneath.kinds:
        inner = _container(look, read)
        pin = None if inner.pin is None or pin is None else f"{pin}\0{inner.pin}"
        remember = remember and inner.remember
    tokens = [web_token.read(path, f"web_identity_token_file of profile {name}", look) for name, path in beneath.tokens]
    place = Place(PROFILE, f"profile {read.active} ({read.describe(kind)})", pin, read, remember=remember)
    if tokens and place.pin is not None:
        place.pin = "\0".join((place.pin, *tokens))
    if "process" in beneath.kinds:
        place.patience = profiles.PROCESS_SECONDS
    return place


def _web_identity(look: "Look", read: Profiles) -> Place:
    env = look.env
    role = env.get(ROLE) or read.section().get("role_arn", "")
    if not role:
        raise BadCredentials(
            f"{WEB_TOKEN_FILE} is set, and {ROLE} is not",
            why="the token says who asks, and nothing says which role it asks for",
            fix=f"export {ROLE}=arn:aws:iam::ACCOUNT:role/NAME; on EKS annotate the service account with "
            "eks.amazonaws.com/role-arn",
        )
    token = web_token.read(env[WEB_TOKEN_FILE], WEB_TOKEN_FILE, look)
    pin = "\0".join((role, env.get("AWS_ROLE_SESSION_NAME", ""), token))
    return Place(WEB_IDENTITY, f"web identity ({WEB_TOKEN_FILE})", pin, read)


def _container(look: "Look", read: Profiles) -> Place:
    env = look.env
    if env.get(RELATIVE):
        return Place(CONTAINER, f"container endpoint ({RELATIVE})", env[RELATIVE], read)  # a secret id of this task
    if env.get(AUTHORIZATION_FILE):
        token = web_token.read(env[AUTHORIZATION_FILE], AUTHORIZATION_FILE, look)
        return Place(CONTAINER, f"container endpoint ({FULL})", f"{env[FULL]}\0{token}", read)
    if any(mark in env.get(AUTHORIZATION, "") for mark in "\r\n"):
        raise web_token.newline(AUTHORIZATION)
    pin = detect.machine(look, f"{env[FULL]}\0{env.get(AUTHORIZATION, '')}")
    return Place(CONTAINER, f"container endpoint ({FULL})", pin, read, remember=False)


def _instance(look: "Look", read: Profiles) -> Place:
    env = look.env
    at = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "") + env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "")
    words = "the instance's role (IMDS)"
    return Place(INSTANCE, words, detect.machine(look, f"imds\0{at}"), read, remember=False)
