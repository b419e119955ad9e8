"""One of gcloud's databases, asked in memory and not trusted: whoever wrote it may have put statements into it."""

import os
import re
import time

from gbearer.errors import BadCredentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

LONGEST = 1 << 20
"""Bytes that a value in it may have, as a credential file."""
SECONDS = 2.0
"""How long reading it may take."""
_STEPS = 1000
"""Instructions of SQLite's machine between two looks at the clock: a session of gcloud's takes fewer altogether."""
_HEADER = b"SQLite format 3\0"
_TABLE = re.compile(r"CREATE TABLE\b", re.IGNORECASE)


def query(path: str, data: bytes, take: "Callable[[sqlite3.Connection], None]") -> None:
    """Let `take` ask the database in `data`; BadCredentials when that is none or damaged."""
    import sqlite3

    if not data.startswith(_HEADER):
        raise damaged(path, "it is no SQLite database")
    if data[19:20] == b"\2":  # by its log, which is empty: without this mark it can be opened in memory
        data = data[:18] + b"\1\1" + data[20:]
    base = None
    try:
        if hasattr(sqlite3.Connection, "deserialize"):
            base = sqlite3.connect(":memory:")
            base.deserialize(data)
        else:  # SQLite before 3.36: the file itself, with the promise that nobody changes it, so without a lock
            base = unlocked(path)
        base.text_factory = bytes
        _bounded(base)
        take(base)
    except (sqlite3.Error, MemoryError) as error:
        raise damaged(path, _why(error)) from None
    finally:
        if base is not None:
            base.close()


def _bounded(base: "sqlite3.Connection") -> None:
    """Nothing is run but plain reading, for so long and of so much, see https://sqlite.org/security.html."""
    import sqlite3

    until = time.monotonic() + SECONDS
    plain = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA)

    def allow(action: int, _: object, __: object, ___: object, view: str | None) -> int:
        return sqlite3.SQLITE_OK if action in plain and view is None else sqlite3.SQLITE_DENY

    base.execute("PRAGMA query_only = 1")
    base.execute("PRAGMA trusted_schema = 0")
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    base.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
    base.set_authorizer(allow)


def columns(base: "sqlite3.Connection", table: str, path: str) -> set[str]:
    """The columns of that table, none where there is none; BadCredentials where something else has its name."""
    found = base.execute(
        "SELECT type, rootpage, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE", (table,)
    ).fetchone()
    if found is None:
        return set()
    kind, page, sql = text(found[0]), found[1], text(found[2])
    if kind != "table" or not page or not _TABLE.match(sql):
        raise damaged(path, f"its {table} is no plain table, and only such are read")
    return {text(row[1]) for row in base.execute(f'PRAGMA table_info("{table}")')}


def _why(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "it wants more memory than there is"
    said = str(error) or "SQLite does not say why"
    return f"reading it did not end in {SECONDS:.0f} s" if said == "interrupted" else said


def unlocked(path: str) -> "sqlite3.Connection":
    """The database at `path`, opened so that SQLite neither locks nor writes nor makes anything."""
    import sqlite3
    from urllib.request import pathname2url

    return sqlite3.connect(f"file:{pathname2url(os.path.abspath(path))}?mode=ro&immutable=1", uri=True)


def text(value: object) -> str:
    """What SQLite gave, as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def damaged(path: str, why: str) -> BadCredentials:
    """The error for a database that cannot be used, with the cause."""
    return BadCredentials(
        f"gcloud's file {path} is damaged",
        why=why,
        fix=f"move it away (mv {path} {path}.old) and sign in anew: `gcloud auth login`",
    )
