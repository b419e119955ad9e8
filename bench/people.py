"""The rows of a person's own machine: a warm header for somebody who is signed in, by login, profile, gcloud."""

import json
import re
import sqlite3
import subprocess
import time
from pathlib import Path

from measure import GBEARER, PYTHON, Ratio, once, pairs, process

from gbearer.emulator import Emulator


def rows(em: Emulator, env: dict[str, str], count: int, home: Path, settle: float) -> list[Ratio]:
    """`gbearer header` for a logged-in user, warm, against bare Python; the same for a profile and gcloud's session."""
    nobody = {name: value for name, value in env.items() if name != "GOOGLE_APPLICATION_CREDENTIALS"}
    _log_in(em, nobody)
    once([GBEARER, "profile", "set", "bench", "credentials", str(em.key_file)], nobody)
    gcloud = _gcloud(em, home / "gcloud")
    time.sleep(settle)
    bare = process([PYTHON, "-c", "pass"], nobody)
    made, few = [], max(3, count // 3)
    for what, args, more in (
        ("login", [], {}),
        ("profile", ["--profile", "bench"], {}),
        ("gcloud's session", ["--source", "gcloud"], gcloud),
    ):
        command = [GBEARER, "header", *args]
        once(command, nobody | more)
        once(command, nobody | more)
        em.reset()
        made.append(
            pairs(f"gbearer header, warm, {what}", process(command, nobody | more), "python -c pass", bare, count)
        )
        if em.log():
            raise SystemExit(f"error: the warm runs with {what} asked the server")
        count = few
    return made


def _log_in(em: Emulator, env: dict[str, str]) -> None:
    """Sign in by hand: the URL that is printed is gone through, and the answer pasted."""
    command = [GBEARER, "login", "--client-file", str(em.client_file), "--no-browser"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, text=True, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin
        assert process.stderr
        url = next(found for line in process.stderr if (found := re.match(r"http://\S+/o/oauth2/\S+", line)))
        _, told = process.communicate(em.sign_in(url[0]) + "\n", timeout=30)
        if process.returncode:
            raise SystemExit(f"error: gbearer login ended with {process.returncode}\n{told}")


def _gcloud(em: Emulator, folder: Path) -> dict[str, str]:
    """A folder like gcloud's with the emulator's user in it; the variable that names it."""
    account = "ada@example.com"
    (folder / "configurations").mkdir(parents=True)
    (folder / "configurations" / "config_default").write_text(f"[core]\naccount = {account}\n")
    (folder / "active_config").write_text("default")
    with sqlite3.connect(folder / "credentials.db") as base:
        base.execute('CREATE TABLE "credentials" (account_id TEXT PRIMARY KEY, value BLOB)')
        base.execute(
            "INSERT INTO credentials VALUES (?, ?)", (account, json.dumps(json.loads(em.user_file.read_text())))
        )
    base.close()
    return {"CLOUDSDK_CONFIG": str(folder)}
