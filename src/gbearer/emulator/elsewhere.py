"""Keys that do not belong to Google's own universe: that of the other one, and those of Google Distributed Cloud."""

from pathlib import Path

from gbearer.emulator import gdch
from gbearer.emulator.universe import OTHER
from gbearer.emulator.world import OTHER_ROBOT, PROJECT_ID, World

UNIVERSE, GDCH, GDCH_TLS = "key-universe.json", "gdch.json", "gdch-tls.json"


def documents(directory: Path, world: World, url: str) -> dict[str, dict[str, str]]:
    """The files by name; the two of Distributed Cloud are the same key, for its endpoint in plain text and over TLS."""
    tls = url.replace("http:", "https:")
    return {
        UNIVERSE: _universe_key(world),
        GDCH: gdch.document(world, url),
        GDCH_TLS: gdch.document(world, tls, str(directory / "ca.pem")),
    }


def _universe_key(world: World) -> dict[str, str]:
    """A service account key of the other universe. Its token_uri names what is not there: a JWT of its own must do."""
    account = world.accounts[OTHER_ROBOT]
    key = world.kept.key(f"user {OTHER_ROBOT}")
    return {
        "type": "service_account",
        "project_id": PROJECT_ID,
        "private_key_id": key.kid,
        "private_key": key.pem,
        "client_email": account.email,
        "client_id": account.unique_id,
        "auth_uri": f"https://accounts.{OTHER}/o/oauth2/auth",
        "token_uri": f"https://oauth2.{OTHER}/token",
        "auth_provider_x509_cert_url": f"https://www.{OTHER}/oauth2/v1/certs",
        "client_x509_cert_url": f"https://www.{OTHER}/robot/v1/metadata/x509/{account.email.replace('@', '%40')}",
        "universe_domain": OTHER,
    }
