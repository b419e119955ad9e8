"""What the emulator writes into its directory: credential files, env.sh, and the keys it keeps from run to run."""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gbearer.emulator import documents, elsewhere, external, jose
from gbearer.emulator.kept import Secrets
from gbearer.emulator.sts import account, default, pools
from gbearer.emulator.world import PROJECT_ID, PROJECT_NUMBER, ROBOT, World
from gbearer.errors import BadCredentials

KEPT = "emulator-keys.json"
KEY, USER, IMPERSONATED, ENV = "key.json", "user.json", "impersonated.json", "env.sh"
TOKENS, GRANTS = "emulator-tokens.jsonl", "emulator-grants.json"
POOLS, AWS = "pools.json", "aws.sh"
CLIENT, LOGIN_CONFIG, WORKFORCE_USER = "client.json", "login-config.json", "workforce-user.json"
_MARKED = {
    KEY: ("private_key_id",),
    USER: ("client_id",),
    IMPERSONATED: ("source_credentials", "client_id"),
    CLIENT: ("installed", "client_id"),
    WORKFORCE_USER: ("client_id",),
    **dict.fromkeys((elsewhere.UNIVERSE, elsewhere.GDCH, elsewhere.GDCH_TLS), ("private_key_id",)),
}


def load(directory: Path) -> Secrets:
    """What an earlier run kept in `directory`, which is made (0700) if need be.

    BadCredentials if the kept keys are unreadable, or if a credential file lies there that no emulator made:
    such a file is never overwritten.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, path_to_mark in _MARKED.items():
        _refuse_foreign(directory / name, path_to_mark)
    if external.foreign(directory / LOGIN_CONFIG, "/workforcePools/emulator-"):
        raise _not_ours(directory / LOGIN_CONFIG)
    secrets = Secrets()
    try:
        kept = json.loads((directory / KEPT).read_text())
        secrets.keys = {name: jose.load_key(key["kid"], key["pem"]) for name, key in kept["keys"].items()}
        secrets.client_id, secrets.client_secret = kept["client_id"], kept["client_secret"]
        secrets.refresh_token = kept["refresh_token"]
        secrets.others = {str(name): str(value) for name, value in kept.get("others", {}).items()}
    except FileNotFoundError:
        _adopt(directory, secrets)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadCredentials(
            f"{directory / KEPT} cannot be read",
            why=f"{type(error).__name__}: not what the emulator wrote",
            fix="delete that file (key.json and user.json will be made anew), or name another --dir",
        ) from None
    return secrets


def federation(directory: Path) -> pools.Federation:
    """The pools of `directory`; BadCredentials when its pools.json is not understood. A new one gets the default."""
    path = directory / POOLS
    try:
        text = path.read_text()
    except FileNotFoundError:
        text = pools.text(default.document())
        _write(path, text)
    try:
        read = pools.parse(json.loads(text), PROJECT_NUMBER)
        if read.aws:
            account.check_url(read.aws)
    except ValueError as error:
        raise BadCredentials(
            f"{path} is not understood",
            why=str(error),
            fix="mend it, or delete it to get the emulator's own pools again",
        ) from None
    return read


def _adopt(directory: Path, secrets: Secrets) -> None:
    """Take the key of an emulator's key.json and the tokens of its user.json when nothing else was kept."""
    try:
        key = json.loads((directory / KEY).read_text())
        secrets.keys[f"user {ROBOT}"] = jose.load_key(key["private_key_id"], key["private_key"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        user = json.loads((directory / USER).read_text())
        given = {name: user[name] for name in ("client_id", "client_secret", "refresh_token")}
    except (OSError, ValueError, KeyError, TypeError):
        return
    secrets.client_id, secrets.client_secret = given["client_id"], given["client_secret"]
    secrets.refresh_token = given["refresh_token"]


def _refuse_foreign(path: Path, path_to_mark: tuple[str, ...]) -> None:
    try:
        value: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        value = None
    for name in path_to_mark:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value.startswith(jose.KEY_MARK):
        raise _not_ours(path)


def _not_ours(path: Path) -> BadCredentials:
    return BadCredentials(
        f"{path} was not written by an emulator",
        why="the emulator writes its own file of that name and overwrites nobody else's",
        fix="name an empty directory with --dir",
    )


def write(directory: Path, world: World, url: str) -> dict[str, str]:
    """Write every file for the emulator at `url`; the environment that points clients at it comes back."""
    save(directory, world.kept)
    world.kept.save = lambda secrets: save(directory, secrets)
    environment = exports(directory, url)
    written = {
        KEY: documents.service_account_key(world, url),
        USER: documents.authorized_user(world, url),
        IMPERSONATED: documents.impersonated(world, url),
        CLIENT: documents.oauth_client(world, url),
        LOGIN_CONFIG: documents.login_config(url),
        WORKFORCE_USER: documents.workforce_user(world, url),
        **elsewhere.documents(directory, world, url),
    }
    for name, document in written.items():
        _write(directory / name, json.dumps(document, indent=2) + "\n")
    write_external(directory, world, url)
    _write(directory / ENV, _shell(environment, directory))
    return environment | {"GBEARER_PROFILE": "none"}  # nobody's own profile counts in a test


def write_external(directory: Path, world: World, url: str) -> None:
    """Write the external-*.json files, those for other clients, and what they need beside them."""
    for folder in (external.CLIENTS, external.SUBJECT, external.CERTIFICATES):
        (directory / folder).mkdir(mode=0o700, exist_ok=True)
    for name, document in external.documents(directory, world, url).items():
        if external.foreign(directory / name):
            raise _not_ours(directory / name)
        _write(directory / name, json.dumps(document, indent=2) + "\n")
    for name, text in external.certificate_files(directory, world).items():
        _write(directory / name, text)
    _write(directory / AWS, external.aws_shell(world))
    write_subjects(directory, world)


def write_subjects(directory: Path, world: World) -> None:
    """Write the subject tokens anew."""
    for name, text in external.subject_files(world).items():
        _write(directory / name, text)


def save(directory: Path, secrets: Secrets) -> None:
    """Keep keys and tokens for the next run on this directory."""
    kept = {
        "keys": {name: {"kid": key.kid, "pem": key.pem} for name, key in secrets.keys.items()},
        "client_id": secrets.client_id,
        "client_secret": secrets.client_secret,
        "refresh_token": secrets.refresh_token,
        "others": secrets.others,
    }
    _write(directory / KEPT, json.dumps(kept, indent=2) + "\n")


def exports(directory: Path, url: str) -> dict[str, str]:
    """Every variable that points a client at the emulator; gcloud gets a configuration folder of its own."""
    host = url.removeprefix("http://")
    return {
        "GBEARER_EMULATOR_HOST": host,
        "GOOGLE_CLOUD_PROJECT": PROJECT_ID,
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
        "GCE_METADATA_ROOT": host,
        "CLOUDSDK_CONFIG": str(directory / "gcloud"),
        "CLOUDSDK_CORE_PROJECT": PROJECT_ID,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
        "CLOUDSDK_AUTH_AUTH_HOST": f"{url}/o/oauth2/auth",
        "CLOUDSDK_AUTH_TOKEN_HOST": f"{url}/token",
        "CLOUDSDK_AUTH_TOKEN_INTROSPECTION_ENDPOINT": f"{url}/v1/introspect",
        "OAUTHLIB_INSECURE_TRANSPORT": "1",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": f"{url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER": f"{url}/",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _shell(environment: Mapping[str, str], directory: Path) -> str:
    lines = ["# Points Google's clients at the emulator: . env.sh"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    lines += ["# A credential file, for clients that are to use one instead of the metadata server:"]
    lines += [f"# export GOOGLE_APPLICATION_CREDENTIALS={shlex.quote(str(directory / KEY))}"]
    lines += [
        "# Federated ones: external-*.json (they name Google's hosts, which gbearer sends here); for google-auth,"
    ]
    lines += [f"# gcloud and others that go where the file says: {shlex.quote(str(directory / external.CLIENTS))}"]
    lines += [f"# An AWS identity for external-aws.json, if there is no other: . {shlex.quote(str(directory / AWS))}"]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    """Replace `path` in one step, readable by its owner alone whatever the umask."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.chmod(beside, 0o600)
            file.write(text)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
