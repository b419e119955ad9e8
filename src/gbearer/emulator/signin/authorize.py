"""The authorization endpoint: from an application's request by account and consent to a code (RFC 6749 §4.1, OIDC)."""

from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gbearer.emulator import scopes
from gbearer.emulator.answers import NO_STORE, answer
from gbearer.emulator.issued import ISSUER
from gbearer.emulator.oauth import FORM
from gbearer.emulator.signin import pages, people, words
from gbearer.emulator.signin.asked import CODE_PAGE, Asked, Wrong, parse
from gbearer.emulator.signin.visits import CODE_LIFE, Code
from gbearer.emulator.state import Call, State
from gbearer.emulator.world import User


async def authorize(state: State, call: Call) -> web.StreamResponse:
    """`GET /o/oauth2/v2/auth`, `/o/oauth2/auth`: the accounts to choose from."""
    return _begin(state, call, workforce=False)


async def workforce(state: State, call: Call) -> web.StreamResponse:
    """`GET /authorize`: the same for a workforce pool, whose provider `provider_name` names."""
    return _begin(state, call, workforce=True)


def _begin(state: State, call: Call, *, workforce: bool) -> web.StreamResponse:
    try:
        asked = parse(state.world, call.raw_query, workforce=workforce)
    except Wrong as wrong:
        call.entry.details["error"] = wrong.error
        raise pages.refusal(wrong) from None
    call.entry.details |= {"client_id": asked.client_id, "scope": " ".join(asked.scopes)}
    if asked.silent:
        return _back(asked, {"error": "login_required"})
    return _accounts(state, state.visits.open(asked, state.world.clock.now()), asked)


async def account(state: State, call: Call) -> web.StreamResponse:
    """`POST /o/oauth2/v2/auth/account`: somebody was chosen; what the application wants. `GET`: choose again."""
    form = await _form(call)
    request, asked = _request(state, form)
    if call.request.method == "GET":
        return _accounts(state, request, asked)
    person = _person(state, call, form)
    if asked.provider is not None:
        people.identity(state.world, asked.provider, person)  # whom the provider's condition shuts out is told now
    return answer(pages.consent(request, asked, person), content_type="text/html", headers=_headers(asked))


async def consent(state: State, call: Call) -> web.StreamResponse:
    """`POST /o/oauth2/v2/auth/consent`: back to the application, with a code or with access_denied."""
    form = await _form(call)
    request, asked = _request(state, form)
    person = _person(state, call, form)
    decision = dict(form).get("decision")
    if decision not in ("allow", "deny"):
        raise pages.refusal(Wrong(400, "invalid_request", "Missing required parameter: decision"))
    ticked = {value for name, value in form if name == "scope"}
    granted = tuple(one for one in asked.scopes if one in ticked or one in words.IDENTITY)
    state.visits.close(request)
    call.entry.details |= {"decision": decision, "scope": " ".join(granted)}
    if decision == "deny" or not granted:
        return _back(asked, {"error": "access_denied"})
    now = state.world.clock.now()
    identity = people.identity(state.world, asked.provider, person) if asked.provider is not None else {}
    code = state.visits.issue(Code(asked, person.email, granted, now + CODE_LIFE, identity))
    if asked.provider is not None:
        return _back(asked, {"code": code})
    more = {"scope": " ".join(granted), "authuser": "0", "prompt": "consent"}
    if scopes.EMAIL in granted:
        more["hd"] = person.email.partition("@")[2]
    return _back(asked, {"iss": ISSUER, "code": code, **more})


async def code_page(state: State, call: Call) -> web.StreamResponse:
    """`GET /authcode.html`: the code, for somebody to copy; it stands for the page that Google has for gcloud."""
    del state
    given = dict(parse_qsl(call.raw_query))
    if "code" not in given:
        raise pages.refusal(Wrong(400, given.get("error", "invalid_request"), "There is no code: access was denied."))
    return answer(pages.code(given["code"]), content_type="text/html", headers=pages.headers())


def _accounts(state: State, request: str, asked: Asked) -> web.StreamResponse:
    body = pages.accounts(request, asked, state.world.users.values())
    return answer(body, content_type="text/html", headers=_headers(asked))


def _headers(asked: Asked) -> dict[str, str]:
    return pages.headers(asked.redirect_uri)


async def _form(call: Call) -> list[tuple[str, str]]:
    """The fields in their order, since scopes repeat; those of the query for a GET."""
    if call.request.method == "GET":
        return parse_qsl(call.raw_query)
    if call.request.content_type != FORM:
        return []
    return [(name, value) for name, value in (await call.request.post()).items() if isinstance(value, str)]


def _request(state: State, form: list[tuple[str, str]]) -> tuple[str, Asked]:
    name = dict(form).get("request", "")
    asked = state.visits.find(name, state.world.clock.now())
    if asked is None:
        text = "This sign-in is over, or was begun before the emulator was started anew. Begin again."
        raise pages.refusal(Wrong(400, "invalid_request", text))
    return name, asked


def _person(state: State, call: Call, form: list[tuple[str, str]]) -> User:
    email = dict(form).get("account", "")
    person = state.world.users.get(email)
    if person is None:
        raise pages.refusal(Wrong(400, "invalid_request", f"There is no account {email or 'without a name'} here."))
    call.entry.principal = email
    return person


def _back(asked: Asked, told: dict[str, str]) -> web.Response:
    """The redirect to the application, its state first; gcloud's code page is ours."""
    page = CODE_PAGE.match(asked.redirect_uri)
    uri = f"/{page[1]}" if page else asked.redirect_uri
    state = {"state": asked.state} if asked.state is not None else {}
    location = f"{uri}{'&' if '?' in uri else '?'}{urlencode({**state, **told})}"
    return web.Response(status=302, headers={**NO_STORE, "Location": location, "Referrer-Policy": "no-referrer"})
