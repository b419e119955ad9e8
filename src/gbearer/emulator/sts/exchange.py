"""`POST /v1/token`: a subject token of a pool's provider, or an access token, becomes an access token (RFC 8693)."""

import binascii
import json
import re
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web

from gbearer.emulator import scopes, universe
from gbearer.emulator.answers import NO_STORE, Refusal, json_answer, oauth_refusal
from gbearer.emulator.issued import HOUR
from gbearer.emulator.oauth import FORM, Form, read_form
from gbearer.emulator.state import Call, State
from gbearer.emulator.sts import aws, boundary, mapping, oidc, options, saml, x509
from gbearer.emulator.sts.pools import HOST, Provider
from gbearer.emulator.world import GCLOUD_CLIENT

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN = f"{TOKEN_TYPE}access_token"
AWS = "urn:ietf:params:aws:token-type:aws4_request"
_KIND = {
    f"{TOKEN_TYPE}jwt": "oidc",
    f"{TOKEN_TYPE}id_token": "oidc",
    f"{TOKEN_TYPE}saml2": "saml",
    f"{TOKEN_TYPE}mtls": "x509",
    AWS: "aws",
}
_AUDIENCE = re.compile(
    r"//iam\.googleapis\.com/(?:projects/\d+/locations/global/workloadIdentityPools|locations/global/workforcePools)"
    r"/[a-z0-9-]+/providers/[a-z0-9-]+\Z"
)
_SNAKE = re.compile(r"(?<=[a-z])([A-Z])")


