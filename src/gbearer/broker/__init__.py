"""The one brain: an Ask comes in and a Token goes out, from memory, from the cache, or newly made, once for all."""

import os
import time

from gbearer import cache, exchange, log, sources, warm
from gbearer.broker.flight import Flights
from gbearer.broker.renew import QUIET, good, renew, serves
from gbearer.cache import Cache, Kept
from gbearer.errors import Error, UsageError
from gbearer.grammar import PROJECT
from gbearer.model import Ask, Token
from gbearer.sources.look import Look
from gbearer.transport import TOTAL, Transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gbearer.sources import Source

__all__ = ["Answer", "Broker", "shared"]

SHORT = 4.0
"""Seconds that renewing a token may take while the old one is still good."""


class Answer:
    """A token and how it came: "memory", "disk", "minted", or "stale" (the old one, as nobody could be reached)."""

    __slots__ = ("ask", "how", "key", "look", "source", "token")

    def __init__(self, ask: Ask, token: Token, key: str, look: Look, source: "Source", how: str) -> None:
        self.ask = ask
        self.token = token
        self.key = key
        self.look = look
        self.source = source
        self.how = how


class Broker:
    """Answers questions for one environment; safe for threads and after a fork.

    env    where variables are read (os.environ when None); read again whenever a token is not in memory
    clock  Unix time in seconds
    began  since when (Unix time) this process has been waiting: failures that others noted after it are ours as well
    """

    def __init__(
        self,
        env: "Mapping[str, str] | None" = None,
        clock: "Callable[[], float]" = time.time,
        began: float | None = None,
    ) -> None:
        self.env = os.environ if env is None else env
        self.clock = clock
        self._began = began
        self._answers: dict[Ask, Answer] = {}
        self._kept: dict[str, Kept] = {}
        self._dropped: dict[str, float] = {}
        self._flights = Flights()

    def get(self, ask: Ask) -> Token:
        """The token for `ask`, with at least `ask.min_ttl` seconds left; raises gbearer.Error."""
        return self.peek(ask) or self.answer(ask).token

    def peek(self, ask: Ask) -> Token | None:
        """The token for `ask` if memory holds a good one: no file, no network, no lock."""
        held = self._answers.get(ask)
        if held is None or ask.refresh or not good(held.token, ask, self.clock()):
            return None
        return held.token

    def answer(self, ask: Ask, look: Look | None = None) -> Answer:
        """As `get`, with the chain as it was walked; environment and files are looked at anew.

        Raises gbearer.Error; `look`, if it is given, then tells how far the chain was walked.
        """
        since = self.clock() if self._began is None else self._began
        look = look or Look(self.env)
        transport = Transport(self.env, total=TOTAL)
        store = self._store(ask)
        store.tidy()
        source = sources.locate(ask, look, transport, store.notes)
        full = ask.replace(impersonate=(*source.impersonate, *ask.impersonate))
        kept, key, how = self._token(full, source, transport, store, since)
        token = self._placed(kept.token, full, source)
        answer = Answer(full, token, key, look, source, how)
        left = token.expires_in(self.clock())
        if token.expires_at and left < ask.min_ttl:
            raise UsageError(
                f"no token for {source.where} lives as long as --min-ttl {ask.min_ttl}s",
                why=f"a new one has {left:.0f} s",
                fix="ask for less" + (", or for more life with --lifetime" if full.impersonate else ""),
            )
        if token.expires_at and key:
            self._answers[ask.replace(refresh=False)] = answer
        return answer

    def universe(self, ask: Ask) -> str:
        """The universe of the credential that answers `ask`; makes no token. Raises what finding it raises."""
        held = self._answers.get(ask.replace(refresh=False))
        transport = Transport(self.env)
        source = held.source if held else sources.locate(ask, Look(self.env), transport, self._store(ask).notes)
        return sources.universe_of(source, transport)

    def drop(self, ask: Ask, refused: Token) -> bool:
        """After a 401: forget the token for `ask` if it is the refused one; False if that was done just before."""
        held = self._answers.pop(ask.replace(refresh=False), None)
        if held is None or not held.key:
            return False
        store, now, note = self._store(ask), self.clock(), _dropped(held.key)
        if now - self._dropped.get(held.key, 0.0) < QUIET or store.notes.read(note) is not None:
            return False
        self._dropped[held.key] = now
        kept = self._kept.get(held.key)
        if kept is not None and kept.token == refused:
            del self._kept[held.key]
        on_disk = store.read(held.key)
        if on_disk is not None and on_disk.token == refused:
            store.drop(held.key)
            store.notes.write(note, "", QUIET)
        return True

    def reset(self) -> None:
        """Forget what memory holds: the next call looks at environment, files and cache again."""
        self._answers.clear()
        self._kept.clear()
        self._dropped.clear()

    def remember(self, answer: Answer, argv: list[str], text: str) -> None:
        """`text` was printed for `argv`: keep it for the warm path, unless it rests on what could change unnoticed."""
        from gbearer._version import __version__

        ask, token, files = answer.ask, answer.token, answer.look.files
        if ask.refresh or ask.no_cache or not answer.look.remember or not answer.key:
            return
        if text.count(token.value) != 1 or any(warm.young(known, self.clock()) for known in files.values()):
            return
        if any(warm.identity(path) != known for path, known in files.items()):
            return
        before, _, after = text.partition(token.value)
        entry = warm.entry(answer.key, ask.min_ttl, before, after, files, answer.look.digests)
        store = self._store(ask)
        kept = store.read(answer.key)
        if entry is not None and kept is not None and kept.token == token:
            store.remember(warm.question(argv, self.env, __version__), entry)

    def _store(self, ask: Ask) -> Cache:
        return Cache("", None, "", self.clock) if ask.no_cache else cache.open_cache(self.env, self.clock)

    def _token(
        self, ask: Ask, source: "Source", transport: Transport, store: Cache, since: float
    ) -> tuple[Kept, str, str]:
        """(token, key, how): those who want the same at the same time get the same."""
        if source.fingerprint is None:
            return Kept(self._mint(ask, source, transport, store, since)), "", "minted"
        key = cache.key(ask, source.fingerprint, self.env, universe=source.universe, metadata=source.kind == "metadata")
        kept = self._kept.get(key)
        if kept is not None and serves(kept, ask, self.clock(), since):
            return kept, key, "memory"

        def mint(short: bool) -> Token:
            way = Transport(self.env, total=SHORT, tries=1) if short else transport
            refused = (
                not ask.refresh and store.notes.read(_dropped(key)) is not None
            )  # what makes tokens may keep it too
            return self._mint(ask.replace(refresh=True) if refused else ask, source, way, store, since)

        patience = TOTAL + source.patience
        kept, how = self._flights.fly(
            (key, ask.refresh, ask.min_ttl),
            lambda: renew(key, ask, store, mint, self.clock, since, patience),
            2 * patience,
        )
        if kept.token.expires_at:
            self._kept[key] = kept
        return kept, key, how

    def _mint(self, ask: Ask, source: "Source", transport: Transport, store: Cache, since: float) -> Token:
        """A new token; the base of one that is impersonated or has a boundary comes from here too, and is kept."""
        base_ask = exchange.needs_base(ask)
        if base_ask is None:
            return exchange.token(ask, source, transport, None, self.clock)
        base, _, how = self._token(base_ask, source, transport, store, since)
        try:
            return exchange.token(ask, source, transport, base.token, self.clock)
        except Error as error:
            if how == "minted" or not exchange.base_refused(ask, error):
                raise
            log.debug("the base token was refused: once more with a new one")
        anew = base_ask.replace(refresh=True)
        base, _, _ = self._token(anew, source, transport, store, self.clock())
        return exchange.token(ask, source, transport, base.token, self.clock)

    def _placed(self, token: Token, ask: Ask, source: "Source") -> Token:
        """The token with the quota project that goes beside it: of the option, else the environment, else the file."""
        if ask.kind == "id" or (token.audience and token.kind == "access"):
            return token  # for a service, not for an API of Google's that charges somebody
        named = self.env.get("GOOGLE_CLOUD_QUOTA_PROJECT") or None
        if named is not None and not PROJECT.fullmatch(named):
            raise UsageError(
                f"GOOGLE_CLOUD_QUOTA_PROJECT is {named[:80]!r}, which is no project id",
                fix="export GOOGLE_CLOUD_QUOTA_PROJECT=my-project, or unset it",
            )
        return token.with_quota_project(ask.quota_project or named or source.quota_project)


def _dropped(key: str) -> str:
    """The note that says that the token of `key` was refused just now."""
    return f"dropped-{key[:32]}"


_shared: Broker | None = None


def shared() -> Broker:
    """The broker that the functions of the package share."""
    global _shared
    if _shared is None:
        _shared = Broker()
    return _shared
