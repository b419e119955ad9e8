"""One token in the cache: whether it serves, and how it is renewed once for all processes that want it."""

import time

from gbearer import log, warm
from gbearer.cache import Cache, Kept
from gbearer.errors import Error, Unreachable
from gbearer.transport import TOTAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from gbearer.broker.flight import Landed
    from gbearer.model import Ask, Token

QUIET = 30.0
"""Seconds in which a renewal that brought no later end is not repeated."""
SAME_END = 5.0
"""Seconds by which an end must be later to be called later: `expires_in` is a whole number, and answers take time."""


def good(token: "Token", ask: "Ask", now: float) -> bool:
    """Fresh, and with the least life that was asked for."""
    left = warm.fresh(token.issued_at, token.expires_at, now)
    return left > 0 and left >= ask.min_ttl


def serves(kept: Kept, ask: "Ask", now: float, since: float) -> bool:
    """Whether what lies in the cache answers `ask`, by a process that has been asking since `since`."""
    token = kept.token
    left = token.expires_in(now)
    if left <= 0 or left < ask.min_ttl or token.issued_at > now + warm.FUTURE:
        return False
    if ask.refresh:
        return token.issued_at > since
    return good(token, ask, now) or now - kept.checked < QUIET


def renew(
    key: str,
    ask: "Ask",
    store: Cache,
    mint: "Callable[[bool], Token]",
    clock: "Callable[[], float]",
    since: float,
    patience: float = TOTAL,
) -> "Landed":
    """The token for `key` from the cache, or minted by exactly one of the processes that want it.

    `mint(True)` is one short try, for when an old token still serves. While another process is at it, this one waits
    for its token or its failure, never longer than `patience` (seconds); with an old token it does not wait at all.
    """
    kept = store.read(key)
    if kept is not None and serves(kept, ask, clock(), since):
        return kept, "disk"
    old = kept if kept is not None and _still_serves(kept.token, ask, clock()) else None
    ends = time.monotonic() + patience
    pause = 0.005
    while (lock := store.acquire(key)) is None:
        if old is not None:
            return old, "stale"
        if time.monotonic() > ends:
            raise Unreachable(
                "another process has not got this token in time",
                why=f"it holds the lock in {store.path} for more than {patience:.0f} s",
                fix="try again; --no-cache does not wait for it",
            )
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)
        kept = store.read(key)
        if kept is not None and serves(kept, ask, clock(), since):
            return kept, "disk"
        failure = store.read_failure(key, since)
        if failure is not None:
            raise failure
    try:
        return _renew_locked(key, ask, store, mint, clock, since, old)
    finally:
        store.release(key, lock)


def _renew_locked(
    key: str,
    ask: "Ask",
    store: Cache,
    mint: "Callable[[bool], Token]",
    clock: "Callable[[], float]",
    since: float,
    old: Kept | None,
) -> "Landed":
    kept = store.read(key)  # again: who held the lock before may have renewed it, or failed
    if kept is not None and serves(kept, ask, clock(), since):
        return kept, "disk"
    failure = store.read_failure(key, since) if old is None else None
    if failure is not None:
        raise failure
    try:
        token = mint(old is not None)
    except Error as error:
        if old is not None and error.passing:
            log.debug(f"the old token serves on, {old.token.expires_in(clock()):.0f} s more: {error.message}")
            return old, "stale"
        store.write_failure(key, error)
        raise
    checked = 0.0
    if kept is not None and token.expires_at <= kept.token.expires_at + SAME_END:
        checked = clock()
    if token.expires_at:
        store.write(key, token, checked)
        store.forget_failure(key)
        store.tidy(expired=True)
    return Kept(token, checked), "minted"


def _still_serves(token: "Token", ask: "Ask", now: float) -> bool:
    """Whether an old token may be served while it is renewed: not past its end, not undercutting --min-ttl."""
    left = token.expires_in(now)
    return not ask.refresh and left > 0 and left >= ask.min_ttl and token.issued_at <= now + warm.FUTURE
