"""The external-*.json files: one per federated source, direct and impersonating, at Google's hosts and at our own."""

import json
from pathlib import Path
from typing import Any

from gbearer.emulator.sts import default, pools, subjects
from gbearer.emulator.sts.default import POOL_RESOURCE
from gbearer.emulator.sts.exchange import AWS, TOKEN_TYPE
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import PROJECT_NUMBER, TARGET, World

CLIENTS, SUBJECT, CERTIFICATES = "clients", "subject", "x509"
MARK = "/workloadIdentityPools/emulator-"
"""What the audience of every file of ours contains."""
_AWS_METADATA = "http://169.254.169.254/latest"


def documents(directory: Path, world: World, url: str) -> dict[str, dict[str, Any]]:
    """Every file by its path below `directory`; those in clients/ name the emulator at `url`, not Google's hosts."""
    google = {"sts": "https://sts.googleapis.com", "iam": "https://iamcredentials.googleapis.com"}
    written: dict[str, dict[str, Any]] = {}
    for folder, hosts in (("", google), (f"{CLIENTS}/", {"sts": url, "iam": url})):
        for kind, (provider, token_type, source) in _sources(directory, world, url).items():
            sts, iam = hosts["sts"], hosts["iam"]
            if kind == "x509":  # only over TLS can a certificate be shown, and Node shows it at either address
                sts = sts.replace("sts.", "sts.mtls.") if not folder else sts.replace("http:", "https:")
                iam = iam.replace("http:", "https:")
            direct = _document(provider, token_type, sts, source)
            acting = f"{iam}/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"
            written[f"{folder}external-{kind}.json"] = direct
            impersonated = {name: value for name, value in direct.items() if name != "token_info_url"}
            written[f"{folder}external-{kind}-impersonated.json"] = {
                **impersonated,
                "service_account_impersonation_url": acting,
            }
    return written


def _document(provider: str, token_type: str, sts: str, source: dict[str, Any]) -> dict[str, Any]:
    """What `gcloud iam workload-identity-pools create-cred-config` writes, field by field and in its order."""
    return {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{POOL_RESOURCE}/providers/{provider}",
        "subject_token_type": token_type,
        "token_url": f"{sts}/v1/token",
        "credential_source": source,
        "token_info_url": f"{sts}/v1/introspect",
    }


def _sources(directory: Path, world: World, url: str) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Provider, subject token type and credential source of each kind of file."""
    del world
    mtls = f"{directory / CERTIFICATES / 'certificate_config.json'}"
    subject = directory / SUBJECT
    jwt = f"{TOKEN_TYPE}jwt"
    return {
        "file": ("oidc", jwt, {"file": str(subject / "oidc.jwt")}),
        "url": (
            "oidc",
            jwt,
            {
                "url": f"{url}/subject-token/oidc?format=json",
                "headers": {"Metadata": "True"},
                "format": {"type": "json", "subject_token_field_name": "id_token"},
            },
        ),
        "executable": (
            "oidc",
            jwt,
            {"executable": {"command": f"cat {subject / 'executable.json'}", "timeout_millis": 5000}},
        ),
        "saml": ("saml", f"{TOKEN_TYPE}saml2", {"file": str(subject / "saml.txt")}),
        "x509": ("x509", f"{TOKEN_TYPE}mtls", {"certificate": {"certificate_config_location": mtls}}),
        "aws": (
            "aws",
            AWS,
            {
                "environment_id": "aws1",
                "region_url": f"{_AWS_METADATA}/meta-data/placement/availability-zone",
                "url": f"{_AWS_METADATA}/meta-data/iam/security-credentials",
                "regional_cred_verification_url": (
                    "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
                ),
            },
        ),
    }


def certificate_files(directory: Path, world: World) -> dict[str, str]:
    """ca.pem for TLS at the emulator itself, and in x509/ what programs show: certificates, keys, configurations.

    `cert` is the workload's, `chained` one below an intermediate authority, `stranger` one that no provider trusts.
    """
    shelf, written = world.shelf, {"ca.pem": world.shelf.tls.certificate}
    for name, pair, config in (
        ("", shelf.workload, "certificate_config.json"),
        ("chained-", shelf.chained, "chained-config.json"),
        ("stranger-", shelf.stranger, "stranger-config.json"),
    ):
        paths = {part: directory / CERTIFICATES / f"{name}{part}.pem" for part in ("cert", "key")}
        workload = {"cert_path": str(paths["cert"]), "key_path": str(paths["key"])}
        written |= {
            f"{CERTIFICATES}/{name}cert.pem": pair.certificate,
            f"{CERTIFICATES}/{name}key.pem": pair.key,
            f"{CERTIFICATES}/{config}": json.dumps({"version": 1, "cert_configs": {"workload": workload}}, indent=2)
            + "\n",
        }
    return {**written, f"{CERTIFICATES}/chain.pem": shelf.chained.certificate + shelf.intermediate.certificate}


def subject_files(world: World) -> dict[str, str]:
    """The subject tokens that the files point to, by path; they live six hours and are written anew before that."""
    token = subjects.id_token(world, _provider(world, "oidc"))
    answer = {
        "version": 1,
        "success": True,
        "token_type": f"{TOKEN_TYPE}jwt",
        "id_token": token,
        "expiration_time": int(world.clock.now()) + subjects.LIFE,
    }
    return {
        f"{SUBJECT}/saml.txt": subjects.saml_response(world, _provider(world, "saml")),
        f"{SUBJECT}/oidc.jwt": token,
        f"{SUBJECT}/oidc.json": json.dumps({"id_token": token}) + "\n",
        f"{SUBJECT}/executable.json": json.dumps(answer) + "\n",
    }


def _provider(world: World, name: str) -> Provider:
    """The provider, or the usual one of that name where pools.json has none."""
    try:
        return world.federation.find(name)
    except KeyError:
        return pools.parse(default.document(), PROJECT_NUMBER).find(name)


def aws_shell(world: World) -> str:
    """aws.sh: the emulator's own AWS identity, for a machine that has no other."""
    key = world.aws_key
    lines = [
        f"# The emulator's own AWS identity, {key.arn}: . aws.sh",
        f"export AWS_ACCESS_KEY_ID={key.key_id}",
        f"export AWS_SECRET_ACCESS_KEY={key.secret}",
        f"export AWS_SESSION_TOKEN={key.session_token}",
        "export AWS_REGION=us-east-1",
    ]
    return "\n".join(lines) + "\n"


def foreign(path: Path, mark: str = MARK) -> bool:
    """Whether somebody else's file, whose audience is without our mark, lies where one of ours would be written."""
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not (isinstance(document, dict) and mark in str(document.get("audience")))
