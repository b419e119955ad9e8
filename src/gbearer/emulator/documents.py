"""The credential files of the key, the user and the user acting as a service account, as Google writes them."""

from typing import Any

from gbearer.emulator.world import IDENTITY_PROVIDER, PROJECT_ID, ROBOT, TARGET, WORKFORCE_POOL, World

_AUDIENCE = f"//iam.googleapis.com/{WORKFORCE_POOL}/providers/{IDENTITY_PROVIDER}"


def service_account_key(world: World, url: str) -> dict[str, str]:
    """key.json: a service account key as the console makes it, with the emulator's token endpoint."""
    account = world.accounts[ROBOT]
    key = world.kept.key(f"user {ROBOT}")
    return {
        "type": "service_account",
        "project_id": PROJECT_ID,
        "private_key_id": key.kid,
        "private_key": key.pem,
        "client_email": account.email,
        "client_id": account.unique_id,
        "auth_uri": f"{url}/o/oauth2/auth",
        "token_uri": f"{url}/token",
        "auth_provider_x509_cert_url": f"{url}/oauth2/v1/certs",
        "client_x509_cert_url": f"{url}/robot/v1/metadata/x509/{account.email.replace('@', '%40')}",
        "universe_domain": "googleapis.com",
    }


def authorized_user(world: World, url: str) -> dict[str, str]:
    """user.json: what `gcloud auth application-default login` leaves behind, and the emulator's token endpoint."""
    return {
        "type": "authorized_user",
        "client_id": world.kept.client_id,
        "client_secret": world.kept.client_secret,
        "refresh_token": world.kept.refresh_token,
        "token_uri": f"{url}/token",
        "universe_domain": "googleapis.com",
    }


def impersonated(world: World, url: str) -> dict[str, Any]:
    """impersonated.json: the user acting as a service account, with the URL at Google's own host."""
    base = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    return {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"{base}/{TARGET}:generateAccessToken",
        "delegates": [],
        "source_credentials": authorized_user(world, url),
        "universe_domain": "googleapis.com",
    }


def oauth_client(world: World, url: str) -> dict[str, Any]:
    """client.json: a desktop application's OAuth client as the console makes it, at the emulator's addresses."""
    return {
        "installed": {
            "client_id": world.kept.client_id,
            "project_id": PROJECT_ID,
            "auth_uri": f"{url}/o/oauth2/auth",
            "token_uri": f"{url}/token",
            "auth_provider_x509_cert_url": f"{url}/oauth2/v1/certs",
            "client_secret": world.kept.client_secret,
            "redirect_uris": ["http://localhost"],
        }
    }


def login_config(url: str) -> dict[str, str]:
    """login-config.json: what `gcloud iam workforce-pools create-login-config` writes, at the emulator's addresses."""
    return {
        "type": "external_account_authorized_user_login_config",
        "audience": _AUDIENCE,
        "auth_url": f"{url}/authorize",
        "token_url": f"{url}/v1/oauthtoken",
        "token_info_url": f"{url}/v1/introspect",
        "universe_domain": "googleapis.com",
        "universe_cloud_web_domain": "cloud.google",
    }


def workforce_user(world: World, url: str) -> dict[str, str]:
    """workforce-user.json: what a browser sign-in through a workforce pool leaves behind."""
    return {
        "type": "external_account_authorized_user",
        "audience": _AUDIENCE,
        "client_id": world.kept.client_id,
        "client_secret": world.kept.client_secret,
        "refresh_token": world.workforce_token,
        "token_url": f"{url}/v1/oauthtoken",
        "token_info_url": f"{url}/v1/introspect",
        "revoke_url": f"{url}/v1/revoke",
        "universe_domain": "googleapis.com",
    }
