"""The loopback address that the browser is sent back to: it waits for one answer, and answers it with a page."""

import threading

from gbearer import log
from gbearer.errors import Unreachable, UsageError
from gbearer.login import pages, redirect
from gbearer.login.loopback import HOST, Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

TOLD = 3
"""How many answers to other sign-ins are told of."""
_PAGE = 60.0
"""Seconds that the browser waits for its page, while the code is exchanged."""
_FOLLOW = 3.0
"""Seconds that a browser has to fetch the last page; one that does not is no failure."""


class Listener:
    """An open port on 127.0.0.1 (a free one for 0), until `close`; UsageError when it is taken.

    `start` begins to serve. The first answer with the right state is handed on; its browser then waits for `finish`,
    which tells it how the sign-in ended: at an address without the code, which would else stay in the browser's
    history. Everything else gets an error page and ends nothing.
    """

    def __init__(self, port: int, *, emulator: bool) -> None:
        self.emulator = emulator
        self.strays = 0
        self._page: pages.Page | None = None
        self._ready = threading.Event()
        self._sent = threading.Event()
        self._lock = threading.Lock()
        self._taken = False
        self._state = ""
        self._arrived: Callable[[object], None] = lambda _: None
        try:
            self._server = Server(port, self._answer, self._told)
        except OSError as error:
            raise _taken(port, error) from None
        self.port = int(self._server.server_address[1])
        self.url = f"http://{HOST}:{self.port}/"

    def start(self, state: str, arrived: "Callable[[object], None]") -> None:
        """Serve, in a thread of its own, and wait for the answer that carries `state`.

        `arrived` gets that as `redirect.Arrived`, and a `redirect.WrongState` for each of the first that do not.
        """
        self._state, self._arrived = state, arrived
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="gbearer-login", daemon=True).start()

    def finish(self, page: pages.Page) -> None:
        """Answer the browser that brought the answer, if one did, and wait a moment until it has its page."""
        self._page = page
        self._ready.set()
        if self._taken:
            self._sent.wait(_FOLLOW)

    def close(self) -> None:
        """Let go of the port; who still waits for a page gets none."""
        self._ready.set()
        if self._state:
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, target: str) -> pages.Page | None:
        """The page for a GET of `target`, None for one that is none of ours; waits where it is the answer."""
        path, _, query = target.partition("?")
        if self._taken and self._page and target == _end(self._page):
            return self._page
        if path != "/" or not query:
            return None
        try:
            arrived = redirect.read(query, self._state)
        except redirect.Stray:
            return None
        except redirect.WrongState as problem:
            self._stray(problem)
            return pages.stray(self.emulator)
        with self._lock:
            first, self._taken = not self._taken, True
        if not first:
            return pages.over(self.emulator)
        self._arrived(arrived)
        self._ready.wait(_PAGE)
        return pages.elsewhere(_end(self._page)) if self._page else pages.over(self.emulator)

    def _stray(self, problem: "redirect.WrongState") -> None:
        with self._lock:
            self.strays += 1
            count = self.strays
        if count <= TOLD:
            self._arrived(problem)
        else:
            log.debug("one more answer to another sign-in came, and was refused")

    def _told(self, page: pages.Page) -> None:
        """`page` has been sent."""
        if page is self._page:
            self._sent.set()


def _end(page: pages.Page) -> str:
    """Where the browser is sent to see the last page: an address that says nothing."""
    return "/signed-in" if page.status == 200 else "/not-signed-in"


def _taken(port: int, error: OSError) -> UsageError | Unreachable:
    reason = (error.strerror or str(error)).lower()
    if port == 0:
        return Unreachable(
            f"no port on {HOST} can be opened", why=reason, fix="check this machine's loopback interface"
        )
    return UsageError(
        f"the port {port} cannot be used for the sign-in",
        why=f"{reason}; another program has it, another gbearer login perhaps",
        fix="leave --port out, or name a free one",
    )
