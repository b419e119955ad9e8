"""The pools and providers of pools.json: what a provider trusts, how it maps, and who may act as which account."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gbearer.emulator.bindings import Binding
from gbearer.emulator.bindings import parse as parse_bindings
from gbearer.emulator.sts import mapping

KINDS = ("aws", "oidc", "saml", "x509")
_ID = re.compile(r"[a-z](?:[a-z0-9-]{2,30})[a-z0-9]\Z|[a-z0-9]{2,32}\Z")
_GROUPS = {"google.subject", "google.groups", "google.display_name"}
HOST = "//iam.googleapis.com/"


@dataclass(frozen=True)
class Provider:
    """One provider. `pool` is its pool's resource name, `settings` what stands under its kind in the REST API."""

    pool: str
    name: str
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    condition: str = ""
    disabled: bool = False

    @property
    def resource(self) -> str:
        """`projects/N/locations/global/workloadIdentityPools/P/providers/Q`, or that of a workforce pool."""
        return f"{self.pool}/providers/{self.name}"

    @property
    def audience(self) -> str:
        """What the field `audience` of a credential file holds."""
        return HOST + self.resource

    @property
    def audiences(self) -> tuple[str, ...]:
        """The audiences that a subject token may be meant for: those allowed, or the provider's own URL."""
        allowed = self.settings.get("allowedAudiences") or ()
        return tuple(allowed) or (f"https:{self.audience}", self.audience)

    @property
    def workforce(self) -> bool:
        """Whether this is a provider for people rather than for programs."""
        return self.pool.startswith("locations/")

    def members(self, attributes: Mapping[str, Any]) -> tuple[str, frozenset[str]]:
        """The principal with these mapped attributes, and everything that IAM policies may call it."""
        base = f"iam.googleapis.com/{self.pool}"
        principal = f"principal://{base}/subject/{attributes['google.subject']}"
        sets = {f"principalSet://{base}/*"}
        for name, value in attributes.items():
            if name.startswith("attribute."):
                sets.add(f"principalSet://{base}/{name}/{value}")
        groups = attributes.get("google.groups", [])
        sets |= {f"principalSet://{base}/group/{group}" for group in ([groups] if isinstance(groups, str) else groups)}
        return principal, frozenset({principal, *sets})


@dataclass
class Federation:
    """Every provider by its resource name, and the bindings that pools.json adds."""

    providers: dict[str, Provider] = field(default_factory=dict)
    bindings: set[Binding] = field(default_factory=set)
    aws: str = ""

    def find(self, name: str) -> Provider:
        """The provider called `name`, by its resource name or by its last part alone; KeyError if there is none."""
        if name in self.providers:
            return self.providers[name]
        for provider in self.providers.values():
            if provider.name == name:
                return provider
        raise KeyError(name)

    def copy(self) -> "Federation":
        """The same, for changes that are taken back later."""
        return replace(self, providers=dict(self.providers), bindings=set(self.bindings))


def parse(document: object, number: int) -> Federation:
    """The pools in `document`, of the project `number`; ValueError says what is wrong."""
    top = _object(document, "the document")
    _only(top, ("workloadIdentityPools", "workforcePools", "bindings", "aws"), "the document")
    read = Federation(aws=str(_object(top.get("aws", {}), "aws").get("url", "")))
    for group, place in (
        ("workloadIdentityPools", f"projects/{number}/locations/global/workloadIdentityPools"),
        ("workforcePools", "locations/global/workforcePools"),
    ):
        for name, pool in _object(top.get(group, {}), group).items():
            _only(_object(pool, name), ("disabled", "providers"), _id(name))
            for provider in _object(pool.get("providers", {}), f"providers of {name}").items():
                one = parse_provider(f"{place}/{name}", *provider)
                one = replace(one, disabled=one.disabled or bool(pool.get("disabled")))
                read.providers[one.resource] = one
    for binding in top.get("bindings", []):
        read.bindings |= set(parse_bindings(binding))
    return read


def parse_provider(pool: str, name: str, document: object) -> Provider:
    """One provider in the manner of the REST API; ValueError says what is wrong."""
    given = _object(document, name)
    _only(given, (*KINDS, "attributeMapping", "attributeCondition", "disabled"), name)
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        raise ValueError(f"{name} needs exactly one of {', '.join(KINDS)}")
    kind, settings = kinds[0], _object(given[kinds[0]], name)
    mapped = _object(given.get("attributeMapping") or (mapping.AWS_DEFAULT if kind == "aws" else {}), name)
    condition = given.get("attributeCondition", "")
    if "google.subject" not in mapped:
        raise ValueError(f"the attributeMapping of {name} needs google.subject")
    for key, text in [*mapped.items(), *([("attributeCondition", condition)] if condition else [])]:
        if not isinstance(text, str):
            raise ValueError(f"{key} of {name} is an expression")
        if key not in (*_GROUPS, "attributeCondition") and not re.fullmatch(r"attribute\.[a-z0-9_]{1,100}", key):
            raise ValueError(f"{name} maps {key!r}; names are google.subject, google.groups or attribute.NAME")
        mapping.compiled(text)
    if kind == "oidc" and not isinstance(settings.get("issuerUri"), str):
        raise ValueError(f"{name} needs oidc.issuerUri")
    if kind == "aws" and not re.fullmatch(r"\d{12}", str(settings.get("accountId"))):
        raise ValueError(f"{name} needs aws.accountId, twelve digits")
    return Provider(pool, _id(name), kind, settings, mapped, str(condition), bool(given.get("disabled")))


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not a JSON object")
    return value


def _only(given: Mapping[str, Any], known: Iterable[str], name: str) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise ValueError(f"{name} has unknown fields: {', '.join(sorted(unknown))}; known: {', '.join(known)}")


def _id(name: str) -> str:
    if not _ID.match(name):
        raise ValueError(f"{name!r} is no id of a pool or provider: small letters, digits and '-', up to 32")
    return name


def text(document: Mapping[str, Any]) -> str:
    """`document` as it is written to pools.json."""
    return json.dumps(document, indent=2) + "\n"
