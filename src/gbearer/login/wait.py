"""Waiting for a person: the browser is opened or its URL printed, and the answer comes back or is pasted."""

import os
import queue
import stat
import threading
import time

from gbearer.errors import LoginRequired, UsageError
from gbearer.login import browser, redirect
from gbearer.login.wish import LOGIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from gbearer.login.listen import Listener
    from gbearer.login.redirect import Arrived

PASTES = 3
"""How often somebody at a terminal may paste what is no answer."""
_TICK = 0.25
_CLOSED = object()
_FAILED = object()


class Person:
    """Where the person is: the streams and the environment, and how to tell them something."""

    __slots__ = ("env", "stdin", "tell", "terminal")

    def __init__(
        self, env: "Mapping[str, str]", stdin: "TextIO | None", stderr: "TextIO | None", tell: "Callable[[str], None]"
    ) -> None:
        self.env = env
        self.stdin = stdin
        self.tell = tell
        self.terminal = _is_terminal(stdin) and _is_terminal(stderr)


def answer(
    listener: "Listener", url: str, state: str, person: Person, *, use_browser: bool, seconds: float
) -> "Arrived":
    """The first answer to the sign-in at `url`, by the browser or by hand, within `seconds`.

    LoginRequired when the time is up, or when nobody could ever answer; UsageError for what was pasted in vain.
    """
    events: queue.SimpleQueue[object] = queue.SimpleQueue()
    listener.start(state, events.put)
    if use_browser and not browser.there(person.env):
        events.put(_FAILED)
    elif use_browser:
        person.tell(f"opening the browser to sign in; if it does not come up, open this URL yourself:\n\n{url}\n")
        _thread(lambda: None if browser.opened(url, person.env) else events.put(_FAILED))
    else:
        _by_hand(listener, url, person, events)
    ends = time.monotonic() + seconds
    pastes = 0
    while time.monotonic() < ends:
        try:
            event = events.get(timeout=_TICK)  # short, for Ctrl-C on Windows
        except queue.Empty:
            continue
        if isinstance(event, redirect.Arrived):
            return event
        if isinstance(event, redirect.WrongState):
            person.tell("an answer to another sign-in came and was refused; still waiting")
        elif event is _FAILED:
            if not person.terminal and not browser.remote(person.env):
                raise _nobody()
            person.tell("no browser could be opened here")
            _by_hand(listener, url, person, events)
        elif isinstance(event, str):
            pastes += 1
            try:
                return redirect.pasted(event, state)
            except (redirect.Stray, redirect.WrongState) as problem:
                error = _in_vain(problem)
            if not person.terminal or pastes == PASTES:
                raise error
            person.tell(f"{error.message}: {error.why}\npaste it again:")
    raise _late(listener, seconds)


def _by_hand(listener: "Listener", url: str, person: Person, events: "queue.SimpleQueue[object]") -> None:
    """Say what to do where no browser is opened, and listen to what is pasted as well."""
    person.tell(
        f"open this URL in a browser:\n\n{url}\n\n"
        "if that browser is on another machine, type this there first, and leave it running:\n\n"
        f"  {browser.forward(listener.port, person.env)}\n"
    )
    if _may_paste(person.stdin):
        person.tell(
            "or, after signing in, copy the whole address of the page that does not load "
            f"({listener.url}?...), and paste it here:"
        )
        _thread(lambda: _read_lines(person.stdin, events.put))


def _read_lines(stream: "TextIO | None", put: "Callable[[object], None]") -> None:
    """Every line that comes, until there are no more.

    A real stream is read by its descriptor: a thread that waits inside Python's own buffer would hold up the end.
    """
    if stream is None:
        return
    try:
        file = stream.fileno()
    except (OSError, ValueError, AttributeError):
        for text in stream:
            if text.strip():
                put(text[: redirect.LONGEST + 1])
        return
    held = b""
    while True:
        try:
            data = os.read(file, 4096)
        except OSError:
            return
        *lines, held = (held + data).split(b"\n")
        if not data and held:
            lines, held = [held], b""
        for line in lines:
            if line.strip():
                put(line.decode("utf-8", "replace"))
        if not data:
            return
        if len(held) > redirect.LONGEST:
            put(held.decode("utf-8", "replace"))
            held = b""


def _thread(run: "Callable[[], None]") -> None:
    threading.Thread(target=run, name="gbearer-login-person", daemon=True).start()


def _is_terminal(stream: "TextIO | None") -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _may_paste(stream: "TextIO | None") -> bool:
    """Whether something may come from stdin: not when it is closed, nor from a device like /dev/null."""
    if stream is None or stream.closed:
        return False
    try:
        kind = os.fstat(stream.fileno()).st_mode
    except OSError as none:  # none at all, or a stream in memory, whose error this is as well
        return isinstance(none, ValueError)
    return _is_terminal(stream) or not stat.S_ISCHR(kind)


def _in_vain(problem: Exception) -> UsageError:
    if isinstance(problem, redirect.WrongState):
        return UsageError(
            "what was pasted answers another sign-in",
            why="its state is not the one that was made for this one; it may come from an older tab",
            fix=f"{LOGIN}, and paste the address that the new sign-in ends on",
        )
    return UsageError(
        "what was pasted is no answer to a sign-in",
        why=str(problem),
        fix=f"{LOGIN}, and paste the whole address from the address bar: http://127.0.0.1:PORT/?state=...&code=...",
    )


def _late(listener: "Listener", seconds: float) -> LoginRequired:
    strays = ""
    if listener.strays:
        one = listener.strays == 1
        strays = f"; {listener.strays} {'answer came that belongs' if one else 'answers came that belong'}"
        strays += " to another sign-in"
    return LoginRequired(
        "nobody has signed in",
        why=f"no answer came within {seconds:.0f} s{strays}",
        fix=f"{LOGIN} --timeout {2 * seconds:.0f}s, if there was too little time",
    )


def _nobody() -> LoginRequired:
    return LoginRequired(
        "there is neither a browser nor a terminal here to sign in with",
        why="no browser could be opened, and nobody would see the URL",
        fix=f"{LOGIN} --no-browser, in a terminal; the browser may be on another machine\n"
        "for a program without a person use a service account: --credentials key.json",
    )
