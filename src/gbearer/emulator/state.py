"""What a request handler gets to see: the whole state of an emulator, and the one call it answers."""

import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from gbearer.emulator.faults import Faults
from gbearer.emulator.issued import Access, Issued
from gbearer.emulator.log import Entry, Log
from gbearer.emulator.proofs import Proofs
from gbearer.emulator.signin.visits import Visits
from gbearer.emulator.storage.buckets import Buckets
from gbearer.emulator.world import World

_LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|\[::1\]|localhost)(:\d+)?\Z")


@dataclass
class State:
    """One emulator's state. `cached` holds the metadata server's tokens until shortly before they expire.

    `aws_server` is the moto server that plays the AWS account, if there is one; `universe` is what the metadata
    server calls its own, where it is to say so.
    """

    world: World
    issued: Issued
    log: Log
    faults: Faults
    cached: dict[tuple[str, ...], tuple[str, Access]] = field(default_factory=dict)
    cached_id: dict[tuple[str, ...], str] = field(default_factory=dict)
    visits: Visits = field(default_factory=Visits)
    proofs: Proofs = field(default_factory=Proofs)
    aws_server: str = ""
    tls: ssl.SSLContext | None = None
    storage: Buckets = field(default_factory=Buckets)
    universe: str = ""

    def reset(self) -> None:
        """Empty the log, the faults and the metadata cache, set clock and buckets right, undo what was changed.

        Tokens that were issued stay good.
        """
        self.log.clear()
        self.faults.clear()
        self.cached.clear()
        self.cached_id.clear()
        self.world.clock.skew = 0.0
        self.world.restore()
        self.storage.restore()
        self.universe = ""


@dataclass
class Call:
    """One request: the parts of its path that the route took out, and its line in the log."""

    request: web.Request
    entry: Entry
    args: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The Host header, in lower case, with its port unless that is https's own."""
        return host_of(self.request)

    @property
    def local(self) -> bool:
        """Whether the call names this machine rather than one of Google's hosts."""
        return is_loopback(self.host)

    @property
    def service(self) -> str:
        """The name of the API as error bodies give it."""
        return "emulator.googleapis.com" if self.local else self.host.partition(":")[0]

    @property
    def origin(self) -> str:
        """Scheme and host as the caller sees them: Google's hosts are https there."""
        return f"{self.request.scheme if self.local else 'https'}://{self.host}"

    @property
    def dialled(self) -> str:
        """Scheme, address and port that the connection really came to, whatever the Host header says."""
        name = self.request.transport.get_extra_info("sockname") if self.request.transport else None
        return f"{self.request.scheme}://{name[0]}:{name[1]}" if name else ""

    @property
    def raw_path(self) -> str:
        """The path as it was sent, undecoded, without the query."""
        return self.request.raw_path.partition("?")[0]

    @property
    def raw_query(self) -> str:
        """The query as it was sent, undecoded."""
        return self.request.raw_path.partition("?")[2]


Handler = Callable[[State, Call], Awaitable[web.StreamResponse]]


def host_of(request: web.Request) -> str:
    """The Host header in lower case; empty without one, where aiohttp would ask the resolver for a name."""
    return request.headers.get("Host", "").lower().removesuffix(":443")


def is_loopback(host: str) -> bool:
    """Whether a Host header names a loopback address or localhost, with or without a port."""
    return _LOOPBACK.match(host.lower()) is not None
