"""What an application asks for when it sends a browser to sign in, and what is wrong with it (RFC 6749 §4.1.1)."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from gbearer.emulator import scopes
from gbearer.emulator.sts.pools import Provider
from gbearer.emulator.world import GCLOUD_ADC_CLIENT, GCLOUD_CLIENT, World

LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(/[!$%-;=?-Z_a-z~]*)?\Z", re.ASCII)
CODE_PAGE = re.compile(r"https://sdk\.cloud\.google(?:\.com)?/((?:authcode|applicationdefaultauthcode)\.html)\Z")
"""Google's own pages that show a code to copy, to which gcloud lets itself be sent."""
_CHALLENGE = {"plain": re.compile(r"[A-Za-z0-9._~-]{1,128}\Z"), "S256": re.compile(r"[A-Za-z0-9_-]{43}\Z")}
_PROMPTS = {"none", "consent", "select_account"}


class Wrong(Exception):
    """A request that is answered by a page, not by a redirect: status, OAuth error code and what is wrong."""

    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.text = status, error, text


@dataclass(frozen=True)
class Asked:
    """One authorization request, checked. `scopes` are canonical; `provider` is that of a workforce pool, if any."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None = None
    challenge: str = ""
    method: str = ""
    offline: bool = False
    silent: bool = False
    nonce: str = ""
    hint: str = ""
    provider: Provider | None = None


def parse(world: World, query: str, *, workforce: bool = False) -> Asked:
    """The request in a query string; Wrong says what Google's error page says."""
    given = _single(query)
    client_id = _needed(given, "client_id")
    if client_id not in world.clients:
        raise Wrong(401, "invalid_client", "The OAuth client was not found.")
    redirect_uri = _redirect_uri(client_id, _needed(given, "redirect_uri"))
    response_type = given.get("response_type", "")
    if not response_type:
        raise Wrong(400, "invalid_request", "Required parameter is missing: response_type")
    if response_type != "code":
        raise Wrong(400, "unsupported_response_type", f"Invalid response_type: {response_type}")
    access_type, prompts = given.get("access_type", ""), set(given.get("prompt", "").split())
    if access_type not in ("", "online", "offline"):
        raise Wrong(400, "invalid_request", f"Invalid parameter value for access_type: {access_type}")
    if prompts - _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise Wrong(400, "invalid_request", f"Invalid parameter value for prompt: {given['prompt']}")
    challenge, method = _challenge(given)
    return Asked(
        client_id,
        redirect_uri,
        _scopes(_needed(given, "scope")),
        given.get("state"),
        challenge,
        method,
        access_type == "offline",
        "none" in prompts,
        given.get("nonce", ""),
        given.get("login_hint", ""),
        _provider(world, _needed(given, "provider_name")) if workforce else None,
    )


def _single(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in given:
            raise Wrong(400, "invalid_request", f"OAuth 2 parameters can only have a single value: {name}")
        given[name] = value
    return given


def _needed(given: dict[str, str], name: str) -> str:
    if not given.get(name):
        raise Wrong(400, "invalid_request", f"Missing required parameter: {name}")
    return given[name]


def _redirect_uri(client_id: str, uri: str) -> str:
    """The URI, if a desktop application may have it: this machine's, at any port (RFC 8252 §7.3)."""
    if uri.startswith("urn:ietf:wg:oauth:2.0:oob"):
        text = "The out-of-band (OOB) flow has been blocked in order to keep users secure."
        raise Wrong(400, "invalid_request", text)
    own_page = CODE_PAGE.match(uri) and client_id in (GCLOUD_CLIENT[0], GCLOUD_ADC_CLIENT[0])
    if not LOOPBACK.match(uri) and not own_page:
        text = (
            f"The redirect URI {uri} is not one of this client. It is a desktop application's: "
            "http://localhost, http://127.0.0.1 or http://[::1], at any port."
        )
        raise Wrong(400, "redirect_uri_mismatch", text)
    return uri


def _challenge(given: dict[str, str]) -> tuple[str, str]:
    """RFC 7636 §4.3; without a method it is plain."""
    challenge, method = given.get("code_challenge", ""), given.get("code_challenge_method", "")
    if not challenge:
        if method:
            raise Wrong(400, "invalid_request", "code_challenge_method is given without code_challenge.")
        return "", ""
    method = method or "plain"
    if method not in _CHALLENGE:
        raise Wrong(400, "invalid_request", f"Invalid code_challenge_method: {method}")
    if not _CHALLENGE[method].match(challenge):
        raise Wrong(400, "invalid_request", f"Invalid code_challenge for the method {method}.")
    return challenge, method


def _scopes(text: str) -> tuple[str, ...]:
    """The scopes in full; who asks for an address or a name gets `openid` too, as at Google."""
    asked = text.split()
    invalid = [scope for scope in asked if not scopes.well_formed(scope)]
    if invalid or not asked:
        valid = [scope for scope in asked if scope not in invalid]
        text = f"Some requested scopes were invalid. {{valid=[{', '.join(valid)}], invalid=[{', '.join(invalid)}]}}"
        raise Wrong(400, "invalid_scope", text)
    found = list(dict.fromkeys(scopes.canonical(scope) for scope in asked))
    if {scopes.EMAIL, scopes.PROFILE} & set(found) and scopes.OPENID not in found:
        found.append(scopes.OPENID)
    return tuple(found)


def _provider(world: World, name: str) -> Provider:
    provider = world.federation.providers.get(name.removeprefix("//iam.googleapis.com/"))
    if provider is None or provider.disabled or not provider.workforce:
        raise Wrong(400, "invalid_target", f"There is no workforce pool provider {name}, or it is disabled.")
    return provider
