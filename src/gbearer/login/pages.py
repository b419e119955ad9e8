"""The page that the browser ends on: one document without scripts or outside parts, light and dark, no secret in it."""

import html
from base64 import b64encode
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gbearer.errors import Error

    Headers = tuple[tuple[str, str], ...]

_STYLE = """
:root { --page: #f3f5f8; --card: #ffffff; --line: #dfe3ea; --text: #1a2230; --soft: #5a6678; --code: #f3f5f8;
  --good: #12805c; --good-bg: #e3f5ee; --bad: #b3261e; --bad-bg: #fdecea; --mark: #3154d4; --warn: #7a4d00;
  --warn-bg: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --page: #10141b; --card: #191f29; --line: #2c3543; --text: #e8ecf3; --soft: #9aa7ba; --code: #10141b;
    --good: #5fd3a8; --good-bg: #15352b; --bad: #ff9a91; --bad-bg: #40201f; --mark: #8ea6ff; --warn: #ffd486;
    --warn-bg: #3a2d12; } }
* { box-sizing: border-box; margin: 0; }
body { min-height: 100vh; padding: 24px; background: var(--page); color: var(--text); display: flex;
  flex-direction: column; align-items: center; justify-content: center;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
main { width: 100%; max-width: 480px; padding: 36px 36px 32px; background: var(--card); border: 1px solid var(--line);
  border-radius: 16px; box-shadow: 0 1px 2px rgb(0 0 0 / 6%), 0 12px 32px rgb(0 0 0 / 8%); }
.brand { display: flex; align-items: center; gap: 9px; font-weight: 650; letter-spacing: -.01em; }
.brand svg { width: 22px; height: 22px; color: var(--mark); }
.brand span { margin-left: auto; padding: 2px 10px; border-radius: 99px; font-size: 12.5px; font-weight: 600;
  letter-spacing: 0; color: var(--warn); background: var(--warn-bg); }
.sign { width: 56px; height: 56px; margin: 30px 0 18px; padding: 14px; border-radius: 50%; }
.sign svg { display: block; width: 28px; height: 28px; }
.good .sign { color: var(--good); background: var(--good-bg); }
.bad .sign { color: var(--bad); background: var(--bad-bg); }
h1 { font-size: 24px; line-height: 1.25; letter-spacing: -.02em; font-weight: 650; overflow-wrap: anywhere;
  text-wrap: balance; }
p, footer { text-wrap: pretty; }
p { margin-top: 10px; color: var(--soft); overflow-wrap: anywhere; }
dl { margin-top: 22px; border-top: 1px solid var(--line); }
dl div { display: flex; gap: 16px; padding: 11px 0; border-bottom: 1px solid var(--line); font-size: 14.5px; }
dt { flex: 0 0 92px; color: var(--soft); }
dd { min-width: 0; overflow-wrap: anywhere; }
.next { margin-top: 20px; padding: 13px 16px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--code); color: var(--text); font-size: 15px; white-space: pre-line; }
.next b { display: block; font-size: 13px; font-weight: 600; color: var(--soft); }
footer { margin-top: 20px; font-size: 14px; color: var(--soft); text-align: center; }
@media (max-width: 520px) { main { padding: 26px 22px; } }
@media (forced-colors: active) { main, .sign { border: 1px solid; } }
"""
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_NONE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", f"{_NONE}; style-src 'sha256-{_HASH}'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)
"""What goes with every page: nothing is loaded, run, framed, sent on or kept."""
_LINE = 'fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"'
_SVG = f'<svg viewBox="0 0 24 24" aria-hidden="true" {_LINE}>'
_BRAND = f'{_SVG}<circle cx="8" cy="12" r="5"/><path d="M13 12h9M18 12v4"/></svg>'
_GOOD = f'{_SVG}<path d="M5 12.5l4.6 4.6L19.5 7"/></svg>'
_BAD = f'{_SVG}<path d="M12 4.5v9M12 18.6v.2"/></svg>'


class Page:
    """A page to answer with: its HTTP status, its text and its headers."""

    __slots__ = ("data", "headers", "status")

    def __init__(self, status: int, data: bytes, headers: "Headers" = HEADERS) -> None:
        self.status = status
        self.data = data
        self.headers = headers


def success(account: str, scopes: "Iterable[str]", emulator: bool) -> Page:
    """Signed in, and as whom."""
    names = (scope.rpartition("/auth/")[2] or scope for scope in scopes)
    short = ", ".join(name.removeprefix("userinfo.") for name in names if name != "openid")
    rows = [("Account", account), ("May use", short)]
    facts = "".join(f"<div><dt>{name}</dt><dd>{html.escape(value)}</dd></div>" for name, value in rows if value)
    body = f"<p>gbearer on this machine can now get tokens for you.</p><dl>{facts}</dl>"
    return _page(200, "You are signed in", body, emulator=emulator)


def failure(error: "Error", emulator: bool) -> Page:
    """Not signed in: the same three things that the terminal says."""
    body = f"<p>{html.escape(_sentence(error.why))}</p>" if error.why else ""
    body += f'<p class="next"><b>What to do</b>{html.escape(_begun(error.fix))}</p>' if error.fix else ""
    return _page(400, _sentence(error.message).rstrip("."), body, good=False, emulator=emulator)


def stray(emulator: bool) -> Page:
    """An answer to another sign-in than the one that is waited for."""
    text = (
        "This answer belongs to another sign-in, an older tab perhaps, and was not used. The one that is open still "
        "waits: go back to its tab, or run gbearer login again."
    )
    return _page(400, "This is not the sign-in that was begun", f"<p>{text}</p>", good=False, emulator=emulator)


def over(emulator: bool) -> Page:
    """A second answer to a sign-in that has had its first."""
    text = "This sign-in has been answered already. What came of it stands in the terminal."
    return _page(400, "Nothing more to do here", f"<p>{text}</p>", good=False, emulator=emulator)


def elsewhere(path: str) -> Page:
    """Where the last page is (RFC 9110 §15.4.4): the code and the state stay in no address bar."""
    return Page(303, b"", (("Location", path), *HEADERS[1:]))


def _sentence(text: str) -> str:
    return _begun(text) + ("" if text.endswith((".", ")")) else ".")


def _begun(text: str) -> str:
    """`text` as a sentence begins, unless it begins with a command, an address or another name."""
    first = text.split(" ", 1)[0].rstrip(",;:.")
    return text if first == "gbearer" or not first.isalpha() else f"{text[:1].upper()}{text[1:]}"


def _page(status: int, title: str, body: str, *, good: bool = True, emulator: bool = False) -> Page:
    tag = "<span>emulator</span>" if emulator else ""
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)} · gbearer</title>
<style>{_STYLE}</style>
</head>
<body>
<main class="{"good" if good else "bad"}">
<div class="brand">{_BRAND}gbearer{tag}</div>
<div class="sign">{_GOOD if good else _BAD}</div>
<h1>{html.escape(title)}</h1>
{body}
</main>
<footer>You can close this tab and go back to the terminal.</footer>
</body>
</html>
"""
    return Page(status, text.encode())
