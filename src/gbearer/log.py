"""Debug output on stderr that costs nothing when it is off, and never shows a secret."""

import sys

level = 0
"""0 silent, 1 what happens (`-v`), 2 every request (`-vv`)."""

_seen: set[str] = set()


def debug(text: str, at: int = 1) -> None:
    """Write one redacted line to stderr when the level is `at` or more."""
    if level >= at:
        sys.stderr.write(f"gbearer: {redact(text)}\n")


def warn(text: str) -> None:
    """Write a warning to stderr, once a process for the same text."""
    if text not in _seen:
        _seen.add(text)
        sys.stderr.write(f"warning: {redact(text)}\n")


def redact(text: str) -> str:
    """`text` with everything that looks like a token, an assertion, a key or a secret blotted out."""
    import re

    text = re.sub(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", "<key>", text)
    text = re.sub(r"\beyJ[\w-]+\.[\w-]*(\.[\w-]*)?", "<jwt>", text)
    text = re.sub(r"\bya29\.[\w.~+/-]+=*", "<token>", text)
    text = re.sub(r"(?<![\w/])(1//|emulator-refresh-|GOCSPX-)[\w-]+", "<secret>", text)
    text = re.sub(r"(?i)\b((?:Bearer|Basic)\s+)[^\s\"',]+", r"\1<token>", text)
    names = "access_token|id_token|refresh_token|client_secret|assertion|subject_token|private_key|code_verifier"
    return re.sub(rf"(?i)\b({names})(\"?\s*[:=]\s*\"?)[^\s\"&,}}]+", r"\1\2<secret>", text)
