"""The pools that every emulator starts with, as they are written to a new directory's pools.json."""

from collections.abc import Mapping
from typing import Any

from gbearer.emulator.bindings import WORKLOAD_IDENTITY_USER
from gbearer.emulator.world import (
    AWS_ACCOUNT,
    IDENTITY_PROVIDER,
    LONG,
    OTHER_TARGET,
    PROJECT_NUMBER,
    TARGET,
    WORKFORCE_POOL,
)

POOL = "emulator-pool"
POOL_RESOURCE = f"projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{POOL}"
WORKFORCE = WORKFORCE_POOL.rpartition("/")[2]
ISSUER = "https://issuer.emulator.example"
PEOPLE = "https://people.emulator.example"
GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
AZURE = "https://sts.windows.net/8d1f7a34-0000-4000-8000-000000000000/"
AZURE_APP = "api://emulator-app"
AWS_ISSUER = "https://8d1f7a34-0000-4000-8000-000000000001.tokens.sts.global.api.aws"

REPOSITORY = {"repository": "repository"}


def _oidc(issuer: str, *, audiences: tuple[str, ...] = (), more: Mapping[str, str] = {}) -> dict[str, Any]:
    """A provider for `issuer`; `more` maps attributes to claims."""
    settings: dict[str, Any] = {"issuerUri": issuer}
    if audiences:
        settings["allowedAudiences"] = list(audiences)
    attributes = {f"attribute.{name}": f"assertion.{claim}" for name, claim in more.items()}
    return {"oidc": settings, "attributeMapping": {"google.subject": "assertion.sub", **attributes}}


def document() -> dict[str, Any]:
    """Pools, providers and bindings.

    An OIDC provider without jwksJson trusts the emulator's own issuer key (or, if its issuer is on this machine,
    what discovery finds there); SAML without idpMetadataXml and X.509 without trustStore trust the emulator's too.
    """
    providers: dict[str, Any] = {
        "aws": {"aws": {"accountId": AWS_ACCOUNT}},
        "oidc": _oidc(ISSUER),
        "saml": {"saml": {}, "attributeMapping": {"google.subject": "assertion.subject"}},
        "x509": {"x509": {}, "attributeMapping": {"google.subject": "assertion.subject.dn.cn"}},
        "oidc-disabled": {**_oidc(ISSUER), "disabled": True},
        "oidc-condition": {
            **_oidc(ISSUER, more=REPOSITORY),
            "attributeCondition": "assertion.repository == 'emulator/allowed'",
        },
        "github": _oidc(GITHUB, more=REPOSITORY),
        "gitlab": _oidc(GITLAB, more={"project_path": "project_path"}),
        "azure": _oidc(AZURE, audiences=(AZURE_APP,)),
        "aws-oidc": _oidc(AWS_ISSUER),
    }
    people = _oidc(PEOPLE)
    people["attributeMapping"] |= {"google.groups": "assertion.groups", "google.display_name": "assertion.name"}
    everybody = f"principalSet://iam.googleapis.com/{POOL_RESOURCE}/*"
    return {
        "workloadIdentityPools": {
            POOL: {"providers": providers},
            "emulator-disabled": {"disabled": True, "providers": {"oidc": _oidc(ISSUER)}},
        },
        "workforcePools": {WORKFORCE: {"providers": {"oidc": _oidc(ISSUER), IDENTITY_PROVIDER: people}}},
        "bindings": [
            {"serviceAccount": account, "role": WORKLOAD_IDENTITY_USER, "members": [everybody]}
            for account in (TARGET, LONG, OTHER_TARGET)
        ],
    }
