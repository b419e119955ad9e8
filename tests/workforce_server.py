"""A token service of a workforce pool on loopback: every refresh brings a new refresh token, and a lost one is noticed.

As Google's it takes the former refresh token until the new one has been used once; after that its use ends the session.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_servers.http import Reply, Request, Served, serve

CLIENT = ("emulator-client.apps.googleusercontent.com", "emulator-secret-made-up")
POOL = "locations/global/workforcePools/emulator-workforce"
GRACE = f"principal://iam.googleapis.com/{POOL}/subject/grace"


class Service:
    """One session: `good` are the refresh tokens that it takes now, in the order in which they were given out."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.name = secrets.token_hex(4)
        self.first = f"emulator-1//0-{self.name}"
        self.good = [self.first]
        self.ended = False
        self.refreshes = 0
        self.together = 0
        self.rotates = True
        self.pause = 0.0
        self.extra: dict[str, Any] = {}
        self.refusal: Reply | None = None
        self.strict = False
        self._inside = 0
        self._lock = threading.Lock()
        served.handle = self._handle

    @property
    def host(self) -> str:
        """What GBEARER_EMULATOR_HOST has to be."""
        return self.served.url.removeprefix("http://")

    def document(self, **changes: object) -> dict[str, object]:
        """A credential file of the session; None takes a field away."""
        whole: dict[str, object] = {
            "type": "external_account_authorized_user",
            "audience": f"//iam.googleapis.com/{POOL}/providers/emulator-idp",
            "refresh_token": self.first,
            "token_url": "https://sts.googleapis.com/v1/oauthtoken",
            "token_info_url": "https://sts.googleapis.com/v1/introspect",
            "revoke_url": "https://sts.googleapis.com/v1/revoke",
            "client_id": CLIENT[0],
            "client_secret": CLIENT[1],
        }
        return {name: value for name, value in (whole | changes).items() if value is not None}

    def later(self, number: int) -> str:
        """The refresh token that came with the answer of that number, from 1 on."""
        return f"{self.first}-{number}"

    def file(self, path: Path, **changes: object) -> str:
        """The same, written to `path`."""
        path.write_text(json.dumps(self.document(**changes)))
        path.chmod(0o600)
        return str(path)

    def forms(self, path: str = "/v1/oauthtoken") -> list[Mapping[str, str]]:
        """What was posted to `path`, in order."""
        return [request.parameters for request in self.served.requests if request.path == path]

    def _handle(self, request: Request) -> Reply:
        basic = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
        if request.path.endswith(":generateIdToken") or request.path.endswith(":generateAccessToken"):
            return _iam(request)
        if request.headers.get("authorization") != basic:
            return Reply(401, {"error": "invalid_client", "error_description": "The OAuth client was not found."})
        if request.path == "/v1/introspect":
            active = request.parameters.get("token", "").startswith("ya29.")
            return Reply(200, {"active": True, "username": GRACE, "scope": "openid"} if active else {"active": False})
        if request.path != "/v1/oauthtoken" or request.parameters.get("grant_type") != "refresh_token":
            return Reply(400, {"error": "unsupported_grant_type"})
        if self.refusal is not None:
            return self.refusal
        with self._lock:
            self._inside += 1
            self.together = max(self.together, self._inside)
        time.sleep(self.pause)
        try:
            return self._refresh(request.parameters["refresh_token"])
        finally:
            with self._lock:
                self._inside -= 1

    def _refresh(self, used: str) -> Reply:
        with self._lock:
            if self.strict and used == self.good[0] != self.good[-1]:
                return Reply(400, {"error": "invalid_grant", "error_description": "The refresh token was replaced."})
            if self.ended or used not in self.good:
                self.ended = True
                return Reply(400, {"error": "invalid_grant", "error_description": "The refresh token is not valid."})
            self.refreshes += 1
            new = self.later(self.refreshes)
            if self.rotates:
                self.good = [used, new]
            said = {"access_token": f"ya29.emulator-{self.refreshes}", "expires_in": 3600, "token_type": "Bearer"}
            said |= {"refresh_token": new} if self.rotates else {}
        return Reply(200, {name: value for name, value in (said | self.extra).items() if value is not None})


def _iam(request: Request) -> Reply:
    """IAM Credentials, as far as it takes to show who asked and for what."""
    if not request.headers.get("authorization", "").startswith("Bearer ya29.emulator-"):
        return Reply(401, {"error": {"code": 401, "message": "no token", "status": "UNAUTHENTICATED"}})
    if request.path.endswith(":generateAccessToken"):
        ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return Reply(200, {"accessToken": "ya29.emulator-impersonated", "expireTime": ends})
    told = {"aud": json.loads(request.body)["audience"], "exp": int(time.time()) + 3600, "iss": "emulator"}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "x"}, told)]
    return Reply(200, {"token": f"{parts[0]}.{parts[1]}.c2lnbmF0dXJl"})


@contextmanager
def service() -> Iterator[Service]:
    """A token service with one session, for as long as the block lasts."""
    with serve() as served:
        yield Service(served)
