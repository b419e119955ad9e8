"""gcloud's own session, read from gcloud's files: whoever gcloud would be, without starting it (`--source gcloud`).

The order is gcloud's: a token or a file in the place of the session, else the account of the option, the variable, or
the active configuration; over any of them the chain of auth/impersonate_service_account.
"""

import os
from _blake2 import blake2b  # hashlib costs ten times as much to import

from gbearer import grammar
from gbearer.errors import BadCredentials, UsageError
from gbearer.model import CLOUD_PLATFORM
from gbearer.sources import wellknown
from gbearer.sources.gcloud import accounts, configuration, helper, instead, store, stored
from gbearer.sources.source import Source

_SCOPED = ("service_account", "external_account")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gbearer.errors import Error
    from gbearer.model import Ask
    from gbearer.sources.detect import Notes
    from gbearer.sources.gcloud.configuration import Configuration
    from gbearer.sources.look import Look
    from gbearer.transport import Transport

PLACE = "gcloud's session"
SCOPES = (
    "openid",
    "https://www.googleapis.com/auth/userinfo.email",
    CLOUD_PLATFORM,
    "https://www.googleapis.com/auth/appengine.admin",
    "https://www.googleapis.com/auth/sqlservice.login",
    "https://www.googleapis.com/auth/compute",
)
"""What gcloud 528 asks for where no list is kept with the credential."""


def find(ask: "Ask", look: "Look", transport: "Transport", notes: "Notes | None") -> Source | None:
    """The session's credential; None only where the source is not named and gcloud does not know `ask.account`.

    CredentialsNotFound where gcloud is not installed, has no account, or no credentials for the account;
    BadCredentials where a file of gcloud's cannot be used, UsageError where the question contradicts the session.
    """
    named = ask.source == "gcloud"
    if not named and _closed(look):
        return None
    active = configuration.read(look)
    source = instead.find(active, ask, look)
    if source is None:
        source = _of_account(active, ask, look, transport, notes, named=named)
    if source is None:
        return None
    _as_configured(source, active, ask)
    look.found(PLACE, accounts.describe(source, active, ask))
    return source


def _closed(look: "Look") -> bool:
    """Whether there is no folder of gcloud's that may be looked into; the reason is noted."""
    folder = wellknown.folder(look)
    try:
        os.stat(os.path.join(folder, store.CREDENTIALS))
    except PermissionError:
        look.remember = False
        look.absent(PLACE, f"{folder} may not be looked into")
        return True
    except (OSError, ValueError):
        pass
    return False


def _of_account(
    active: "Configuration", ask: "Ask", look: "Look", transport: "Transport", notes: "Notes | None", *, named: bool
) -> Source | None:
    folder = wellknown.folder(look)
    kept = store.read(look, folder)
    account = ask.account or active.get("core", "account") or ""
    if kept.strange:
        why = f"{kept.path} is of a newer version: {kept.strange}"
        if named:
            return helper.source(account, why, kept.pin, look)
        look.absent(PLACE, f"{why}; --source gcloud asks gcloud itself")
        return None
    if not account:
        found = accounts.of_machine("", active, look, transport, notes)
        if found is None:
            raise _noted(accounts.nobody(kept, active, look), look)
        return found
    text, key = accounts.entry(account, kept, active)
    if text is None:
        found = accounts.of_machine(account, active, look, transport, notes) if named else None
        if found is not None:
            return found
        if named:
            raise _noted(accounts.unknown(account, kept, active, ask, look), look)
        look.absent(PLACE, f"gcloud has no credentials for {account}{accounts.known(kept, account)}")
        return None
    if active.true("context_aware", "use_client_certificate", otherwise=False):
        why = f"{active.said('context_aware', 'use_client_certificate')} asks for a client certificate"
        return helper.source(account, why, text, look)
    return stored.load(account, key, text, active, ask, look, transport, notes)


def _noted(error: "Error", look: "Look") -> "Error":
    look.absent(PLACE, f"{error.message}: {error.why}")
    return error


def _as_configured(source: Source, active: "Configuration", ask: "Ask") -> None:
    """Put what the configuration says over the credential: impersonation, project, quota project."""
    chain = () if ask.impersonate else _chain(active)
    _scopes(source, ask, chained=bool(chain))
    source.impersonate = (*source.impersonate, *chain)
    source.name = "gcloud"
    source.project = _project(active, "core", "project")
    person = source.person or (source.federation is not None and source.federation.pool.startswith("locations/"))
    source.quota_project = _quota_project(active, person=person and not ask.impersonate and not source.impersonate)


def _scopes(source: Source, ask: "Ask", *, chained: bool) -> None:
    """Have the source ask for gcloud's own scopes where gcloud does: for keys, federations, and whom it acts as.

    Not for a subject: gcloud has none, and domain-wide delegation is granted scope by scope. The pin tells what is
    asked for in this way from the same outside of the session, and a chain of the property from one that was typed.
    """
    before = source.scopes, source.base_scopes
    if chained:
        source.scopes = (CLOUD_PLATFORM,)
    if ask.subject:
        return
    takes = source.kind in _SCOPED or source.impersonate or chained
    if takes and source.scopes == (CLOUD_PLATFORM,):  # a file that impersonates may name its own
        source.scopes = SCOPES
    if source.kind in _SCOPED and not source.impersonate:
        source.base_scopes = SCOPES
    if source.fingerprint is not None and before != (source.scopes, source.base_scopes):
        pinned = f"{source.fingerprint}\0{chained}\0{' '.join(source.scopes)}"
        source.fingerprint = blake2b(pinned.encode(), digest_size=32).hexdigest()


def _chain(active: "Configuration") -> tuple[str, ...]:
    """The accounts of auth/impersonate_service_account, delegates first, as gcloud's option of that name has them."""
    text = active.get("auth", "impersonate_service_account")
    if not text:
        return ()
    chain = tuple(name.strip() for name in text.split(","))
    for name in chain:
        if not grammar.EMAIL.fullmatch(name) and not name.isdigit():
            raise BadCredentials(
                f"gcloud is told to act as {name[:80]!r}, which is no service account",
                why=f"auth/impersonate_service_account is set by {active.said('auth', 'impersonate_service_account')}",
                fix="gcloud config set auth/impersonate_service_account robot@PROJECT.iam.gserviceaccount.com",
            )
    return chain


def _quota_project(active: "Configuration", *, person: bool) -> str | None:
    """The project of X-Goog-User-Project, as gcloud chooses it: for people the current one, unless another is set."""
    named = active.get("billing", "quota_project")
    if named is None or named in ("CURRENT_PROJECT", "CURRENT_PROJECT_WITH_FALLBACK"):
        return _project(active, "core", "project") if person else None
    return None if named == "LEGACY" else _project(active, "billing", "quota_project")


def _project(active: "Configuration", section: str, name: str) -> str | None:
    value = active.get(section, name)
    if value and not grammar.PROJECT.fullmatch(value):
        raise UsageError(
            f"gcloud's {section}/{name} is {value[:80]!r}, which is no project id",
            why=f"it is set by {active.said(section, name)}",
            fix=f"gcloud config set {section}/{name} PROJECT",
        )
    return value or None
