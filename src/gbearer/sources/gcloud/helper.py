"""gcloud itself is asked for a token (`gcloud config config-helper`) where its files are not understood here."""

import re
import time
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import endpoints, log, warm
from gbearer.errors import BadCredentials, Denied, LoginRequired, Unreachable, UsageError
from gbearer.sources import program
from gbearer.sources.gcloud import installed
from gbearer.sources.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gbearer.model import Ask
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

SECONDS = 60.0
"""How long gcloud may take: it starts in one second, and in many on a network folder."""
_ACCOUNT = re.compile(r"[A-Za-z0-9@._:/+#-]+")  # what goes through cmd.exe unharmed
_LOGIN = re.compile(r"gcloud auth login|reauth|invalid_grant", re.IGNORECASE)
_NO_CHAIN = {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": ""}
"""The chain of an impersonation is walked here: scopes, lifetimes and ID tokens are possible then."""


class Asked:
    """What google-auth calls a credential, as far as it is used: `refresh` asks gcloud.

    token   the access token, None before the first `refresh`
    expiry  its end as a naive datetime in UTC, None where gcloud does not say
    """

    __slots__ = ("_ask", "expiry", "id_token", "token")

    def __init__(self, ask: "Any") -> None:
        self._ask = ask
        self.token: str | None = None
        self.expiry: Any = None
        self.id_token: str | None = None

    def refresh(self, request: object) -> None:
        """Start gcloud; raises our errors."""
        del request
        self.token, self.expiry = self._ask()


def source(account: str, why: str, pinned: str, look: "Look") -> Source:
    """The source that asks gcloud for `account` ("" leaves the choice to it), as `why` says; `pinned` by its files.

    BadCredentials where it is not installed, or an emulator is set: gcloud would talk to Google.
    """
    look.remember = False  # what else it depends on, only gcloud knows
    path = installed.program(look)
    whose = account or "the active account"
    if endpoints.emulator(look.env) is not None:
        raise BadCredentials(
            f"gcloud would have to be asked for {whose}, and {endpoints.EMULATOR_VARIABLE} is set",
            why=f"{why}; gcloud does not know that variable and would send a real secret to Google; it was not started",
            fix=f"unset {endpoints.EMULATOR_VARIABLE}, or select an account that the emulator made",
        )
    if not path:
        raise BadCredentials(
            f"what gcloud keeps for {whose} cannot be used without gcloud",
            why=f"{why}, which this version does not know; and gcloud is not installed (it is not on PATH)",
            fix=f"install it ({installed.INSTALL}), or select another account with --account",
        )
    if account and not _ACCOUNT.fullmatch(account):
        raise UsageError(
            f"gcloud is not asked for {account[:80]!r}", why="no account has such characters", fix="correct --account"
        )
    log.debug(f"{why}: gcloud is asked")

    def make(ask: "Ask", transport: "Transport") -> Asked:
        _check_possible(ask, path)
        return Asked(lambda: _timed(path, account, look, transport, ask))

    found = Source("gcloud", make, principal=account, scopes=(), where=f"{path} config config-helper")
    found.patience = SECONDS
    if account:
        parts = f"{path}\0{account}\0{pinned}".encode("utf-8", "surrogateescape")
        found.fingerprint = blake2b(parts, digest_size=32).hexdigest()
    found.sign_in = f"gcloud auth login {account}".strip()
    return found


def _timed(path: str, account: str, look: "Look", transport: "Transport", ask: "Ask") -> tuple[str, "Any"]:
    """The token that gcloud has; a new one where that was asked for, or where what it has ends too soon."""
    begun = time.monotonic()
    answered = answer(path, account, look, SECONDS, anew=ask.refresh)
    if not ask.refresh and _ends_within(answered[1], max(ask.min_ttl, warm.WINDOW)):
        left = SECONDS - (time.monotonic() - begun)
        answered = answer(path, account, look, left, anew=True)
    transport.allow(time.monotonic() - begun)
    return answered


def _ends_within(expiry: "Any", seconds: float) -> bool:
    import datetime

    return expiry is not None and (expiry.replace(tzinfo=datetime.UTC).timestamp() - time.time()) < seconds


def answer(path: str, account: str, look: "Look", seconds: float, *, anew: bool = False) -> tuple[str, "Any"]:
    """(token, its end as google-auth has it) from the gcloud at `path`, which may take so many seconds; our errors.

    It is the token that gcloud keeps, as long as gcloud holds that for good, unless it is to be had `anew`.
    """
    argv = [path, "config", "config-helper", "--format=json"]
    argv += ["--force-auth-refresh"] if anew else []
    argv += [f"--account={account}"] if account else []
    try:
        ended = program.run(argv, {**look.env, **_NO_CHAIN}, seconds)
    except (OSError, ValueError) as error:
        raise BadCredentials(
            f"{path} cannot be run",
            why=str(getattr(error, "strerror", None) or error).lower(),
            fix="install gcloud anew",
        ) from None
    said = _said(ended.err)
    by_hand = f"run it by hand: {' '.join(argv)}"
    if ended.status is None:
        raise Unreachable("gcloud did not end in time", why=f"it was given {seconds:.0f} s; {said}", fix=by_hand)
    if ended.status:
        if _LOGIN.search(said):
            sign_in = f"run `gcloud auth login {account}`".rstrip()
            raise LoginRequired(f"gcloud gives no token for {account}", why=said, fix=sign_in)
        raise BadCredentials(f"gcloud gives no token for {account}", why=f"status {ended.status}; {said}", fix=by_hand)
    return _read(ended.out, by_hand)


def _read(out: bytes, by_hand: str) -> tuple[str, "Any"]:
    """(token, its end) in the answer of config-helper."""
    import datetime
    import json

    try:
        told = json.loads(out)["credential"]
        token, ends = told["access_token"], told.get("token_expiry")
        expiry = datetime.datetime.strptime(ends, "%Y-%m-%dT%H:%M:%SZ") if ends else None  # noqa: DTZ007 - as google-auth
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Unreachable(
            "gcloud's answer is not understood", why="it is no credential as config-helper gives it", fix=by_hand
        ) from None
    return token, expiry


def _check_possible(ask: "Ask", path: str) -> None:
    if ask.kind == "id":
        raise Denied(
            f"gcloud gives no ID token for {ask.audience} in this way",
            why=f"{path} is asked for an access token, because its files are not understood",
            fix="add --impersonate SERVICE_ACCOUNT with one that may call it and that you may impersonate",
        )
    if ask.kind == "jwt" or ask.subject or ask.scopes:
        what = "--subject" if ask.subject else "--type jwt" if ask.kind == "jwt" else "--scope"
        raise UsageError(
            f"{what} cannot be had from gcloud",
            why=f"{path} is asked for its own access token, which stays what it is",
            fix=f"drop {what}, or add --impersonate SERVICE_ACCOUNT",
        )


def _said(data: bytes) -> str:
    """What gcloud wrote to stderr, on one line, redacted and cut."""
    text = "".join(c if c.isprintable() else " " for c in data.decode("utf-8", "replace")[:4000])
    return log.redact(" ".join(text.split()))[:300] or "it said nothing"
