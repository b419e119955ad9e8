"""A credential file, or the JSON itself: read, recognised by its `type`, and handed to the file for that kind."""

import binascii
import os
import re
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer.errors import BadCredentials
from gbearer.sources import external, gdch, impersonated, key, user, wellknown, workforce

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.sources.source import Source

_KINDS = {
    "service_account": key.load,
    "authorized_user": user.load,
    "impersonated_service_account": impersonated.load,
    "external_account": external.load,
    "external_account_authorized_user": workforce.load,
    gdch.KIND: gdch.load,
}
_WORDS = {
    "service_account": "service account key",
    "authorized_user": "user credential",
    "impersonated_service_account": "impersonation file",
    "external_account": "federation",
    "external_account_authorized_user": "workforce login",
    gdch.KIND: "service identity of a Distributed Cloud",
}
_LONGEST_PATH = 200
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")


def inline(text: str) -> bytes | None:
    """The JSON that `text` is, itself or in base64; None when it is a path."""
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return text.encode("utf-8", "surrogateescape")
    packed = b"".join(os.fsencode(text).split())
    if not _BASE64.fullmatch(packed):
        return None
    try:
        data = binascii.a2b_base64(packed.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return None
    begins, ends = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"), data.rstrip().endswith(b"}")
    # `e2e/fixtures/some-key` is base64 for something that begins with a brace as well
    return data if begins and (ends or len(packed) > _LONGEST_PATH) else None


def named(text: str, option: str, ask: "Ask", look: "Look") -> "Source":
    """The credential that `option` names: a path (`~` is the home folder), the JSON itself, or its base64.

    BadCredentials when there is no such file or it cannot be used. What was given inline is
    never remembered.
    """
    data = inline(text)
    if data is not None:
        look.remember = False
        source = load(data, f"the JSON in {option}", ask, look)
    else:
        source = at(_path(text, look), option, ask, look)
    source.name = "file"
    return source


def document(text: str, option: str, look: "Look") -> tuple[dict[str, object], str]:
    """(what the file says, where it is) for what `option` names as in `named`, whatever its type."""
    data, where = inline(text), f"the JSON in {option}"
    if data is None:
        where = _path(text, look)
        data = _read(where, option, look)
    return _parse(data, where), where


def _path(text: str, look: "Look") -> str:
    return os.path.join(wellknown.home(look), text[2:]) if text.startswith("~/") else text


def at(path: str, option: str, ask: "Ask", look: "Look") -> "Source":
    """The credential in the file at `path`; BadCredentials, naming `option`, when it is not there."""
    return load(_read(path, option, look), path, ask, look)


def _read(path: str, option: str, look: "Look") -> bytes:
    data = look.read(path)
    if data is None:
        shown = path if len(path) <= 300 else f"{path[:40]}..."  # what is longer may be a secret in the wrong place
        look.absent(option, f"no file at {shown}")
        raise BadCredentials(
            f"there is no file {shown}",
            why=f"{option} names it" + _relative(path),
            fix=f"correct {option}, or drop it and run `gcloud auth application-default login`",
        )
    return data


def _relative(path: str) -> str:
    return "" if os.path.isabs(path) else ", as a path from the current folder"


def load(data: bytes, where: str, ask: "Ask", look: "Look") -> "Source":
    """The credential in `data`; BadCredentials saying what the file is when it is none that can be used."""
    info = _parse(data, where)
    kind = info.get("type")
    loader = _KINDS.get(kind) if isinstance(kind, str) else None
    if loader is None:
        raise _unknown(info, kind, where)
    source = loader(info, where, ask, look)
    source.where = where
    if kind != "external_account":  # whose subject token that is, the file alone does not say
        source.fingerprint = blake2b(data, digest_size=32).hexdigest()
    return source


def describe(source: "Source") -> str:
    """What was found, in words for the chain: the kind, and whose it is."""
    words = _WORDS[source.kind] + (f" of {source.principal}" if source.principal else "")
    return f"{words}, acting as {source.impersonate[-1]}" if source.impersonate else words


def _parse(data: bytes, where: str) -> dict[str, object]:
    import json

    try:
        info = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadCredentials(
            f"{where} is not JSON",
            why=_guess(data, error),
            fix="name the JSON file that Google gave out, whole and unchanged",
        ) from None
    if isinstance(info, dict):
        return info
    name = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}
    raise BadCredentials(
        f"{where} holds {name.get(type(info), 'null')}, not a credential",
        why="a credential file is one JSON object",
        fix="if it is a list of keys, save one of them to a file of its own",
    )


def _guess(data: bytes, error: Exception) -> str:
    head = data.lstrip()[:64]
    if head.startswith(b"-----BEGIN"):
        return "it is a bare PEM key; the JSON file also says whose key it is"
    if head.startswith((b"0\x82", b"\x30\x80")):
        return "it is a P12 or DER file; Google gives out the same key as JSON"
    if head.startswith((b"<", b"\xef\xbb\xbf<")):
        return "it is an HTML page, perhaps a login page that was saved instead"
    if data.strip(b"\0") == b"":
        return "it holds nothing but zero bytes: a write was cut short"
    if isinstance(error, UnicodeDecodeError):
        return "it is no text"
    place = getattr(error, "lineno", 0)
    return f"it breaks off or goes wrong at line {place}" if place else "it is nested too deeply or damaged"


def _unknown(info: dict[str, object], kind: object, where: str) -> BadCredentials:
    fix = "use a service account key, `gcloud auth application-default login`, or an impersonation file"
    client = next((name for name in ("installed", "web") if isinstance(info.get(name), dict)), None)
    if client:
        return BadCredentials(
            f"{where} is an OAuth client file ({client!r}), not a credential",
            why="it names an application; nobody has signed in with it",
            fix="sign in with it: `gbearer login --client-file FILE`, or use a key",
        )
    if kind is None:
        raw = "access_token" in info
        why = "it has no `type`" + ("; it looks like a token endpoint's answer" if raw else "")
    elif isinstance(kind, str):
        why = f"its type is {kind[:60]!r}" if kind else "its type is empty"
    else:
        why = "its type is no text"
    if kind == "external_account_authorized_user_login_config":
        why, fix = f"{why}: it says where to sign in", f"sign in: `gbearer login --login-config {where}`"
    known = ", ".join(_KINDS)
    return BadCredentials(f"{where} is no credential file that is known", why=f"{why}; known are {known}", fix=fix)
