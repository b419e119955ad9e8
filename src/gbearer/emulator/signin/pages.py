"""The pages that a browser sees while somebody signs in: plain HTML and one style sheet, no script, nothing fetched."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from pathlib import Path
from urllib.parse import quote, urlsplit

from gbearer.emulator import scopes
from gbearer.emulator.answers import NO_STORE, Refusal
from gbearer.emulator.signin import words
from gbearer.emulator.signin.asked import LOOPBACK, Asked, Wrong
from gbearer.emulator.world import User

ACCOUNT, CONSENT = "/o/oauth2/v2/auth/account", "/o/oauth2/v2/auth/consent"
_STYLE = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_LOGO = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true"><circle cx="8" cy="12" r="4.5"/><path d="M12.5 12H22m-4 0v4m-3-4v2.5"/>'
    "</svg>"
)
_TICK = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" '
    'stroke-linejoin="round" aria-hidden="true"><path d="m5 12.5 4.5 4.5L19 7.5"/></svg>'
)
_FOOT = (
    "This is the gbearer emulator, standing in for Google on this machine. "
    "No real account is involved, and nothing leaves this computer."
)


def headers(redirect_uri: str = "") -> dict[str, str]:
    """What every page is sent with; its form may lead to us and to `redirect_uri`, and nowhere else."""
    policy = (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self'{_origin(redirect_uri)}"
    )
    return {
        **NO_STORE,
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def _origin(uri: str) -> str:
    """The origin for form-action, which holds for the redirect after a form too; it cannot name an IPv6 address."""
    if not LOOPBACK.match(uri):
        return ""
    parts = urlsplit(uri)
    return " http:" if "[" in parts.netloc else f" {parts.scheme}://{parts.netloc}"


def accounts(request: str, asked: Asked, people: Iterable[User]) -> bytes:
    """Whom to sign in as; the hinted person stands first."""
    hinted = asked.hint.lower()
    rows = "".join(
        f'<li><button name="account" value="{escape(one.email)}">'
        f"{_face(one.name)}<span class=who><b>{escape(one.name)}</b><span>{escape(one.email)}</span></span>"
        f"{'<i>suggested</i>' if one.email == hinted else ''}</button></li>"
        for one in sorted(people, key=lambda one: one.email != hinted)
    )
    if asked.provider is not None:
        title, place = f"Sign in at {asked.provider.name}", f"for the pool {asked.provider.pool.split('/')[-1]}, "
    else:
        title, place = "Choose an account", ""
    return _page(
        title,
        f"<h1>{escape(title)}</h1><p class=lead>{escape(place)}to continue to "
        f"<strong>{escape(words.client(asked.client_id))}</strong></p>"
        f'<form method="post" action="{ACCOUNT}"><input type="hidden" name="request" value="{escape(request)}">'
        f'<ul class="people">{rows}</ul></form>',
    )


def consent(request: str, asked: Asked, person: User) -> bytes:
    """What the application wants; all of it is ticked, and may be unticked, but for the scopes of signing in."""
    fixed = [scope for scope in asked.scopes if scope in words.IDENTITY]
    free = [scope for scope in asked.scopes if scope not in words.IDENTITY]
    name = escape(words.client(asked.client_id))
    rows = "".join(
        f'<li><div class="fixed">{_TICK}<span>{escape(words.scope(scope))}</span></div>'
        f'<input type="hidden" name="scope" value="{escape(scope)}"></li>'
        for scope in fixed
    )
    rows += "".join(
        f'<li><label><input type="checkbox" name="scope" value="{escape(scope)}" checked><span>'
        f"{escape(words.scope(scope))}<code>{escape(scope.removeprefix(scopes.PREFIX))}</code></span></label></li>"
        for scope in free
    )
    change = f"{ACCOUNT}?request={quote(request, safe='')}"
    return _page(
        f"Allow {words.client(asked.client_id)}?",
        f"<h1>{name[:1].upper()}{name[1:]} wants access</h1>"
        f'<div class="chip">{_face(person.name)}<span class=who><b>{escape(person.name)}</b>'
        f'<span>{escape(person.email)}</span></span><a href="{escape(change)}">Change</a></div>'
        f'<form method="post" action="{CONSENT}"><input type="hidden" name="request" value="{escape(request)}">'
        f'<input type="hidden" name="account" value="{escape(person.email)}">'
        f'<h2>It will be able to</h2><ul class="scopes">{rows}</ul>'
        '<div class="buttons"><button name="decision" value="deny">Cancel</button>'
        '<button class="yes" name="decision" value="allow">Allow</button></div></form>'
        f"<p class=fine>It is the client<code>{escape(asked.client_id)}</code></p>"
        f"<p class=fine>You will be sent back to<code>{escape(asked.redirect_uri)}</code></p>",
    )


def code(value: str) -> bytes:
    """A code to be copied, where the application could not be reached by a redirect."""
    return _page(
        "Copy this code",
        "<h1>Copy this code</h1><p class=lead>and paste it where you were asked for it. It is good for ten minutes, "
        f'and once.</p><div class="code"><code>{escape(value)}</code></div>',
    )


def refusal(wrong: Wrong) -> Refusal:
    """The page for a request that cannot be sent back to the application."""
    title = "Authorization error" if wrong.status == 401 else "This app's request is invalid"
    body = _page(
        f"Error {wrong.status}: {wrong.error}",
        f"<h1>Access blocked: {title}</h1><p class=lead>You cannot sign in, because the application has sent a request "
        f'that is refused. This is for its developer:</p><div class="fault"><b>Error {wrong.status}: '
        f"{escape(wrong.error)}</b>{escape(wrong.text)}</div>",
    )
    return Refusal(wrong.status, body, "text/html", headers())


def _face(name: str) -> str:
    letters = "".join(word[0] for word in name.split()[:2])
    return f'<span class="face" aria-hidden="true">{escape(letters)}</span>'


def _page(title: str, inner: str) -> bytes:
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)} · gbearer emulator</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<div class="brand">{_LOGO}gbearer emulator<small>local</small></div>\n<div class="inner">{inner}</div>\n'
        f"</main>\n<footer>{_FOOT}</footer>\n</body>\n</html>\n"
    )
    return page.encode()
