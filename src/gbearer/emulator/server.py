"""The emulator's web application: which handler answers which host and path, faults, log and the Date header."""

import re
from email.utils import formatdate
from pathlib import Path

from aiohttp import web

from gbearer.emulator import control, faults, iam, info, keys, metadata, oauth, targets
from gbearer.emulator.answers import Refusal, html_refusal, refused
from gbearer.emulator.grants import Grants
from gbearer.emulator.issued import Issued
from gbearer.emulator.kept import Secrets
from gbearer.emulator.log import Log
from gbearer.emulator.state import Call, Handler, State, host_of
from gbearer.emulator.sts import caller as aws_caller
from gbearer.emulator.sts import exchange, handout
from gbearer.emulator.sts.pools import Federation
from gbearer.emulator.world import Clock, World

_MAX_BODY = 1024 * 1024  # of what is read as a whole; targets stream
_ACCOUNT = r"/v1/projects/([^/]+)/serviceAccounts/([^/]+)"
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = [
    (methods, re.compile(pattern + r"\Z"), handler)
    for methods, pattern, handler in (
        ("POST", "/(?:token|oauth2/v4/token|o/oauth2/token)", oauth.token),
        ("POST", "/v1/token", exchange.token),
        ("GET", "/subject-token/([a-z0-9-]+)", handout.subject_token),
        ("POST", "/v1/introspect", exchange.introspect),
        ("POST", _ACCOUNT + r":([A-Za-z]+)", iam.method),
        ("GET", _ACCOUNT + r"/allowedLocations", iam.allowed_locations),
        ("GET", r"/v1/projects/[^/]+/locations/global/workloadIdentityPools/[^/]+/allowedLocations",
         iam.allowed_locations),
        ("GET", r"/v1/locations/global/workforcePools/[^/]+/allowedLocations", iam.allowed_locations),
        ("GET", "/oauth2/v1/certs", keys.google_certs),
        ("GET", "/oauth2/v3/certs", keys.google_jwks),
        ("GET", r"/service_accounts/v1/(?:metadata/)?(x509|raw|jwk)/([^/]+)", keys.account_keys),
        ("GET", r"/robot/v1/metadata/(x509|raw|jwk)/([^/]+)", keys.account_keys),
        ("GET", r"/\.well-known/openid-configuration", keys.discovery),
        ("GET POST", "/tokeninfo/?", info.tokeninfo),
        ("GET POST", "/oauth2/(v1|v2|v3)/tokeninfo/?", info.tokeninfo),
        ("GET POST", "/v1/userinfo", info.userinfo),
        ("GET POST", "/oauth2/(v1|v2|v3)/userinfo(?:/v2/me)?", info.userinfo),
        ("GET POST", "/(?:o/oauth2/)?revoke", info.revoke),
        ("GET", r"/v1/projects/([^/:]+)", info.project),
        ("*", r"/v1/protected", targets.protected),
        ("*", r"/functions/([^/]+)(?:/.*)?", targets.function),
        ("*", r"/computeMetadata(?:/.*)?", metadata.metadata),
        ("GET", "/", metadata.root),
    )
]  # fmt: skip
_KNOWN_APIS = frozenset({"cloudresourcemanager", "iamcredentials", "oauth2", "openidconnect", "sts", "www"})


def new_state(
    kept: Secrets,
    federation: Federation | None = None,
    aws_server: str = "",
    tokens: Path | None = None,
    grants: Path | None = None,
) -> State:
    """A fresh emulator with the keys of `kept`, the pools of `federation`, an AWS account, and files of what it gave."""
    world = World(kept, Clock(), federation, Grants(grants))
    return State(world, Issued(world, tokens), Log(), faults.Faults(), aws_server=aws_server)


def application(state: State) -> web.Application:
    """The application that serves `state`."""

    async def entry(request: web.Request) -> web.StreamResponse:
        if request.path.startswith(control.PREFIX):
            return await control.control(state, request)
        return await _serve(state, request)

    async def set_date(request: web.Request, response: web.StreamResponse) -> None:
        del request
        response.headers["Date"] = formatdate(state.world.clock.now(), usegmt=True)
        response.headers.setdefault("Server", "ESF")

    app = web.Application(client_max_size=_MAX_BODY)
    app.router.add_route("*", "/{tail:.*}", entry)
    app.on_response_prepare.append(set_date)
    return app


async def _serve(state: State, request: web.Request) -> web.StreamResponse:
    """Log the request, then answer it: by the fault that is due, or properly."""
    path, _, query = request.raw_path.partition("?")
    entry = state.log.start(request.method, host_of(request), path, query, state.world.clock.now())
    call = Call(request, entry)

    async def proper() -> web.StreamResponse:
        try:
            handler, call.args = route(call)
            return await handler(state, call)
        except Refusal as refusal:
            return refused(refusal)
        except web.HTTPRequestEntityTooLarge:
            return refused(html_refusal(413, "Payload Too Large", "Your client issued a request that was too large."))

    if state.faults.wants_form and request.content_type == oauth.FORM:
        entry.grant_type = (await oauth.read_form(call)).get("grant_type")
    fault = state.faults.take(entry)
    if fault is None:
        response = await proper()
    else:
        response = await faults.spoil(fault, state.faults.released, request, entry, proper)
    if response.status != faults.NO_ANSWER:
        entry.status = response.status
    return response


def route(call: Call) -> tuple[Handler, tuple[str, ...]]:
    """The handler for a call, by its Host header first: Google's hosts keep theirs when they are sent here."""
    host = call.host.partition(":")[0]
    if host.endswith(".cloudfunctions.net"):
        return targets.cloud_function, ()
    if host.endswith(".run.app"):
        return targets.cloud_run, ()
    if aws_caller.HOST.fullmatch(host):
        return aws_caller.identity, ()
    known = _is_known_api(host)
    if not host.endswith(".googleapis.com") or known:
        methods = ""
        for allowed, pattern, handler in _ROUTES:
            found = pattern.match(call.request.path)
            if found is None:
                continue
            if allowed == "*" or call.request.method in allowed.split():
                return handler, found.groups()
            methods = allowed
        if methods:
            text = f"The request method {call.request.method} is inappropriate for the URL."
            allow = {"Allow": ", ".join(methods.split())}
            raise html_refusal(405, "Method Not Allowed", text, headers=allow)
    if host.endswith(".googleapis.com"):
        return targets.api, ()
    raise targets.not_found(call)


def _is_known_api(host: str) -> bool:
    """Whether a `*.googleapis.com` host is one whose service is emulated; mtls, regional and private forms too."""
    labels = host.removesuffix(".googleapis.com").split(".")
    parts = {part for label in labels for part in (label, label.partition("-")[0], label.rpartition("-")[2])}
    return not parts.isdisjoint(_KNOWN_APIS)
