"""gcloud's databases in every state that they can be in: read without a trace, or one clear error."""

import json
import os
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from gbearer.errors import BadCredentials, CredentialsNotFound
from gbearer.sources.gcloud import database as asked
from gbearer.sources.gcloud import store
from sources.gcloud.hands import ACCOUNTS, ADA, BOB, GCLOUD_USER, ROBOT, database, open_at, session, traces
from sources.hands import find, refusal


def whose(env: dict[str, str]) -> str:
    return find(env, source="gcloud")[0].principal


@pytest.mark.parametrize("journal", ["delete", "truncate", "persist", "wal"])
def test_the_folder_is_as_before_to_the_byte_and_to_the_nanosecond(tmp_path: Path, journal: str) -> None:
    env = session(tmp_path)
    (tmp_path / "credentials.db").unlink()
    database(tmp_path / "credentials.db", ACCOUNTS, journal=journal)
    before = traces(tmp_path)
    assert whose(env) == ADA
    assert traces(tmp_path) == before


def test_a_folder_that_may_not_be_written_to_will_do(tmp_path: Path) -> None:
    env = session(tmp_path)
    for path in [*tmp_path.rglob("*"), tmp_path]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        assert whose(env) == ADA
    finally:
        for path in [tmp_path, *tmp_path.rglob("*")]:
            path.chmod(0o700)


def test_a_database_that_somebody_has_locked_is_read_as_it_was_committed(tmp_path: Path) -> None:
    env = session(tmp_path)
    base = open_at(tmp_path / "credentials.db")
    base.execute("BEGIN EXCLUSIVE")
    try:
        begun = time.monotonic()
        assert whose(env) == ADA
        assert time.monotonic() - begun < 1
    finally:
        base.close()


def spilled(path: Path) -> sqlite3.Connection:
    """A transaction that has already changed pages of the database itself, and is not committed."""
    base = open_at(path)
    base.execute("PRAGMA cache_size = 1")
    base.execute("BEGIN EXCLUSIVE")
    base.execute("UPDATE credentials SET value = 'half of something'")
    for number in range(200):
        base.execute("REPLACE INTO credentials VALUES (?, ?)", (f"user{number}@example.com", "x" * 4000))
    return base


def test_a_transaction_under_way_is_waited_for(tmp_path: Path) -> None:
    env = session(tmp_path)
    before = (tmp_path / "credentials.db").read_bytes()
    base = spilled(tmp_path / "credentials.db")
    assert (tmp_path / "credentials.db").read_bytes() != before, "the test shows nothing: no page was written"
    seen: list[str] = []
    asker = threading.Thread(target=lambda: seen.append(whose(env)))
    asker.start()
    time.sleep(0.3)
    assert asker.is_alive()
    base.execute("ROLLBACK")
    base.close()
    asker.join(5)
    assert seen == [ADA]


def test_a_transaction_that_does_not_end_is_told_and_so_is_what_a_killed_gcloud_leaves(tmp_path: Path) -> None:
    env = session(tmp_path)
    base = spilled(tmp_path / "credentials.db")
    text = refusal(BadCredentials, env, source="gcloud")
    assert "is being written" in text
    assert "credentials.db-journal" in text
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path, killed)
    base.close()
    before = traces(killed)
    refusal(BadCredentials, {"CLOUDSDK_CONFIG": str(killed), "PATH": ""}, source="gcloud")
    assert traces(killed) == before
    open_at(killed / "credentials.db").execute("SELECT count(*) FROM credentials").fetchone()  # as `gcloud auth list`
    assert whose({"CLOUDSDK_CONFIG": str(killed), "PATH": ""}) == ADA


