"""Subject tokens that lie somewhere: in a file, or behind a URL; as text, or in a field of a JSON document."""

import re
import time

from gbearer import claims, log
from gbearer.errors import BadCredentials, Error, Refused, Unreachable
from gbearer.sources.external import trust
from gbearer.sources.external.federation import SAML, remake

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.model import Ask
    from gbearer.sources.external.federation import Federation
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 §5.1
_VALUE = re.compile(r"[ -~]*")
_OURS = ("host", "content-length", "transfer-encoding", "connection")
_SLACK = 300.0
"""Seconds past its end after which a subject token is not even sent: this clock may be a little wrong."""


def from_file(found: "Federation", look: "Look") -> str:
    """The subject token in `credential_source.file`, read now; BadCredentials naming the file when there is none."""
    path = found.credential_source["file"]
    field = _format(found)
    if not isinstance(path, str) or not path:
        raise broken(found, "credential_source.file is no path")
    try:
        data = look.read(path)
    except BadCredentials as error:
        message = error.message.replace("the credential file", "the subject token file")
        raise BadCredentials(message, why=f"credential_source.file in {found.where} names it; {error.why}",
                             fix="check whoever writes it (a projected volume, an agent)") from None  # fmt: skip
    if data is None:
        raise BadCredentials(
            f"there is no subject token file {path}",
            why=f"credential_source.file in {found.where} names it",
            fix="check whoever writes it (a projected volume, an agent), or correct the path",
        )
    return read(data, field, found, path)


def at_url(found: "Federation", ask: "Ask") -> "Callable[[Transport], str]":
    """What gets the subject token from `credential_source.url`, after the check of that URL and of its headers."""
    url, headers = found.credential_source["url"], found.credential_source.get("headers") or {}
    field = _format(found)
    if not isinstance(url, str):
        raise broken(found, "credential_source.url is no text")
    place = trust.subject_url("credential_source.url", url, found.where, trust=ask.trust_config)
    sent = _headers(headers, found)

    def obtain(transport: "Transport") -> str:
        data = get(transport, url, sent, f"credential_source.url in {found.where}")
        return read(data, field, found, f"the answer of {place.origin}")

    return obtain


def get(transport: "Transport", url: str, headers: "dict[str, str]", named_by: str, hint: str = "") -> bytes:
    """What is served at the URL of a subject token; our errors say that it is this one, and who named it."""
    try:
        return transport.send("GET", url, headers=headers).data
    except Refused as refused:
        begins = log.redact(" ".join(refused.body[:400].decode("utf-8", "replace").split()))[:120]
        kind = Unreachable if refused.status >= 500 or refused.status in (408, 425, 429) else BadCredentials
        raise kind(
            f"no subject token: {_origin(url)} answered {refused.status}",
            why=f"{named_by} names it" + (f"; it says {begins!r}" if begins.isprintable() and begins else ""),
            fix=hint or "check that URL and its headers, and whether this machine may ask there",
        ) from refused
    except Error as error:
        raise type(error)(
            f"no subject token: {error.message}",
            why=f"{named_by} names it" + (f"; {error.why}" if error.why else ""),
            fix=hint or "check that URL, and that this is the machine the file was made for",
        ) from error


def read(data: bytes, field: str | None, found: "Federation", place: str) -> str:
    """The subject token in `data`: the whole text, or the `field` of a JSON object; white space around it goes."""
    if field is None:
        text = data.decode("utf-8", "replace").strip("\ufeff \t\r\n\0")
    else:
        text = _from_json(data, field, found, place).strip()
    if not text:
        raise BadCredentials(f"{place} holds no subject token", why="it is empty", fix="check whoever writes it")
    return checked(text, found, place)


def checked(token: str, found: "Federation", place: str) -> str:
    """The subject token, when it can be one of its type; BadCredentials when it cannot, or when it has ended."""
    if found.subject_type == SAML:
        return token
    if not token.isascii() or not token.isprintable() or " " in token:
        looks = "; it looks like JSON: is `format` missing in credential_source?" if token.startswith("{") else ""
        raise BadCredentials(
            f"what {place} holds is no token",
            why=f"it has characters that no token may have{looks}",
            fix="check whoever writes it, and the field `format`",
        )
    ends = claims.expiry(token)
    ago = time.time() - ends if ends is not None else 0.0
    if ago > _SLACK:
        raise BadCredentials(
            f"the subject token from {place} has ended {ago / 60:.0f} min ago",
            why="whoever issues it has not brought a new one; it was not sent",
            fix="check whoever writes it (a projected volume, an agent), and this machine's clock",
        )
    return token


def broken(found: "Federation", why: str) -> BadCredentials:
    """The error for a file with a credential_source that cannot be used."""
    info = {"credential_source": found.credential_source}
    return BadCredentials(f"{found.where} is no usable federation file", why=why, fix=remake(info))


def _format(found: "Federation") -> str | None:
    """The field of the JSON document that holds the token, None where the whole text is the token."""
    form = found.credential_source.get("format")
    if form is None:
        return None
    kind = form.get("type") if isinstance(form, dict) else form
    if kind in (None, "text") and isinstance(form, dict):
        return None
    name = form.get("subject_token_field_name") if isinstance(form, dict) else None
    if kind != "json":
        raise broken(found, f"credential_source.format.type is {str(kind)[:60]!r}, not text or json")
    if not isinstance(name, str) or not name:
        raise broken(found, "credential_source.format.subject_token_field_name is missing, and type is json")
    return name


def _headers(headers: object, found: "Federation") -> dict[str, str]:
    sent: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, dict) else ():
        good = isinstance(value, str) and _HEADER.fullmatch(name) and _VALUE.fullmatch(value)
        if not good or name.lower() in _OURS:
            raise broken(found, f"credential_source.headers has {name[:60]!r}, which cannot be sent")
        sent[name] = value
    if not isinstance(headers, dict):
        raise broken(found, "credential_source.headers is no object")
    return sent


def _from_json(data: bytes, field: str, found: "Federation", place: str) -> str:
    import json

    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    value = document.get(field) if isinstance(document, dict) else None
    if isinstance(value, str):
        return value
    has = (
        f"its fields are {', '.join(map(repr, list(document)[:8]))}" if isinstance(document, dict) else "it is no JSON"
    )
    if isinstance(document, dict) and field in document:
        has = f"{field} is no text"
    raise BadCredentials(
        f"{place} holds no subject token in the field {field!r}",
        why=f"{has}; credential_source.format in {found.where} names the field",
        fix="correct subject_token_field_name, or whoever writes the document",
    )


def _origin(url: str) -> str:
    from gbearer import endpoints

    return endpoints.parse(url).origin
