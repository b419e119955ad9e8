"""botocore's providers, put together for the one source that is meant: profiles, web identity, container endpoints.

Each is given our environment and our time limits. What would prompt, wait without an end or fall through to the
instance is replaced: no prompt for a code, credential_process without stdin, no botocore request to IMDS.
"""

import os

import botocore.session
from botocore import credentials as lib
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.utils import ContainerMetadataFetcher, JSONFileCache

from gbearer.errors import BadCredentials, Error
from gbearer.sources import program, wellknown
from gbearer.sources.aws import place as places
from gbearer.sources.aws import refused
from gbearer.sources.aws.keys import Keys
from gbearer.sources.aws.profiles import PROCESS_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from gbearer.sources.aws.imds import Imds
    from gbearer.sources.aws.place import Place
    from gbearer.sources.look import Look
    from gbearer.transport import Answer, Transport

_ENDPOINTS = {"sts": "AWS_ENDPOINT_URL_STS", "sso": "AWS_ENDPOINT_URL_SSO", "sso-oidc": "AWS_ENDPOINT_URL_SSO_OIDC"}
_SWITCHES = {"use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT", "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT"}


def keys(place: "Place", region: str, imds: "Imds", look: "Look", transport: "Transport") -> Keys:
    """The keys of a place that is neither the environment nor the instance; our errors, whatever botocore raises."""
    _quiet()
    session = _Session(place, region, look)
    try:
        found = _load(place, session, imds, look, transport)
        if found is None:
            raise BadCredentials(
                f"{place.words} has no credentials",
                why="botocore found none there",
                fix="`aws sts get-caller-identity` asks the same place",
            )
        frozen = found.get_frozen_credentials()
    except Error:
        raise
    except (BotoCoreError, ClientError, ValueError, KeyError, TypeError, OSError) as error:
        raise refused.explain(error, place, region) from error
    return Keys(frozen.access_key, frozen.secret_key, frozen.token, place.words)


class _Session(botocore.session.Session):  # type: ignore[misc]  # botocore has no types
    """botocore's session with the files, the endpoints and the patience of this call."""

    def __init__(self, place: "Place", region: str, look: "Look") -> None:
        super().__init__()
        read, env = place.profiles, look.env
        self.set_config_variable("config_file", read.config)
        self.set_config_variable("credentials_file", read.credentials)
        self.set_config_variable("region", region)
        if read.active:
            self.set_config_variable("profile", read.active)
        for name, variable in _SWITCHES.items():
            if env.get(variable):
                self.set_config_variable(name, env[variable].lower() == "true")
        if env.get("AWS_CA_BUNDLE"):
            self.set_config_variable("ca_bundle", env["AWS_CA_BUNDLE"])
        self.set_default_client_config(Config(connect_timeout=3, read_timeout=6, retries={"total_max_attempts": 2}))
        self._env = env

    def create_client(self, service_name: str, *args: "Any", endpoint_url: str | None = None, **kwargs: "Any") -> "Any":
        """A client for the address that AWS's endpoint variables name, where they name one."""
        if endpoint_url is None and self._env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
            own = _ENDPOINTS.get(service_name, "")
            endpoint_url = self._env.get(own) or self._env.get("AWS_ENDPOINT_URL") or None
        return super().create_client(service_name, *args, endpoint_url=endpoint_url, **kwargs)


def _load(place: "Place", session: _Session, imds: "Imds", look: "Look", transport: "Transport") -> "Any":
    """What botocore holds of this place's keys, by the one provider that knows it; None where it has none."""
    env = {name: value for name, value in look.env.items() if value}  # set and empty counts as unset
    container = lib.ContainerProvider(
        environ=env, fetcher=ContainerMetadataFetcher(session=_Patient(transport, place), sleep=lambda _: None)
    )
    if place.kind == places.CONTAINER:
        return container.load()
    chain = _Chain(session, look)
    if place.kind == places.WEB_IDENTITY:
        role = env.get(places.ROLE) or place.profiles.section().get("role_arn")
        own = {"web_identity_token_file": env[places.WEB_TOKEN_FILE], "role_arn": role}
        if env.get("AWS_ROLE_SESSION_NAME"):
            own["role_session_name"] = env["AWS_ROLE_SESSION_NAME"]
        return chain.web_identity("environment", lambda: {"profiles": {"environment": own}}).load()
    if place.profiles.kind() != "role":
        return lib.CredentialResolver(chain.providers(place.profile)).load_credentials()
    return lib.AssumeRoleProvider(
        load_config=lambda: session.full_config,
        client_creator=session.create_client,
        cache={},
        profile_name=place.profile,
        prompter=_no_prompt,
        credential_sourcer=lib.CanonicalNameCredentialSourcer(
            [lib.EnvProvider(environ=env), container, _Instance(imds)]
        ),
        profile_provider_builder=chain,
    ).load()


