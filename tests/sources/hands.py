"""What the tests of the sources do with their hands: write a credential file, look for a credential, read an error."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gbearer import sources
from gbearer.errors import Error
from gbearer.model import Ask
from gbearer.sources import Look, Source
from gbearer.transport import Transport

USER = {
    "type": "authorized_user",
    "client_id": "1234-abc.apps.googleusercontent.com",
    "client_secret": "GOCSPX-made-up",
    "refresh_token": "1//made-up",
}
KEY = {
    "type": "service_account",
    "client_email": "robot@my-project.iam.gserviceaccount.com",
    "private_key": "-----BEGIN PRIVATE KEY-----\nMADEUP\n-----END PRIVATE KEY-----\n",
    "private_key_id": "0123abcd",
    "project_id": "my-project",
    "client_id": "112233",
    "token_uri": "https://oauth2.googleapis.com/token",
}
TARGET = "target@my-project.iam.gserviceaccount.com"
IMPERSONATED = {
    "type": "impersonated_service_account",
    "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/"
    f"{TARGET}:generateAccessToken",
    "source_credentials": USER,
}


def write(path: Path, document: object) -> str:
    """`document` as JSON (bytes as they are) at `path`, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(document if isinstance(document, bytes) else json.dumps(document).encode())
    return str(path)


def find(env: Mapping[str, str], *, look: Look | None = None, **options: Any) -> tuple[Source, Look]:
    """What `sources.locate` finds in `env` for a question with `options`."""
    look = look or Look({"NO_GCE_CHECK": "true", "HOME": "/nowhere", **env}, system="linux")
    return sources.locate(Ask(**options), look, Transport(look.env)), look


def refusal(expected: type[Error], env: Mapping[str, str], /, **options: Any) -> str:
    """The whole text of the error, which is of exactly the class `expected`."""
    with pytest.raises(Error) as caught:
        find(env, **options)
    assert type(caught.value) is expected, caught.value
    assert caught.value.fix
    return str(caught.value)
