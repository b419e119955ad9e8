"""Keeping the cache folder clean: what dead writers left, what has run out, or everything."""

import os
import re

from gbearer import warm
from gbearer.cache import lock

OURS = re.compile(r"[aflt]-[0-9a-f]{64}|n-[A-Za-z0-9-]{1,64}\.note|x-[0-9]+-[0-9a-f]{16}")
"""Answers, failures, locks, tokens, notes and half-written files; nothing else in the folder is ever touched."""
_WAITED_FOR = 60.0
_UNASKED = 30 * 86_400.0


def names(folder: "int | str") -> list[str]:
    """The entries of ours in the folder."""
    return [name for name in os.listdir(folder) if OURS.fullmatch(name)]


def leftovers(folder: "int | str") -> None:
    """Remove the locks and half-written files whose owner is dead: nobody holds them any more."""
    for name in names(folder):
        if name.startswith(("l-", "x-")):
            lock.reap(folder, name)


def expired(folder: "int | str", now: float) -> None:
    """Remove tokens past their end, answers that rest on no token, notes and failures that nobody waits for."""
    here = names(folder)
    for name in here:
        if name.startswith(("t-", "n-")):
            over = _ends(folder, name) <= now
        else:
            over = name.startswith("f-") and _age(folder, name, now) > _WAITED_FOR
        if over:
            lock.remove(folder, name)
    tokens = {name for name in names(folder) if name.startswith("t-")}
    for name in here:
        if name.startswith("a-") and (_rests_on(folder, name) not in tokens or _age(folder, name, now) > _UNASKED):
            lock.remove(folder, name)


def everything(folder: "int | str") -> int:
    """Remove every entry; returns how many tokens there were."""
    gone = 0
    for name in names(folder):
        if name.startswith("l-"):
            lock.reap(folder, name)
        else:
            gone += lock.remove(folder, name) and name.startswith("t-")
    return gone


def _payload(folder: "int | str", name: str) -> list[bytes]:
    try:
        return (warm.read(folder, name) or b"").split(b"\0")
    except (OSError, warm.Unsafe):
        return []


def _ends(folder: "int | str", name: str) -> float:
    """When an entry runs out; damaged ones have."""
    fields = _payload(folder, name)
    try:
        return float(fields[1]) if len(fields) > 2 else 0.0
    except ValueError:
        return 0.0


def _rests_on(folder: "int | str", name: str) -> str:
    return "t-" + (_payload(folder, name) or [b""])[0].decode("ascii", "replace")


def _age(folder: "int | str", name: str, now: float) -> float:
    try:
        if isinstance(folder, int):
            return now - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime
        return now - os.stat(os.path.join(folder, name)).st_mtime
    except OSError:
        return 0.0
