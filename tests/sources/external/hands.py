"""What the tests of federated sources do with their hands: federation files, a platform, made-up tokens."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gbearer import sources
from gbearer.emulator import Emulator
from gbearer.errors import Error
from gbearer.model import Ask
from gbearer.sources import Look, Source
from gbearer.transport import Transport

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
PROVIDER = f"{POOL}/providers/oidc"
TARGET = "target@emulator-project.iam.gserviceaccount.com"
TYPE = "urn:ietf:params:oauth:token-type:"
AUDIENCE = f"//iam.googleapis.com/{PROVIDER}"
IMPERSONATION = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken"


def document(source: object, **more: object) -> dict[str, object]:
    """A federation file, as gcloud writes it; a field of None is left out."""
    whole: dict[str, object] = {
        "universe_domain": "googleapis.com",
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": f"{TYPE}jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
        "token_info_url": "https://sts.googleapis.com/v1/introspect",
        **more,
    }
    return {name: value for name, value in whole.items() if value is not None}


def write(path: Path, content: object) -> str:
    """`content` at `path`: bytes and text as they are, anything else as JSON."""
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def made_up(**claims: object) -> str:
    """A JWT that nobody signed."""
    parts = ({"alg": "RS256", "kid": "k"}, {"iss": "https://issuer.example", "sub": "somebody", **claims})
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".c2ln"
    )


def find(env: dict[str, str], *, look: Look | None = None, **options: Any) -> tuple[Source, Look]:
    """What is found for a question with `options`."""
    look = look or Look({"NO_GCE_CHECK": "true", "HOME": "/nowhere", **env})
    return sources.locate(Ask(**options), look, Transport(look.env)), look


def refusal(kind: type[Error], run: Callable[[], object], *, why: bool = True) -> str:
    """The whole text of the error that `run` ends with, of exactly the class `kind`, with its cause and its fix."""
    with pytest.raises(Error) as caught:
        run()
    assert type(caught.value) is kind, caught.value
    assert caught.value.why or not why
    assert caught.value.fix
    return str(caught.value)


def subject(source: Source, em: Emulator | None = None) -> str:
    """The subject token that the source brings, as google-auth's credential asks for it; nothing is exchanged."""
    env = {} if em is None else {"GBEARER_EMULATOR_HOST": em.host}
    token: str = source.credentials(Ask(), Transport(env, total=3, tries=1)).retrieve_subject_token(None)
    return token


class Asked(NamedTuple):
    """A request that a platform got; the names of headers are lower case."""

    method: str
    target: str
    headers: dict[str, str]


class Platform:
    """A server on loopback that answers everything with `answer`: (status, body)."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: tuple[int, bytes] = (200, b"")
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                platform.asked.append(Asked(self.command, self.path, headers))
                status, body = platform.answer
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if status in (301, 302, 307):
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def platform() -> Iterator[Platform]:
    """A platform that runs until the end of the `with` block."""
    here = Platform()
    thread = threading.Thread(target=here.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield here
    finally:
        here.server.shutdown()
        here.server.server_close()
        thread.join(5)
