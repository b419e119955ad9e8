"""The claims inside a JWT, read and not verified: it came from the server that was asked, over a verified channel."""

import binascii
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PRINCIPAL = re.compile(r"[A-Za-z0-9._%+@:/\[\]-]{1,256}")


def claims(token: str) -> "Mapping[str, object]":
    """The payload of a JWT (RFC 7519 §7.2); empty when `token` is none."""
    import json

    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        text = parts[1].replace("-", "+").replace("_", "/")
        payload = json.loads(binascii.a2b_base64(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):  # binascii.Error is a ValueError
        return {}
    return payload if isinstance(payload, dict) else {}


def expiry(token: str) -> float | None:
    """When a JWT ends (Unix time), None where it does not say."""
    value = claims(token).get("exp")
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def principal(value: object) -> str:
    """`value` as whose token it is, "" when it cannot be a principal."""
    return value if isinstance(value, str) and _PRINCIPAL.fullmatch(value) else ""
