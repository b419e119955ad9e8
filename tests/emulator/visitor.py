"""What the tests of signing in do with their hands: an application's URL, the code it gets, and its exchange."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from urllib3.response import BaseHTTPResponse

from emulator.hands import ADA, CLOUD, EMAIL_SCOPE, call, good
from gbearer.emulator import Emulator

REDIRECT = "http://localhost:8085/"
VERIFIER = "a-verifier-of-forty-three-characters-at-least-0"
SCOPES = f"openid {EMAIL_SCOPE} {CLOUD}"
IDP = "locations/global/workforcePools/emulator-workforce/providers/emulator-idp"
PRINCIPAL = "principal://iam.googleapis.com/locations/global/workforcePools/emulator-workforce/subject"


def client(em: Emulator) -> dict[str, str]:
    """The OAuth client of client.json."""
    read: dict[str, str] = json.loads(em.client_file.read_text())["installed"]
    return read


def s256(verifier: str = VERIFIER) -> dict[str, str]:
    """The two parameters of PKCE."""
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {"code_challenge": challenge, "code_challenge_method": "S256"}


def query(em: Emulator, changes: Mapping[str, str | None] = {}) -> str:
    """What an application asks for, with `changes`; a parameter of None is left out."""
    given: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client(em)["client_id"],
        "redirect_uri": REDIRECT,
        "scope": SCOPES,
        "state": "a state & more",
        "access_type": "offline",
        **changes,
    }
    return urlencode({name: value for name, value in given.items() if value is not None})


def url(em: Emulator, changes: Mapping[str, str | None] = {}) -> str:
    """Where an application sends the browser."""
    return f"{client(em)['auth_uri']}?{query(em, changes)}"


def told(final: str) -> dict[str, str]:
    """What a redirect tells the application."""
    return {name: values[0] for name, values in parse_qs(urlsplit(final).query, keep_blank_values=True).items()}


def code(
    em: Emulator, changes: Mapping[str, str | None] = {}, account: str = ADA, scopes: Iterable[str] | None = None
) -> str:
    """A code got by going through the pages."""
    return told(em.sign_in(url(em, changes), account, scopes=scopes))["code"]


def exchange(
    em: Emulator, value: str, changes: Mapping[str, str | None] = {}, headers: Mapping[str, str] = {}
) -> BaseHTTPResponse:
    """The token endpoint's answer to a code, with `changes` to the form; a field of None is left out."""
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": value,
        "redirect_uri": REDIRECT,
        "client_id": client(em)["client_id"],
        "client_secret": client(em)["client_secret"],
        **changes,
    }
    return call(em, "POST", "/token", headers=headers, form={k: v for k, v in form.items() if v is not None})


def signed_in(
    em: Emulator, changes: Mapping[str, str | None] = {}, account: str = ADA, scopes: Iterable[str] | None = None
) -> dict[str, Any]:
    """The tokens of a new sign-in."""
    answer: dict[str, Any] = good(exchange(em, code(em, changes, account, scopes)))
    return answer


def refreshed(em: Emulator, token: str, changes: Mapping[str, str | None] = {}) -> BaseHTTPResponse:
    """The answer to a refresh token of client.json's client."""
    own = {name: client(em)[name] for name in ("client_id", "client_secret")}
    form: dict[str, str | None] = {"grant_type": "refresh_token", **own, "refresh_token": token, **changes}
    return call(em, "POST", "/token", form={k: v for k, v in form.items() if v is not None})


def basic(name: str, word: str) -> dict[str, str]:
    """Client authentication by Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()}


def own_basic(em: Emulator) -> dict[str, str]:
    """The same for client.json's client."""
    return basic(client(em)["client_id"], client(em)["client_secret"])


def text(response: BaseHTTPResponse) -> str:
    """What a person reads on a page."""
    page = re.sub(r"<style>.*?</style>", "", response.data.decode(), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))
