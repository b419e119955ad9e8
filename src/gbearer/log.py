"""Debug output on stderr that costs nothing when it is off, and never shows a secret."""

import sys

level = 0
"""0 silent, 1 what happens (`-v`), 2 every request (`-vv`)."""

_seen: set[str] = set()


def debug(text: str, at: int = 1) -> None:
    """Write one redacted line to stderr when the level is `at` or more."""
    if level >= at:
        sys.stderr.write(f"gbearer: {plain(redact(text))}\n")


def warn(text: str) -> None:
    """Write a warning to stderr, once a process for the same text."""
    if text not in _seen:
        _seen.add(text)
        sys.stderr.write(f"warning: {plain(redact(text))}\n")


def plain(text: str) -> str:
    """`text` without anything that a terminal would act on: escapes, other control characters, broken UTF-8."""
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


def redact(text: str) -> str:
    """`text` with everything that looks like a token, an assertion, a key or a secret blotted out.

    Known by their form: PEM keys, JWTs, Google's access tokens, refresh tokens, client secrets, API keys and sign-in
    codes, and what follows `Bearer` or `Basic`; known by their name: the values of fields, as in JSON, forms and
    variables. In doubt it is a secret, but for the words of plain sentences.
    """
    import re

    for form, instead in _FORMS:
        text = re.sub(form, instead, text)
    return text


_NAMES = (
    r"(?:access|id|refresh|subject|actor|oauth|session|security|auth|user)[_-]?tokens?|client_?secret|assertion|"
    r"signed_?(?:jwt|blob)|private_?key|code_?verifier|password|api_?key|secret_?access_?key|authorization_?code"
)
_FORMS = (
    (r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", "<key>"),
    (r"eyJ[\w-]{9,400}(\.[\w-]{9,})+", "<jwt>"),
    (r"((?<![A-Za-z])|(?<=%[0-9A-Fa-f]{2}))eyJ[\w-]+(\.[\w-]*)*", "<jwt>"),
    (r"ya29\.[\w.~+/-]+=*", "<token>"),
    (r"(?<![\w/])(1//|1%2[Ff]%2[Ff]|4/0|4%2[Ff]0|emulator-refresh-)[\w-]+", "<secret>"),
    (r"(GOCSPX-|emulator-secret-)[\w-]+|AIza[\w-]{30,}", "<secret>"),
    # a quoted value up to the closing quote, any other up to what ends a word
    (rf"(?i)((?:{_NAMES})\\*[\"']?\s*[:=]\s*b?\\*([\"']))(?:(?!\2)[^\\]|\\.)*", r"\1<secret>"),
    (rf"(?i)((?:{_NAMES})\\*[\"']?\s*[:=]\s*)(?!b?\\*[\"']|<)[^\s\"'&,;}}]+", r"\1<secret>"),
    (r"(?i)(authorization[\"']?\s*[:=]\s*b?[\"']?(?:bearer|basic)\s+)(?!<)[^\s\"',]+", r"\1<token>"),
    # elsewhere: not the sentence "a Bearer token is missing", nor the challenge `Bearer realm="..."`
    (r"(?i)\b((?:bearer|basic)(?:\s+|%20|\+))(?![a-z_]+=[\"']|[a-z]{1,14}(?![\w.~+/=-]))[\w.~+/-]+=*", r"\1<token>"),
)
