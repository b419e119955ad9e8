"""The request log: what the emulator was asked, by whom, and what it answered; no secrets."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

_SECRET = frozenset(
    {
        *("access_token", "id_token", "token", "assertion", "refresh_token", "client_secret", "subject_token"),
        *("code", "code_verifier", "rapt", "request"),
    }
)
_LIMIT = 100_000


@dataclass
class Entry:
    """One request; `status` stays None where no answer was given. `time` is seconds since 1970, UTC."""

    method: str
    host: str
    path: str
    query: str
    time: float
    grant_type: str | None = None
    principal: str | None = None
    status: int | None = None
    fault: str | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The entry as `GET /_emulator/log` shows it; details such as scope or audience stand beside the rest."""
        shown: dict[str, Any] = {
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "query": self.query,
            "grant_type": self.grant_type,
            "principal": self.principal,
            "status": self.status,
            "time": self.time,
        }
        if self.fault is not None:
            shown["fault"] = self.fault
        return {**self.details, **shown}


class Log:
    """The entries in order of arrival, the newest hundred thousand of them."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def start(self, method: str, host: str, path: str, query: str, now: float) -> Entry:
        """Note a request that has just come in."""
        entry = Entry(method, host, path, _without_secrets(query), now)
        self._entries.append(entry)
        if len(self._entries) > _LIMIT:
            del self._entries[: _LIMIT // 10]
        return entry

    def as_json(self) -> list[dict[str, Any]]:
        """Every entry."""
        return [entry.as_json() for entry in self._entries[:]]

    def clear(self) -> None:
        """Forget all entries."""
        self._entries = []


def _without_secrets(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(name in _SECRET for name, _ in pairs):
        return query
    return urlencode([(name, "REDACTED" if name in _SECRET else value) for name, value in pairs])
