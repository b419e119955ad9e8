"""AWS's shared files, ~/.aws/config and ~/.aws/credentials: which profile is in force, and what it rests on.

Follows https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

import os
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import warm
from gbearer.errors import BadCredentials, UsageError
from gbearer.sources import wellknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from gbearer.sources.look import Look

    Sections = dict[str, dict[str, str]]

PROCESS_SECONDS = 15.0
"""Seconds that a credential_process may take."""
_DEEPEST = 12
_WORDS = {
    "role": "assumes a role",
    "web identity": "web identity",
    "sso": "SSO",
    "static": "keys in the shared files",
    "process": "credential_process",
}
_SOURCES = ("Environment", "Ec2InstanceMetadata", "EcsContainer")


class Beneath:
    """What a profile rests on in the end: kinds of sources, and (profile, path) of the token files."""

    __slots__ = ("kinds", "tokens")

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.tokens: list[tuple[str, str]] = []


class Profiles:
    """The shared files as they were read.

    active    the profile that is in force, "" where there is none
    sections  profile -> its settings, those of the credentials file over those of the config file
    sessions  sso-session -> its settings
    """

    __slots__ = ("_data", "_shared", "active", "config", "credentials", "sections", "sessions")

    def __init__(self, config: str, credentials: str) -> None:
        self.config = config
        self.credentials = credentials
        self.active = ""
        self.sections: Sections = {}
        self.sessions: Sections = {}
        self._data = b""
        self._shared: set[str] = set()

    def add(self, data: bytes, sections: "Sections", sessions: "Sections", *, config: bool) -> None:
        """What one of the files says, the config file first."""
        if not config:
            self._shared = {name for name, settings in sections.items() if "aws_access_key_id" in settings}
        self._data += data + b"\0"
        for name, settings in sections.items():
            self.sections.setdefault(name, {}).update(settings)
        self.sessions.update(sessions)

    def section(self, name: str = "") -> dict[str, str]:
        """The settings of a profile, of the active one by default; {} where there is none."""
        return self.sections.get(name or self.active, {})

    def kind(self, name: str = "", *, as_source: bool = False) -> str:
        """How a profile gets its keys: role, web identity, sso, static, login or process; "" when it has none.

        The order is botocore's. `as_source`: beneath another's role, keys of its own come before a role of its own.
        """
        settings = self.section(name)
        static = "aws_access_key_id" in settings
        if "role_arn" in settings and "web_identity_token_file" not in settings and not (as_source and static):
            return "role"
        if "web_identity_token_file" in settings:
            return "web identity"
        if "sso_role_name" in settings or "sso_account_id" in settings:
            return "sso"
        if (name or self.active) in self._shared:
            return "static"
        if "login_session" in settings:
            return "login"
        if "credential_process" in settings:
            return "process"
        return "static" if static else ""

    def describe(self, kind: str) -> str:
        """The kind in words; for a role which one."""
        role = self.section().get("role_arn", "") if kind == "role" else ""
        return f"assumes {role}" if role else _WORDS[kind]

    def pin(self) -> str:
        """A digest of the active profile's name and of both files."""
        return blake2b(self.active.encode("utf-8", "surrogateescape") + b"\0" + self._data, digest_size=32).hexdigest()

    def check(self, env: "Mapping[str, str]", kind: str) -> Beneath:
        """What the active profile rests on; BadCredentials for what cannot work, before anything is sent."""
        found, name = Beneath(), self.active
        for _ in range(_DEEPEST):
            settings = self.section(name)
            if kind == "login":
                raise self._login(name)
            if kind == "web identity":
                found.tokens.append((name, settings["web_identity_token_file"]))
            if kind != "role":
                found.kinds.add(kind)
                return found
            if "mfa_serial" in settings:
                raise self._mfa(name)
            if "source_profile" not in settings:
                found.kinds.add(self._named(name, env))
                return found
            before, name = name, settings["source_profile"]
            kind = self.kind(name, as_source=True)
            if not kind or name not in self.sections:
                raise self.broken(before, f"its source_profile {name!r} does not exist or has no credentials")
        raise self.broken(self.active, "its chain of source_profile goes round in a circle")

    def _named(self, name: str, env: "Mapping[str, str]") -> str:
        """The `credential_source` of a profile."""
        from gbearer.sources.aws import place

        source = self.section(name).get("credential_source", "")
        if source not in _SOURCES:
            known = ", ".join(_SOURCES)
            told = f"its credential_source is {source[:60]!r}, not one of {known}" if source else (
                "it has a role_arn, and neither source_profile nor credential_source")  # fmt: skip
            raise self.broken(name, told)
        given = next((variable for variable in place.OURS if env.get(variable)), None)
        if source == "Ec2InstanceMetadata" and given:
            raise self.broken(
                name,
                f"its credential_source is the instance's role, and {given} is set: where this program has an identity "
                "of its own, that of the node is never used",
                fix=f"write credential_source = EcsContainer, or unset {given}",
            )
        if source == "EcsContainer" and not (env.get(place.RELATIVE) or env.get(place.FULL)):
            raise self.broken(name, f"its credential_source is the container, and {place.RELATIVE} is not set")
        return source

    def broken(self, name: str, why: str, fix: str = "") -> BadCredentials:
        """The error for a profile that cannot be used."""
        return BadCredentials(
            f"the AWS profile {name} cannot be used",
            why=f"{why} ({self.config})",
            fix=fix or f"correct it: `aws configure --profile {name}`, or name another with AWS_PROFILE",
        )

    def _mfa(self, name: str) -> BadCredentials:
        return self.broken(
            name,
            "it has an mfa_serial, so its role wants a code from a device, which gbearer does not ask for",
            fix=f"sign in where a person can type the code and hand over the result: "
            f"`eval $(aws configure export-credentials --profile {name} --format env)`",
        )

    def _login(self, name: str) -> BadCredentials:
        return self.broken(
            name,
            "it is of `aws login`, which only AWS's own tools read",
            fix=f"add to another profile: credential_process = aws configure export-credentials --profile {name} "
            "--format process",
        )


