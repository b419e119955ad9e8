"""What people consented to: grants and workforce sessions with their refresh tokens, kept in a file by digest."""

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gbearer.emulator.remembered import digest

LIMIT = 100
"""Live refresh tokens of one user and client; a new one makes the oldest stop working, without a word."""
_UNUSED = 20  # tokens that one rotation may have handed out in vain (clients killed before they could keep theirs)
_SPENT = 50  # tokens of the past that are still known, so that their use is noticed


@dataclass
class Grant:
    """One consent: for one client, with these scopes. `user` is an e-mail address, or the principal of a workforce.

    `tokens` maps the digest of each refresh token to that of the one it was got with (empty for the first);
    `spent` are those whose successor has been used. `reauth` is the error_subtype that refreshing is refused with.
    """

    id: str
    client_id: str
    user: str
    scopes: tuple[str, ...]
    tokens: dict[str, str] = field(default_factory=dict)
    spent: list[str] = field(default_factory=list)
    revoked: bool = False
    reauth: str = ""
    subject: str = ""
    members: tuple[str, ...] = ()

    @property
    def workforce(self) -> bool:
        """Whether this is the session of a workforce pool's user."""
        return self.user.startswith("principal:")


def new_grant_id() -> str:
    """A name for a grant; no secret."""
    return secrets.token_hex(12)


class Grants:
    """Every grant, in memory and in `file` (None: in memory only)."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._all: dict[str, Grant] = _read(file) if file is not None else {}

    def find(self, refresh_token: str) -> Grant | None:
        """The grant that a refresh token belongs to, also when it is revoked or the token spent."""
        name = digest(refresh_token)
        return next((one for one in self._all.values() if name in one.tokens or name in one.spent), None)

    def by_id(self, name: str) -> Grant | None:
        """The grant called `name`."""
        return self._all.get(name)

    def put(self, grant: Grant, refresh_token: str) -> None:
        """Make a grant with a token that is known already, or make it anew as it was on the first day."""
        former = self._all.get(grant.id)
        alive = former.tokens if former is not None and not former.revoked else {}
        grant.tokens = {digest(refresh_token): "", **alive}
        self._all[grant.id] = grant
        self.save()

    def add(self, grant: Grant, mark: str) -> str:
        """Keep a new grant; its refresh token, which begins with `mark`. The oldest beyond the limit go."""
        token = mark + secrets.token_urlsafe(48)
        grant.tokens[digest(token)] = ""
        same = [one for one in self._all.values() if (one.user, one.client_id) == (grant.user, grant.client_id)]
        same.sort(key=lambda one: not one.revoked)  # the revoked go first
        for old in same[: max(0, len(same) - LIMIT + 1)]:
            del self._all[old.id]
        self._all[grant.id] = grant
        self.save()
        return token

    def rotate(self, grant: Grant, used: str, mark: str) -> str:
        """A new token in place of `used`, which stays good until one got with it is used; empty if it is spent."""
        name = digest(used)
        if name not in grant.tokens:
            return ""
        above = grant.tokens[name]
        grant.tokens[name] = ""
        while above:  # its ancestors are spent from now on
            if above not in grant.spent:
                grant.spent.append(above)
            above = grant.tokens.pop(above, "")
        token = mark + secrets.token_urlsafe(48)
        grant.tokens[digest(token)] = name
        parents = set(grant.tokens.values())
        unused = [one for one in grant.tokens if one != name and one not in parents]
        for old in unused[: max(0, len(unused) - _UNUSED)]:
            del grant.tokens[old]
        del grant.spent[: max(0, len(grant.spent) - _SPENT)]
        self.save()
        return token

    def revoke(self, grant: Grant) -> None:
        """End a grant; its tokens are remembered, to be refused in words of their own."""
        grant.revoked = True
        self.save()

    def require_reauth(self, user: str, subtype: str) -> int:
        """Refuse refreshes of the live grants of `user` with this error_subtype (empty: no more); how many."""
        mine = [one for one in self._all.values() if one.user == user and not one.revoked]
        for one in mine:
            one.reauth = subtype
        self.save()
        return len(mine)

    def needs_reauth(self, user: str) -> bool:
        """Whether some live grant of `user` can be refreshed only after reauthentication."""
        return any(one.user == user and one.reauth and not one.revoked for one in self._all.values())

    def forgive(self) -> None:
        """Ask nobody for reauthentication any more."""
        for one in self._all.values():
            one.reauth = ""
        self.save()

    def save(self) -> None:
        """Write the file; a disk that cannot take it costs only the next start its memory."""
        if self._file is None:
            return
        beside = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as stream:
                json.dump([asdict(one) for one in self._all.values()], stream)
            os.replace(beside, self._file)


def _read(file: Path) -> dict[str, Grant]:
    """The grants in `file`; none when there is no such file or it is not what we wrote."""
    known: dict[str, Grant] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        for told in json.loads(file.read_text(encoding="utf-8")):
            fields: dict[str, Any] = {**told, "scopes": tuple(told["scopes"]), "members": tuple(told["members"])}
            known[told["id"]] = Grant(**fields)
    return known