def test_changes_that_wait_in_a_log_are_told_and_read_once_they_are_in(tmp_path: Path) -> None:
    env = session(tmp_path, BOB)
    (tmp_path / "credentials.db").unlink()
    database(tmp_path / "credentials.db", ACCOUNTS, journal="wal")
    base = open_at(tmp_path / "credentials.db")
    base.execute("PRAGMA wal_autocheckpoint = 0")
    base.execute("REPLACE INTO credentials VALUES (?, ?)", (BOB, json.dumps(GCLOUD_USER)))
    assert "credentials.db-wal" in refusal(BadCredentials, env, source="gcloud")
    base.close()
    assert whose(env) == BOB


def test_answers_are_whole_while_somebody_writes_without_a_pause(tmp_path: Path) -> None:
    env = session(tmp_path)
    stop = threading.Event()

    def write() -> None:
        base = open_at(tmp_path / "credentials.db", timeout=30)
        number = 0
        while not stop.is_set():
            number += 1
            base.execute("REPLACE INTO credentials VALUES (?, ?)", (f"user{number % 50}@example.com", "x" * 3000))
            time.sleep(0.002)
        base.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert [whose(env) for _ in range(60)] == [ADA] * 60
    finally:
        stop.set()
        writer.join()


def damaged(data: bytes) -> dict[str, bytes]:
    return {
        "is damaged": data[: len(data) // 2],
        "it is no SQLite database": b"not a database" * 100,
        "malformed": data[:4096] + b"\xff" * (len(data) - 4096),
    }


@pytest.mark.parametrize("told", ["is damaged", "it is no SQLite database", "malformed"])
def test_a_damaged_file(tmp_path: Path, told: str) -> None:
    env = session(tmp_path)
    path = tmp_path / "credentials.db"
    path.write_bytes(damaged(path.read_bytes())[told])
    text = refusal(BadCredentials, env, source="gcloud")
    assert told in text
    assert "`gcloud auth login`" in text


def test_an_empty_file_holds_no_accounts(tmp_path: Path) -> None:
    env = session(tmp_path)
    for data in (b"", None):
        (tmp_path / "credentials.db").unlink()
        if data is None:
            open_at(tmp_path / "credentials.db").execute("VACUUM")
        else:
            (tmp_path / "credentials.db").write_bytes(data)
        assert f"no credentials for {ADA}" in refusal(CredentialsNotFound, env, source="gcloud")


def test_a_file_that_is_too_large_or_no_file(tmp_path: Path) -> None:
    env = session(tmp_path)
    os.truncate(tmp_path / "credentials.db", store.LARGEST + 1)
    assert "larger than 16 MiB" in refusal(BadCredentials, env, source="gcloud")
    (tmp_path / "credentials.db").unlink()
    os.mkfifo(tmp_path / "credentials.db")
    assert "not a regular file" in refusal(BadCredentials, env, source="gcloud")


def test_many_accounts_are_no_trouble(tmp_path: Path) -> None:
    env = session(tmp_path, accounts=ACCOUNTS | {f"u{n}@example.com": GCLOUD_USER for n in range(3000)})
    assert (tmp_path / "credentials.db").stat().st_size > 1 << 20
    assert whose(env) == ADA


def test_where_sqlite_cannot_read_bytes_it_opens_the_file_without_a_lock_or_a_trace(tmp_path: Path) -> None:
    session(tmp_path)
    path = tmp_path / "credentials.db"
    for writer in (open_at(path), None):
        if writer is not None:
            writer.execute("BEGIN EXCLUSIVE")
        before = traces(tmp_path)
        base = asked.unlocked(str(path))
        rows = base.execute("SELECT account_id FROM credentials ORDER BY 1").fetchall()
        base.close()
        assert rows == [(ADA,), (ROBOT,)]
        assert traces(tmp_path) == before
        if writer is not None:
            writer.close()


FIELDS = {"credentials": "account_id, value", "access_tokens": "account_id, rapt_token"}
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT '{who}', i FROM n WHERE i < 0"
HOSTILE = {
    "endless": "CREATE VIEW {table} ({fields}) AS " + ENDLESS,
    "bomb": "CREATE VIEW {table} ({fields}) AS SELECT '{who}', hex(zeroblob(450000000))",
    "virtual": "CREATE VIRTUAL TABLE {table} USING fts4({fields})",
}


def hostile(path: Path, table: str, how: str) -> None:
    """A database in which something else has the name of gcloud's table."""
    path.unlink(missing_ok=True)
    base = open_at(path)
    base.execute(HOSTILE[how].format(table=table, fields=FIELDS[table], who=ADA))
    base.close()


@pytest.mark.parametrize("how", HOSTILE)
def test_what_only_has_the_name_of_the_table_is_not_asked(tmp_path: Path, how: str) -> None:
    env = session(tmp_path)
    hostile(tmp_path / "credentials.db", "credentials", how)
    begun = time.monotonic()
    text = refusal(BadCredentials, env, source="gcloud")
    assert "its credentials is no plain table" in text
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_file_beside_it_takes_no_time_and_no_session(tmp_path: Path, how: str) -> None:
    env = session(tmp_path)
    hostile(tmp_path / "access_tokens.db", "access_tokens", how)
    begun = time.monotonic()
    assert whose(env) == ADA
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("how", ["endless", "bomb"])
def test_a_view_that_the_catalogue_calls_a_table_is_not_run_either(tmp_path: Path, how: str) -> None:
    env = session(tmp_path)
    hostile(tmp_path / "credentials.db", "credentials", how)
    base = open_at(tmp_path / "credentials.db")
    base.execute("PRAGMA writable_schema = 1")
    base.execute("UPDATE sqlite_master SET type = 'table', rootpage = 1")
    base.close()
    begun = time.monotonic()
    text = refusal(BadCredentials, env, source="gcloud")
    assert "credentials.db is damaged" in text
    assert "\n  why: " in text
    assert time.monotonic() - begun < 1


def test_values_that_are_computed_are_not(tmp_path: Path) -> None:
    env = session(tmp_path)
    (tmp_path / "credentials.db").unlink()
    base = open_at(tmp_path / "credentials.db")
    base.execute("CREATE TABLE credentials (account_id TEXT, value BLOB AS (hex(zeroblob(450000000))))")
    base.execute("INSERT INTO credentials VALUES (?)", (ADA,))
    base.close()
    assert "gcloud is not installed" in refusal(BadCredentials, env, source="gcloud")  # a form that is not known


def test_a_value_that_no_credential_has(tmp_path: Path) -> None:
    env = session(tmp_path, accounts=ACCOUNTS | {BOB: "x" * (asked.LONGEST + 1)})
    text = refusal(BadCredentials, env, source="gcloud")
    assert "credentials.db is damaged" in text
    assert "too big" in text


def test_hundreds_of_thousands_of_rows_are_read_in_time(tmp_path: Path) -> None:
    env = session(tmp_path)
    base = open_at(tmp_path / "credentials.db")
    base.execute("BEGIN")
    base.executemany("INSERT INTO credentials VALUES (NULL, ?)", (("",) for _ in range(300_000)))
    base.execute("COMMIT")
    base.close()
    begun = time.monotonic()
    assert whose(env) == ADA
    assert time.monotonic() - begun < asked.SECONDS + 1


def test_a_question_that_takes_too_long_is_broken_off(tmp_path: Path) -> None:
    session(tmp_path, accounts={f"u{number}@example.com": "x" for number in range(300)})
    path = tmp_path / "credentials.db"

    def take(base: sqlite3.Connection) -> None:
        base.execute(
            "SELECT 1 FROM credentials a, credentials b, credentials c, credentials d "
            "WHERE a.value || b.value || c.value || d.value < ''"
        ).fetchall()

    begun = time.monotonic()
    with pytest.raises(BadCredentials, match="did not end in 2 s"):
        asked.query(str(path), path.read_bytes(), take)
    assert time.monotonic() - begun < asked.SECONDS + 1
