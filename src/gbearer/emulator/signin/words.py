"""What the pages say about scopes and applications."""

from gbearer.emulator import scopes
from gbearer.emulator.world import GCLOUD_ADC_CLIENT, GCLOUD_CLIENT, OTHER_CLIENT

IDENTITY = {
    scopes.OPENID: "Know who you are",
    scopes.EMAIL: "See your e-mail address",
    scopes.PROFILE: "See your name",
}
"""The scopes of signing in itself, which nobody can untick."""
_SCOPES = {
    "accounts.reauth": "Ask you to confirm that it is still you",
    "appengine.admin": "Manage your App Engine applications",
    "bigquery": "See and change your data in BigQuery",
    "calendar": "See and change your calendars",
    "calendar.readonly": "See your calendars",
    "cloud-platform": "See, change and delete your data in Google Cloud",
    "cloud-platform.read-only": "See your data in Google Cloud",
    "compute": "See and manage your Compute Engine resources",
    "devstorage.full_control": "Manage your data and permissions in Cloud Storage",
    "devstorage.read_only": "See your data in Cloud Storage",
    "devstorage.read_write": "Manage your data in Cloud Storage",
    "drive": "See, change and delete your files in Drive",
    "drive.readonly": "See your files in Drive",
    "gmail.readonly": "Read your mail",
    "spreadsheets": "See, change and delete your spreadsheets",
    "sqlservice.login": "Sign in to your Cloud SQL instances",
}
_CLIENTS = {GCLOUD_CLIENT[0]: "gcloud", GCLOUD_ADC_CLIENT[0]: "gcloud (application default)"}


def scope(name: str) -> str:
    """What a scope allows, in a few words."""
    return IDENTITY.get(name) or _SCOPES.get(name.removeprefix(scopes.PREFIX), "Use the scope named below")


def client(client_id: str) -> str:
    """What an application is called on the pages."""
    if client_id == OTHER_CLIENT[0]:
        return "another application"
    return _CLIENTS.get(client_id, "your application")
