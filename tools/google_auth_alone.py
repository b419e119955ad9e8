"""What google-auth by itself makes of a federation file: run as a process of its own, it prints JSON for aws_table.py.

The file is left as it is. Beneath google-auth, requests for the hosts that it names are sent to servers on loopback:
`google_auth_alone.py '{"sts.googleapis.com": "http://127.0.0.1:1", ...}' FILE IMPERSONATING_FILE AUDIENCE`.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import google.auth
import google.auth.exceptions
import google.oauth2.id_token
import requests
from google.auth.transport.requests import Request
from requests.adapters import HTTPAdapter

METADATA = "169.254.169.254"
CLOUD = "https://www.googleapis.com/auth/cloud-platform"


class Moved(HTTPAdapter):
    """Sends what is meant for a known host to its stand-in, and nothing to any other."""

    def __init__(self, hosts: dict[str, str]) -> None:
        super().__init__()
        self._hosts = hosts

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """As HTTPAdapter.send."""
        parts = urlsplit(str(request.url))
        if parts.hostname not in self._hosts:
            raise requests.ConnectionError(f"{parts.hostname} cannot be reached")
        rest = parts.path + (f"?{parts.query}" if parts.query else "")
        request.url = self._hosts[parts.hostname] + rest
        request.headers["Host"] = parts.netloc
        return super().send(request, *args, **kwargs)


def transport(hosts: dict[str, str]) -> Request:
    """google-auth's own transport, on which these hosts are elsewhere and no others are."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("https://", "http://"):
        session.mount(scheme, Moved(hosts))
    return Request(session)


def access(path: str, request: Request) -> str:
    """An access token by the file at `path`, as `google.auth.default` gives it."""
    credentials, _ = google.auth.load_credentials_from_file(path, scopes=[CLOUD], request=request)
    credentials.refresh(request)
    return str(credentials.token)


def identity(path: str, audience: str, request: Request) -> str:
    """An ID token by the way that google-auth has for one."""
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = path
    return str(google.oauth2.id_token.fetch_id_token(request, audience))


def tried(make: Callable[[], str]) -> dict[str, str]:
    """The token, or what was raised."""
    try:
        return {"token": make()}
    except (google.auth.exceptions.GoogleAuthError, ValueError, OSError) as error:
        return {"error": str(error.args[0]) if error.args else type(error).__name__}


def main() -> None:
    hosts, direct, acting, audience = sys.argv[1:]
    servers = json.loads(hosts)
    request = transport(servers)
    told = {
        "access": tried(lambda: access(direct, request)),
        "acting": tried(lambda: access(acting, request)),
        "id": tried(lambda: identity(acting, audience, request)),
    }
    del servers[METADATA]
    told["alone"] = tried(lambda: access(direct, transport(servers)))
    print(json.dumps(told), flush=True)
    os._exit(0)  # google-auth may have a thread of its own under way


if __name__ == "__main__":
    main()
