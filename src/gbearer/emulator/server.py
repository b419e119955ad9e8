"""The emulator's web application: which handler answers which host and path, faults, log and the Date header."""

import re
from email.utils import formatdate
from pathlib import Path

from aiohttp import web

from gbearer.emulator import control, faults, gdch, iam, info, keys, metadata, oauth, reauth, targets, universe
from gbearer.emulator.answers import Refusal, html_refusal, refused
from gbearer.emulator.grants import Grants
from gbearer.emulator.issued import Issued
from gbearer.emulator.kept import Secrets
from gbearer.emulator.log import Log
from gbearer.emulator.signin import authorize
from gbearer.emulator.state import Call, Handler, State, host_of
from gbearer.emulator.storage import api, xml
from gbearer.emulator.sts import caller as aws_caller
from gbearer.emulator.sts import exchange, handout, session
from gbearer.emulator.sts.pools import Federation
from gbearer.emulator.world import Clock, World

_MAX_BODY = 1024 * 1024  # of what is read as a whole; targets stream
_ACCOUNT = r"/v1/projects/([^/]+)/serviceAccounts/([^/]+)"
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = [
    (methods, re.compile(pattern + r"\Z"), handler)
    for methods, pattern, handler in (
        ("POST", "/(?:token|oauth2/v4/token|o/oauth2/token)", oauth.token),
        ("GET", "/o/oauth2/(?:v2/)?auth", authorize.authorize),
        ("GET POST", "/o/oauth2/v2/auth/account", authorize.account),
        ("POST", "/o/oauth2/v2/auth/consent", authorize.consent),
        ("POST", "/v2/sessions:start", reauth.start),
        ("POST", "/v2/sessions/([^/:]+):continue", reauth.carry_on),
        ("GET", "/authorize", authorize.workforce),
        ("GET", r"/(?:authcode|applicationdefaultauthcode)\.html", authorize.code_page),
        ("POST", "/v1/token", exchange.token),
        ("GET", "/subject-token/([a-z0-9-]+)", handout.subject_token),
        ("POST", "/v1/introspect", exchange.introspect),
        ("POST", "/v1/oauthtoken", session.oauth_token),
        ("POST", "/v1/revoke", session.revoke),
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
        ("POST", r"/v1/projects/([^/:]+):testIamPermissions", info.permissions),
        ("*", r"/(?:upload/|download/)?storage/v1(?:/.*)?", api.json_api),
        ("POST", gdch.PATH, gdch.authenticate),
        ("*", r"/gdch/([^/]+)", gdch.service),
        ("*", r"/v1/protected", targets.protected),
        ("*", r"/functions/([^/]+)(?:/.*)?", targets.function),
        ("*", r"/computeMetadata(?:/.*)?", metadata.metadata),
        ("GET", "/", metadata.root),
    )
]  # fmt: skip
_GOOGLE_ONLY = frozenset({"accounts", "oauth2", "openidconnect", "reauth", "www"})
_KNOWN_APIS = frozenset({"cloudresourcemanager", "iamcredentials", "sts"}) | _GOOGLE_ONLY
_ELSEWHERE = re.compile(r"/v1/(token|introspect|oauthtoken|projects/|locations/)")
_STORAGE_JSON = re.compile(r"/((upload|download)/)?storage/v1(/|\Z)")


def new_state(
    kept: Secrets,
    federation: Federation | None = None,
    aws_server: str = "",
    tokens: Path | None = None,
    grants: Path | None = None,
) -> State:
    """A fresh emulator with the keys of `kept`, the pools of `federation`, an AWS account, files of what it gave."""
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
    here, apis = universe.of(host), _apis(host)
    if here and universe.service(host).partition(".")[0] == "storage":
        return (api.json_api if _STORAGE_JSON.match(call.request.path) else xml.xml_api), ()
    if here == universe.OTHER and apis & _GOOGLE_ONLY:
        raise html_refusal(404, "Not Found", "The requested URL was not found on this server.")
    if not here or (apis & _KNOWN_APIS and (here == universe.GOOGLE or _ELSEWHERE.match(call.request.path))):
        found = _by_path(call)
        if found is not None:
            return found
    if here:
        return targets.api, ()
    raise targets.not_found(call)


def _by_path(call: Call) -> tuple[Handler, tuple[str, ...]] | None:
    """The handler for a path, None when there is none; Refusal when it takes other methods."""
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
        raise html_refusal(405, "Method Not Allowed", text, headers={"Allow": ", ".join(methods.split())})
    return None


def _apis(host: str) -> set[str]:
    """What the host of an API may be the name of; mtls, regional and private forms too."""
    labels = universe.service(host).split(".")
    return {part for label in labels for part in (label, label.partition("-")[0], label.rpartition("-")[2])}
