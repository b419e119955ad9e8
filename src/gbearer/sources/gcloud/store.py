"""gcloud's databases, read without a lock and without a trace: their bytes are taken and looked at in memory.

SQLite itself would lock them and might leave files beside them. A database in whose middle somebody is writing is told
by what SQLite keeps beside it: see https://sqlite.org/atomiccommit.html and https://sqlite.org/fileformat.html.
"""

import os
import time

from gbearer import log
from gbearer.errors import BadCredentials, Error
from gbearer.sources.gcloud import database

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from gbearer.sources.look import Look

CREDENTIALS = "credentials.db"
TOKENS = "access_tokens.db"
LARGEST = 16 << 20
"""Bytes that a database may have: an account takes 2 to 4 thousand."""
PATIENCE = 2.0
"""Seconds for which somebody who writes is waited for; gcloud's own writes take some thousandths of one."""
_PAUSE = 0.05


class Stored:
    """What gcloud keeps.

    path      the file
    there     whether it is there
    accounts  account -> its credential as JSON text; accounts of another universe end in `#UNIVERSE`
    strange   why its form is not the one that is known, "" where it is
    pin       a digest of the whole file, for an answer that rests on what is not understood
    """

    __slots__ = ("accounts", "path", "pin", "strange", "there")

    def __init__(self, path: str) -> None:
        self.path = path
        self.there = False
        self.accounts: dict[str, str] = {}
        self.strange = ""
        self.pin = ""


def read(look: "Look", folder: str) -> Stored:
    """The accounts in `folder`; BadCredentials when the file is damaged, unreadable, or somebody does not stop writing.

    Its bytes are as they were at one moment between two transactions, and so is the identity that `look` notes.
    """
    stored = Stored(os.path.join(folder, CREDENTIALS))
    data = _steady(look, stored.path, PATIENCE)
    if data is None:
        return stored
    stored.there = True
    look.by_bytes(stored.path, data)  # every start of gcloud sets its mode anew, and with it one of its times
    if not data:  # gcloud makes the file before its table
        return stored
    from _blake2 import blake2b

    stored.pin = blake2b(data, digest_size=32).hexdigest()

    def take(base: "sqlite3.Connection") -> None:
        columns = database.columns(base, "credentials", stored.path)
        if not columns and base.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
            return
        if not {"account_id", "value"} <= columns:
            stored.strange = "it has no table of credentials as this version knows it"
            return
        length = 0
        for account, value in base.execute("SELECT account_id, value FROM credentials ORDER BY rowid"):
            stored.accounts[database.text(account)] = text = database.text(value)
            length += len(text)
            if length > LARGEST:  # rows of a made-up file may share their pages
                raise database.damaged(stored.path, "it seems to hold more than fits into it")

    database.query(stored.path, data, take)
    return stored


def rapt(look: "Look", folder: str, account: str) -> str:
    """The proof of reauthentication that gcloud keeps for `account`, "" where there is none; raises nothing.

    Read past what `look` notes, on purpose: gcloud writes that file once an hour, and whose token it will be does not
    depend on it.
    """
    path = os.path.join(folder, TOKENS)
    found: list[str] = []

    def take(base: "sqlite3.Connection") -> None:
        if not {"account_id", "rapt_token"} <= database.columns(base, "access_tokens", path):
            return
        row = base.execute("SELECT rapt_token FROM access_tokens WHERE account_id = ?", (account,)).fetchone()
        found.append(database.text(row[0]) if row and row[0] else "")

    try:
        data = _steady(type(look)(look.env, root=look.root, system=look.system), path, PATIENCE / 4)
        if data:
            database.query(path, data, take)
    except Error as error:
        log.debug(f"{path}: {error.why or error.message}")
    return found[0] if found else ""


def _steady(look: "Look", path: str, patience: float) -> bytes | None:
    """The bytes of the database between two transactions, None where it is not there."""
    until = time.monotonic() + patience
    while True:
        busy = _busy(look, path)
        if not busy:
            data = look.read(path, blank=True, largest=LARGEST)
            again = look.read(path, blank=True, largest=LARGEST)
            busy = _busy(look, path) or ("" if data == again else "it changes while it is read")
            if not busy:
                return data
        if time.monotonic() >= until:
            raise BadCredentials(
                f"gcloud's file {path} is being written",
                why=f"{busy}; {patience:.0f} s were waited",
                fix="try again when gcloud is done; if it was killed while it wrote, `gcloud auth list` mends the file",
            )
        time.sleep(_PAUSE)


def _busy(look: "Look", path: str) -> str:
    """Why the bytes of the database may not be a whole now, "" where they are.

    A rollback journal counts once its first byte is there: before that, and after it was zeroed or emptied, no page of
    the database is touched. What is in a write-ahead log is not in the database yet. Both are noted in `look`: a
    change to them alone may change what the database holds.
    """
    if (look.read(f"{path}-journal", blank=True, largest=LARGEST) or b"\0")[0]:
        return f"a transaction is under way or was broken off ({os.path.basename(path)}-journal)"
    if look.read(f"{path}-wal", blank=True, largest=LARGEST):
        return f"changes are waiting in {os.path.basename(path)}-wal"
    return ""
