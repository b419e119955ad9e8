"""Access tokens across restarts: what each stood for, under its digest, so that the file holds no token."""

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gbearer.emulator.universe import GOOGLE

_DAY = 86_400


@dataclass(frozen=True)
class Access:
    """What an access token stands for. `azp` is the client id, or the service account's unique id.

    `members` is everything that IAM policies may call its bearer; a federated one has a principal for an e-mail
    address, and its subject for an id. `boundary` is the access boundary that limits it (JSON), if any does.
    """

    email: str
    unique_id: str
    azp: str
    scopes: tuple[str, ...]
    expires_at: float
    grant: str = ""
    user: bool = False
    members: frozenset[str] = frozenset()
    boundary: str = ""
    universe: str = GOOGLE

    @property
    def federated(self) -> bool:
        """Whether the Security Token Service issued it."""
        return self.email.startswith("principal:")

    @property
    def plain(self) -> bool:
        """Whether it is one of Google's OAuth server: not federated, without a boundary, of no other universe."""
        return not self.federated and not self.boundary and self.universe == GOOGLE


def digest(token: str) -> str:
    """The name under which a token is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Remembered:
    """What is known of the tokens handed out, by digest, in memory and in `file` (None: in memory only)."""

    def __init__(self, file: Path | None, now: float) -> None:
        self._file = file
        self._known: dict[str, Access] = {}
        if file is not None:
            self._known = _read(file, now)
            self._write_all()

    def get(self, token: str) -> Access | None:
        """What `token` stands for, None for one that nobody here has handed out."""
        return self._known.get(digest(token))

    def add(self, token: str, access: Access) -> None:
        """Remember a new token; a disk that cannot take it costs only the next start its memory."""
        name = digest(token)
        self._known[name] = access
        self._save([_line(name, access)], os.O_APPEND)

    def keep(self, wanted: set[str]) -> None:
        """Forget all but these digests."""
        if wanted != self._known.keys():
            self._known = {name: access for name, access in self._known.items() if name in wanted}
            self._write_all()

    def items(self) -> list[tuple[str, Access]]:
        """Every digest with what it stands for."""
        return list(self._known.items())

    def _write_all(self) -> None:
        self._save([_line(name, access) for name, access in self._known.items()], os.O_TRUNC)

    def _save(self, lines: list[str], how: int) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            out = os.open(self._file, os.O_WRONLY | os.O_CREAT | how, 0o600)
            with open(out, "w", encoding="utf-8") as stream:
                stream.writelines(lines)


def _line(name: str, access: Access) -> str:
    return json.dumps({"digest": name, **asdict(access), "members": sorted(access.members)}) + "\n"


def _read(file: Path, now: float) -> dict[str, Access]:
    """The tokens in `file`, the expired for a day longer; lines that are not whole are passed over."""
    known = {}
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                told = json.loads(line)
                name = told.pop("digest")
                told |= {"scopes": tuple(told["scopes"]), "members": frozenset(told["members"])}
                access = Access(**told)
                if access.expires_at > now - _DAY:
                    known[name] = access
    return known
