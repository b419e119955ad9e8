"""What the tests of gcloud's session do with their hands: build gcloud's folder, and take its fingerprints."""

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from sources.hands import KEY, USER

ADA, BOB, ROBOT = "ada@example.com", "bob@example.com", "robot@my-project.iam.gserviceaccount.com"
TARGET = "target@my-project.iam.gserviceaccount.com"
GCLOUD_USER = USER | {
    "client_id": "32555940559.apps.googleusercontent.com",
    "revoke_uri": "https://oauth2.googleapis.com/revoke",
    "scopes": ["openid", "https://www.googleapis.com/auth/cloud-platform"],
    "token_uri": "https://oauth2.googleapis.com/token",
    "universe_domain": "googleapis.com",
}
GCLOUD_KEY = KEY | {"universe_domain": "googleapis.com", "project_id": None}
ACCOUNTS: dict[str, object] = {ADA: GCLOUD_USER, ROBOT: GCLOUD_KEY}


def database(path: Path, accounts: Mapping[str, object], *, journal: str = "delete") -> None:
    """The credentials.db of gcloud with `accounts`; what is no text is written as gcloud writes JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_at(path) as base:
        base.execute(f"PRAGMA journal_mode = {journal}")
        base.execute('CREATE TABLE IF NOT EXISTS "credentials" (account_id TEXT PRIMARY KEY, value BLOB)')
        for account, value in accounts.items():
            text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True)
            base.execute("REPLACE INTO credentials VALUES (?, ?)", (account, text))
    base.close()


def open_at(path: Path, timeout: float = 5.0) -> sqlite3.Connection:
    """A connection without Python's own transactions."""
    return sqlite3.connect(path, isolation_level=None, timeout=timeout)


def configuration(folder: Path, name: str, text: str, *, active: bool = False) -> None:
    """A configuration of that name."""
    (folder / "configurations").mkdir(parents=True, exist_ok=True)
    (folder / "configurations" / f"config_{name}").write_text(text)
    if active:
        (folder / "active_config").write_text(name)


def session(
    folder: Path, account: str = ADA, accounts: Mapping[str, object] = ACCOUNTS, more: str = ""
) -> dict[str, str]:
    """A whole folder with `account` selected in the configuration `default`; the environment that names it."""
    database(folder / "credentials.db", accounts)
    configuration(folder, "default", f"[core]\naccount = {account}\n{more}", active=True)
    return {"CLOUDSDK_CONFIG": str(folder), "PATH": ""}


def traces(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file and folder below `folder`, with its times and its bytes: what must be the same afterwards."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        about = os.stat(path)
        found[str(path)] = (about.st_mtime_ns, about.st_ctime_ns, path.read_bytes() if path.is_file() else b"")
    return found
