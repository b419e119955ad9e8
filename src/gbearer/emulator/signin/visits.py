"""Sign-ins under way: requests whose pages are open, and codes that nobody has exchanged yet; in memory only."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gbearer.emulator.signin.asked import Asked

CODE_LIFE = 600
"""Seconds that a code can be exchanged."""
CODE_MARK = "4/0Aemulator-"
_PAGE_LIFE = 3600
_LIMIT = 1000  # of each kind; the oldest go first


@dataclass(frozen=True)
class Code:
    """What a code is good for. `identity` is what a workforce provider's mapping made of the person."""

    asked: Asked
    user: str
    scopes: tuple[str, ...]
    expires_at: float
    identity: Mapping[str, Any]

    def verified(self, verifier: str) -> bool:
        """Whether this is the verifier that the code's challenge was made of (RFC 7636 §4.6)."""
        if self.asked.method == "S256":
            digest = hashlib.sha256(verifier.encode()).digest()
            verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return secrets.compare_digest(verifier.encode(), self.asked.challenge.encode())


class Visits:
    """Open requests by a name that only their pages know, and codes."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Asked, float]] = {}
        self._codes: dict[str, Code] = {}

    def open(self, asked: Asked, now: float) -> str:
        """Begin with a request; the name that its pages carry."""
        name = secrets.token_urlsafe(24)
        _make_room(self._open)
        self._open[name] = (asked, now + _PAGE_LIFE)
        return name

    def find(self, name: str, now: float) -> Asked | None:
        """The request of a page; None when it is over."""
        asked, end = self._open.get(name, (None, 0.0))
        return asked if now < end else None

    def close(self, name: str) -> None:
        """A request has been answered."""
        self._open.pop(name, None)

    def issue(self, code: Code) -> str:
        """A code for the application."""
        value = CODE_MARK + secrets.token_urlsafe(48)
        _make_room(self._codes)
        self._codes[value] = code
        return value

    def code(self, value: str, now: float) -> Code | None:
        """What a code stands for; None when it is unknown, used or too old."""
        found = self._codes.get(value)
        return found if found is not None and now < found.expires_at else None

    def use(self, value: str) -> None:
        """A code has been exchanged, and is good for nothing any more."""
        self._codes.pop(value, None)


def _make_room(held: dict[str, Any]) -> None:
    while len(held) >= _LIMIT:
        del held[next(iter(held))]
