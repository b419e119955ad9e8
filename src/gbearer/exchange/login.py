"""A person's login refreshed: one process at a time, and a refresh token that changes is kept before all else."""

import re
import time

from gbearer import log
from gbearer.errors import Refused, Unreachable
from gbearer.exchange import refresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.exchange.watch import Watch
    from gbearer.model import Ask
    from gbearer.sources import Source
    from gbearer.transport import Answer

_ONE_WORD = re.compile(r"[!-~]+")


def refreshed(ask: "Ask", source: "Source", watch: "Watch") -> "Any":
    """A credential that has its token.

    A login is refreshed by one process at a time, each with the refresh token that the one before it left, and a new
    one is kept before anything else is done with the answer: whoever is killed then has lost nothing, as Google
    takes the former one until the new one has been used.
    """
    if source.lock:
        _load(source.kind)
    with source.turn(watch.transport.left):
        began = time.monotonic()
        credential = source.credentials(ask, watch.transport)
        watch.transport.allow(time.monotonic() - began)  # a keyring may have asked its owner for a password
        used = credential.refresh_token
        watch.arrived = lambda answer: _keep(answer, used, source)
        try:
            refresh.refresh(credential, watch)
        except Refused as refused:
            newer = _newer.get(used)
            if newer is None or b'"invalid_grant"' not in refused.body:
                raise
            log.debug(f"{source.where} is refused: once more with the refresh token that came last")
            source.current = lambda: newer
            credential = source.credentials(ask, watch.transport)
            refresh.refresh(credential, watch)
        finally:
            watch.arrived = None
    return credential


def _load(kind: str) -> None:
    """Import what the refresh will need: that takes longer than the refresh, and others wait for its end."""
    if kind == "authorized_user":
        import google.oauth2.credentials
    else:
        import google.auth.external_account_authorized_user  # noqa: F401


_newer: dict[str, str] = {}
"""Refresh tokens that came instead of those (the keys) in files that are never written to; for this process only."""


def _keep(answer: "Answer", used: str, source: "Source") -> None:
    """Put a new refresh token in the place of the `used` one; a token that came with it is good all the same."""
    try:
        said = answer.json()
    except Unreachable:
        return  # told where the token is looked for
    new = said.get("refresh_token") if isinstance(said, dict) else None
    if not isinstance(new, str) or new == used or not _ONE_WORD.fullmatch(new):
        return
    if source.rotated is None:
        log.debug(f"a new refresh token came for {source.where}, which is not written to; the old one stays in use")
        _newer[used] = new
        return
    try:
        source.rotated(new)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        log.warn(f"the new refresh token for {source.where} could not be kept: {reason}")
