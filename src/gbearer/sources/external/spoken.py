"""Whom a subject token speaks of, read from it without verifying: that is for Google to do."""

import re
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import claims
from gbearer.sources.external.identity import LONGEST_SUBJECT, Identity

_CHANGING = frozenset({"iat", "exp", "nbf", "jti", "auth_time", "uti", "rh", "aio"})
"""Claims that differ between two tokens of the same identity; the last three are Azure's."""
_NAME_ID = re.compile(rb"<(?:[A-Za-z0-9]+:)?NameID(?:\s[^>]*)?>\s*([^<]{1,500}?)\s*<")
_ISSUER = re.compile(rb"<(?:[A-Za-z0-9]+:)?Issuer(?:\s[^>]*)?>\s*([^<]{1,500}?)\s*<")
_GROUPS = {
    "https://token.actions.githubusercontent.com": ("repository", "repository_owner"),
    "https://gitlab.com": ("project_path", "namespace_path"),
}
"""The attributes that Google's own guides map for these issuers, narrow ones first."""


def pin(token: str) -> str:
    """A digest of what makes this subject token another identity's than the next: not its times, nor its signature."""
    told = claims.claims(token)
    if told:
        text = repr(sorted((name, repr(value)) for name, value in told.items() if name not in _CHANGING))
    else:
        text = token
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=32).hexdigest()


def of_jwt(token: str) -> Identity:
    """Issuer, subject and audience of an OIDC token; all unknown when it is none."""
    told = claims.claims(token)
    subject, issuer = _text(told.get("sub")), _text(told.get("iss"))
    names = _GROUPS.get(issuer, ())
    groups = tuple((name, _text(told.get(name))) for name in names if _text(told.get(name)))
    audience = told.get("aud")
    shown = ", ".join(map(_text, audience)) if isinstance(audience, list) else _text(audience)
    rows = (("issuer", issuer), ("subject", with_length(subject)), ("audience", shown))
    return Identity(subject, tuple((label, text) for label, text in rows if text), groups)


def of_saml(token: str) -> Identity:
    """Issuer and subject (NameID) of a SAML response in base64, as the text between their tags."""
    import binascii

    try:
        document = binascii.a2b_base64(re.sub(r"\s", "", token).replace("-", "+").replace("_", "/"))
    except (ValueError, UnicodeError):  # binascii.Error is a ValueError
        return Identity("")
    texts = []
    for form in (_ISSUER, _NAME_ID):
        found = form.search(document)
        texts.append(_text(found[1].decode("utf-8", "replace")) if found else "")
    rows = (("issuer", texts[0]), ("subject", with_length(texts[1])))
    return Identity(texts[1], tuple((label, text) for label, text in rows if text))


def with_length(subject: str) -> str:
    """A subject, and how much of Google's limit it takes."""
    if not subject:
        return ""
    length = Identity(subject).length
    return f"{subject} ({length} of {LONGEST_SUBJECT} bytes)"


def _text(value: object) -> str:
    """A claim as text on one line, "" when it is none."""
    return " ".join(value.split())[:500] if isinstance(value, str) and value.isprintable() else ""