def read(look: "Look") -> Profiles:
    """Both files, as far as they are there, and the profile that AWS_PROFILE names (otherwise `default`).

    UsageError when AWS_PROFILE names one that is in neither, BadCredentials for a file that cannot be read.
    """
    found = unread(look)
    for path, is_config in ((found.config, True), (found.credentials, False)):
        data = _data(path, look)
        if data is not None:
            found.add(data, *_sections(data, path, config=is_config), config=is_config)
    named = look.env.get("AWS_PROFILE") or look.env.get("AWS_DEFAULT_PROFILE") or ""
    if named and named not in found.sections:
        known = ", ".join(sorted(found.sections)) or "none at all"
        raise UsageError(
            f"there is no AWS profile {named[:100]}",
            why=f"AWS_PROFILE names it, and {found.config} and {found.credentials} have {known}",
            fix="name another with AWS_PROFILE, or unset it",
        )
    found.active = named or ("default" if "default" in found.sections else "")
    return found


def unread(look: "Look") -> Profiles:
    """Where the files are, without a look into them."""

    def at(variable: str, name: str) -> str:
        given, home = look.env.get(variable, ""), wellknown.home(look)
        if given.startswith("~/"):
            return os.path.join(home, given[2:])
        return given or os.path.join(home, ".aws", name)

    return Profiles(at("AWS_CONFIG_FILE", "config"), at("AWS_SHARED_CREDENTIALS_FILE", "credentials"))


def _data(path: str, look: "Look") -> bytes | None:
    """The bytes of a shared file, None where there is none; an empty one is no fault."""
    try:
        known = warm.identity(path)
    except OSError:
        known = None  # told by look
    if known is not None and known[2] == 0:
        look.files[os.path.join(os.getcwd(), path)] = known
        return b""
    return look.read(path, named=False)


def _sections(data: bytes, path: str, *, config: bool) -> "tuple[Sections, Sections]":
    """(profiles, sso-sessions) of one file; in the config file a profile is `[profile NAME]`."""
    from configparser import Error as ParseError
    from configparser import RawConfigParser

    parser = RawConfigParser(default_section=None)  # type: ignore[call-overload]
    try:
        parser.read_string(data.decode("utf-8"))
    except (ParseError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", None)
        raise BadCredentials(
            f"{path} is no file of AWS's configuration",
            why=f"it goes wrong at line {line}" if line else "it cannot be read as text with [sections]",
            fix="correct it, or name another with AWS_CONFIG_FILE or AWS_SHARED_CREDENTIALS_FILE",
        ) from None
    sections: Sections = {}
    sessions: Sections = {}
    for title in parser.sections():
        settings = dict(parser.items(title))
        kind, _, rest = title.strip().partition(" ")
        name = rest.strip().strip("\"'")
        if config and kind == "sso-session" and name:
            sessions[name] = settings
        elif config and kind == "profile" and name:
            sections[name] = settings
        elif not config or title.strip() == "default":
            sections[title.strip()] = settings
    return sections, sessions
