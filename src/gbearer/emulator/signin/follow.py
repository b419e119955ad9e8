"""Going through the sign-in pages as a person with a browser does, for tests: forms are read and sent, no script."""

import http.client
from collections.abc import Iterable
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from gbearer.emulator import scopes as scope_names

Pairs = list[tuple[str, str]]


class _Forms(HTMLParser):
    """The one form of a page: where it goes, its fields, its buttons; and the page's text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: Pairs = []
        self.boxes: Pairs = []
        self.buttons: Pairs = []
        self.text: list[str] = []
        self._skip = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form, a field or a button."""
        given = {name: value or "" for name, value in attrs}
        pair = (given.get("name", ""), given.get("value", ""))
        self._skip = tag in ("style", "title")
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "button":
            self.buttons.append(pair)
        elif tag == "input" and given.get("type") == "checkbox":
            self.boxes.append(pair)
        elif tag == "input":
            self.fields.append(pair)

    def handle_endtag(self, tag: str) -> None:
        """What follows is text again."""
        del tag
        self._skip = False

    def handle_data(self, data: str) -> None:
        """Keep what a person would read."""
        if data.strip() and not self._skip:
            self.text.append(data.strip())


def sign_in(emulator: str, url: str, account: str, decision: str, scopes: Iterable[str] | None) -> str:
    """Where the browser is sent at the end; `emulator` is dialled, whatever host `url` names. ValueError if refused."""
    where, status, page = _visit(emulator, url, None)
    if status == 302:
        return where
    forms = _read(status, page)
    if ("account", account) not in forms.buttons:
        known = ", ".join(value for name, value in forms.buttons if name == "account")
        raise ValueError(f"{account} cannot be chosen on the page; those who can: {known}")
    where, status, page = _visit(emulator, urljoin(url, forms.action), [*forms.fields, ("account", account)])
    if status == 302:
        return where
    forms = _read(status, page)
    ticked = forms.boxes
    if scopes is not None:
        wanted = {scope_names.expand(scope) for scope in scopes}
        strange = wanted - {value for _, value in [*forms.boxes, *forms.fields]}
        if strange:
            raise ValueError(f"the page does not ask for {', '.join(sorted(strange))}")
        ticked = [box for box in forms.boxes if box[1] in wanted]
    sent = [*forms.fields, *ticked, ("decision", decision)]
    where, status, page = _visit(emulator, urljoin(url, forms.action), sent)
    if status != 302:
        _read(status, page)
        raise ValueError(f"the last page answered {status} instead of leading back")
    return where


def _visit(emulator: str, url: str, form: Pairs | None) -> tuple[str, int, str]:
    """Where the answer leads, its status, and its text."""
    parts, own = urlsplit(url), urlsplit(emulator)
    connection = http.client.HTTPConnection(own.hostname or "", own.port, timeout=30)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc}
        if form is None:
            connection.request("GET", target, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", target, urlencode(form), headers)
        answer = connection.getresponse()
        return urljoin(url, answer.getheader("Location") or ""), answer.status, answer.read().decode()
    finally:
        connection.close()


def _read(status: int, page: str) -> _Forms:
    forms = _Forms(page)
    if status != 200:
        raise ValueError(f"{status}: {' '.join(forms.text[2:-1])}")  # without the brand and the foot
    return forms
