"""Who has lately proved anew that it is them: reauthentication sessions under way and their proofs, in memory only."""

import secrets
from dataclasses import dataclass

from gbearer.emulator.world import PASSWORD

PROOF_LIFE = 16 * 3600
"""Seconds that a proof holds, unless reauthentication is required again."""
TRIES = 5
_LIMIT = 1000


@dataclass
class Session:
    """One attempt of `user` to prove who they are."""

    user: str
    left: int = TRIES


class Proofs:
    """Sessions by their id, and proofs (RAPT) with whom they are of and when they end."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._proofs: dict[str, tuple[str, float]] = {}

    def start(self, user: str) -> str:
        """The id of a new session."""
        while len(self._sessions) >= _LIMIT:
            del self._sessions[next(iter(self._sessions))]
        name = secrets.token_urlsafe(24)
        self._sessions[name] = Session(user)
        return name

    def session(self, name: str, user: str) -> Session | None:
        """The session, if it is theirs."""
        found = self._sessions.get(name)
        return found if found is not None and found.user == user else None

    def answer(self, name: str, password: str) -> bool:
        """Whether the password is right; the session ends with it, or with the last try."""
        session = self._sessions[name]
        session.left -= 1
        right = secrets.compare_digest(password.encode(), PASSWORD.encode())
        if right or session.left <= 0:
            del self._sessions[name]
        return right

    def issue(self, user: str, now: float) -> str:
        """A new proof."""
        proof = "emulator-rapt-" + secrets.token_urlsafe(48)
        self._proofs[proof] = (user, now + PROOF_LIFE)
        return proof

    def holds(self, proof: str, user: str, now: float) -> bool:
        """Whether this proves that it is `user`."""
        whose, end = self._proofs.get(proof, ("", 0.0))
        return whose == user and now < end

    def forget(self, user: str) -> None:
        """What somebody has proved so far counts no more."""
        self._proofs = {proof: known for proof, known in self._proofs.items() if known[0] != user}