async def token(state: State, call: Call) -> web.StreamResponse:
    """Answer an exchange, form or JSON; success and refusal are never to be stored."""
    form = await _fields(call)
    call.entry.grant_type = form.get("grant_type", "")
    if call.entry.grant_type != GRANT:
        raise oauth_refusal("unsupported_grant_type", f"Invalid grant_type: {call.entry.grant_type}")
    for name in ("requested_token_type", "subject_token", "subject_token_type"):
        if not form.get(name):
            raise oauth_refusal("invalid_request", f"Missing required parameter: {name}")
    if form["requested_token_type"] != ACCESS_TOKEN:
        raise oauth_refusal("invalid_request", f"Invalid requested_token_type: {form['requested_token_type']}")
    client_id = client(state, call)
    given = options.parsed(form.get("options", ""))
    if form["subject_token_type"] == ACCESS_TOKEN:
        return _answer(boundary.token(state, call, form, given))
    provider = _provider(state, call, form)
    _check_options(call, provider, given, client_id)
    wanted = tuple(form.get("scope", "").split())
    if not wanted:
        raise oauth_refusal("invalid_request", "Missing required parameter: scope")
    if not all(scopes.well_formed(one) for one in wanted):
        raise oauth_refusal("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
    call.entry.details["scope"] = " ".join(wanted)
    assertion = await _verified(state, call, provider, form["subject_token"].strip())
    attributes = mapping.mapped(provider.mapping, provider.condition, assertion)
    principal, members = provider.members(attributes)
    call.entry.principal = principal
    here = universe.of(call.host) or universe.GOOGLE
    value, _ = state.issued.for_federated(principal, attributes["google.subject"], members, wanted, client_id, here)
    return _answer(value, HOUR - 1)


def _answer(value: str, lifetime: int | None = None) -> web.StreamResponse:
    """The new token; for an access token Google's answer says no `expires_in`: the end is that of the subject."""
    answer: dict[str, object] = {"access_token": value, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer"}
    return json_answer(answer if lifetime is None else {**answer, "expires_in": lifetime}, headers=NO_STORE)


async def _fields(call: Call) -> Form:
    """The parameters, with the names of the form; JSON has them in camel case."""
    if call.request.content_type == FORM:
        return await read_form(call)
    try:
        given = json.loads(await call.request.read() or b"{}")
    except ValueError:
        raise oauth_refusal("invalid_request", "Invalid JSON payload received.") from None
    if not isinstance(given, dict):
        raise oauth_refusal("invalid_request", "Invalid JSON payload received.")
    return {_SNAKE.sub(r"_\1", name).lower(): value for name, value in given.items() if isinstance(value, str)}


def _provider(state: State, call: Call, form: Form) -> Provider:
    audience = form.get("audience", "")
    if not _AUDIENCE.match(audience):
        raise oauth_refusal(
            "invalid_request",
            'Invalid value for "audience". This value should be the full resource name of the Identity Provider. See '
            "https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats.",
        )
    call.entry.details["provider"] = audience.removeprefix(HOST)
    provider = state.world.federation.providers.get(audience.removeprefix(HOST))
    if provider is None or provider.disabled:
        raise oauth_refusal(
            "invalid_target",
            'The target service indicated by the "audience" parameters is invalid. This might either be because the '
            "pool or provider is disabled or deleted or because it doesn't exist.",
        )
    kind = _KIND.get(form["subject_token_type"])
    if kind != provider.kind:
        text = f"Invalid subject_token_type {form['subject_token_type']} for this provider."
        raise oauth_refusal("invalid_request", text)
    return provider


def _check_options(call: Call, provider: Provider, given: options.Options, client_id: str) -> None:
    if not given and provider.workforce and not client_id:
        text = "Workforce pools need options.userProject where no OAuth client authenticates."
        raise oauth_refusal("invalid_request", text)
    if "accessBoundary" in given:
        raise options.refused("options", "accessBoundary needs a subject token of type access_token.")
    options.check_project(call, given)


async def _verified(state: State, call: Call, provider: Provider, subject: str) -> dict[str, Any]:
    world = state.world
    if provider.kind == "aws":
        return await aws.verified(provider, subject, world.aws_key, state.aws_server, world.clock.now())
    if provider.kind == "saml":
        return saml.verified(world, provider, subject)
    if provider.kind == "x509":
        tls = call.request.get_extra_info("ssl_object")
        call.entry.details["mtls"] = tls is not None
        return x509.verified(world, provider, subject, tls.getpeercert(binary_form=True) if tls else None)
    return await oidc.verified(world, provider, subject)


def client(state: State, call: Call) -> str:
    """The id of the OAuth client that authenticates by Basic (RFC 6749 §2.3.1); empty when none does."""
    scheme, _, encoded = call.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        name, _, word = b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _unknown_client() from None
    name, word = unquote_plus(name), unquote_plus(word)
    if {**state.world.clients, **dict([GCLOUD_CLIENT])}.get(name) != word:
        raise _unknown_client()
    return name


def _unknown_client() -> Refusal:
    return oauth_refusal("invalid_client", "The OAuth client was not found, or its secret is wrong.", status=401)


async def introspect(state: State, call: Call) -> web.StreamResponse:
    """`POST /v1/introspect` (RFC 7662), for an authenticated client: what gcloud asks before it stores an account."""
    form = await _fields(call)
    client_id = client(state, call)
    if not client_id:
        raise oauth_refusal("invalid_client", "Client authentication is required.", status=401)
    if form.get("token_type_hint", ACCESS_TOKEN).removeprefix(TOKEN_TYPE) != "access_token":
        raise oauth_refusal("invalid_request", "Invalid token_type_hint.")
    found = state.issued.find(form.get("token", ""))
    access = found.access
    if found.state != "good" or access is None or not access.federated or access.boundary:
        return json_answer({"active": False}, headers=NO_STORE)
    call.entry.principal = access.email
    answer = {
        "active": True,
        "client_id": access.azp or client_id,
        "exp": int(access.expires_at),
        "iat": int(access.expires_at) - HOUR,
        "iss": "https://sts.googleapis.com/",
        "scope": " ".join(access.scopes),
        "sub": access.unique_id,
        "username": access.email,
    }
    return json_answer(answer, headers=NO_STORE)