class _Chain:
    """What botocore calls a profile provider builder: how the keys of one profile are found, role or no role above."""

    def __init__(self, session: _Session, look: "Look") -> None:
        self._session = session
        self._look = look

    def providers(self, profile_name: str, disable_env_vars: bool = True) -> "list[Any]":
        """The providers for one profile in botocore's order."""
        del disable_env_vars  # what the environment says was settled before

        def config() -> "Any":
            return self._session.full_config

        cache = JSONFileCache(os.path.join(wellknown.home(self._look), ".aws", "sso", "cache"))
        signed_in = lib.SSOTokenProvider(self._session, cache=cache, profile_name=profile_name)
        return [
            self.web_identity(profile_name, config),
            lib.SSOProvider(config, self._session.create_client, profile_name, {}, cache, signed_in),
            lib.SharedCredentialProvider(self._session.get_config_variable("credentials_file"), profile_name),
            lib.ProcessProvider(profile_name, config, popen=_runs(profile_name, self._look.env)),
            lib.ConfigProvider(self._session.get_config_variable("config_file"), profile_name),
        ]

    def web_identity(self, profile_name: str, config: "Callable[[], Any]") -> "Any":
        """The provider that shows a token file to STS."""
        return lib.AssumeRoleWithWebIdentityProvider(
            config, self._session.create_client, profile_name, cache={}, disable_env_vars=True
        )


class _Instance:
    """Our own conversation with IMDS where botocore looks for its provider (credential_source)."""

    METHOD = "iam-role"
    CANONICAL_NAME = "Ec2InstanceMetadata"

    def __init__(self, imds: "Imds") -> None:
        self._imds = imds

    def load(self) -> "Any":
        """The keys of the instance's role, as botocore holds them."""
        found = self._imds.keys()
        return lib.Credentials(found.access_key, found.secret, found.token, method=self.METHOD)


class _Patient:
    """Our transport where botocore expects an HTTP session: time limits, no redirect, no proxy for such addresses."""

    def __init__(self, transport: "Transport", place: "Place") -> None:
        self._place = place
        self._transport = type(transport)(transport.env, total=8.0, tries=3)

    def send(self, request: "Any") -> "_Reply":
        """Send one of botocore's prepared requests; a refusal is raised."""
        headers = {str(name): _text(value) for name, value in request.headers.items()}
        try:
            return _Reply(self._transport.send(request.method, request.url, headers=headers, timeout=2.0))
        except Error as error:
            raise refused.unreached(error, self._place) from error


class _Reply:
    """An answer as botocore's HTTP session gives it."""

    def __init__(self, answer: "Answer") -> None:
        self.status_code = answer.status
        self.content = answer.data


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _no_prompt(_: str) -> str:
    raise ValueError("an MFA code is asked for")  # profiles.check has refused it before; never a prompt


def _runs(profile: str, env: "Mapping[str, str]") -> "Callable[..., Any]":
    """In place of subprocess.Popen: a credential_process without stdin, with an end, and errors that name it."""

    def run(argv: list[str], **_: object) -> "_Done":
        try:
            ended = program.run(argv, env, PROCESS_SECONDS)
        except (OSError, IndexError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or "it cannot be started").lower()
            raise refused.process(profile, argv, f"it cannot be started: {reason}") from None
        problem = refused.of_process(ended, PROCESS_SECONDS)
        if problem:
            raise refused.process(profile, argv, problem)
        return _Done(ended.out)

    return run


class _Done:
    """A process that ended well, as botocore reads it."""

    returncode = 0

    def __init__(self, out: bytes) -> None:
        self._out = out

    def communicate(self) -> tuple[bytes, bytes]:
        """What it wrote."""
        return self._out, b""


def _quiet() -> None:
    """Keep botocore's own warnings, with their tracebacks, off stderr."""
    import logging

    logger = logging.getLogger("botocore")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
