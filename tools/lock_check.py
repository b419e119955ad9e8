"""Proves that pyproject.toml, uv.lock and requirements/dev.txt say the same and name the public index only."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
INDEX = "https://pypi.org/simple"
FILES = "https://files.pythonhosted.org/packages/"

# name -> (version, hashes)
Pins = dict[str, tuple[str, frozenset[str]]]


def canonical(name: str) -> str:
    """Spell a project's name as PEP 503 does."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins_of_lock(lock: dict[str, Any]) -> Pins:
    """Read every package of uv.lock but our own, with the hashes of all its files."""
    pins: Pins = {}
    for package in lock["package"]:
        if package["source"] == {"editable": "."}:
            continue
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        pins[package["name"]] = (package["version"], frozenset(file["hash"] for file in files))
    return pins


def pins_of_export(text: str) -> Pins:
    """Read `name==version ; marker --hash=...` entries; a line that is none of these is an error."""
    pins: Pins = {}
    for entry in text.replace("\\\n", " ").splitlines():
        if not entry.strip() or entry.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==(\S+)(?: *; [^\"]*?)?((?: +--hash=\S+)+) *", entry)
        if match is None:
            raise SystemExit(f"requirements/dev.txt: not understood: {entry[:80]}")
        name, version, hashes = match.groups()
        pins[canonical(name)] = (version, frozenset(hashes.replace("--hash=", "").split()))
    return pins


def foreign(lock: dict[str, Any]) -> list[str]:
    """Name what in uv.lock does not come from the public index."""
    found = []
    for package in lock["package"]:
        source = package["source"]
        if source not in ({"editable": "."}, {"registry": INDEX}):
            found.append(f"uv.lock: {package['name']} comes from {source}")
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        found += [f"uv.lock: a file at {file}" for file in files if not file.get("url", "").startswith(FILES)]
    return found


def requirement(text: str) -> tuple[str, frozenset[str], frozenset[str]]:
    """Take `name[extra]>=1,<2` apart: name, extras, version clauses."""
    match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[([^]]*)\])?\s*([^;\s]*)", text)
    if match is None:
        raise SystemExit(f"pyproject.toml: requirement not understood: {text}")
    name, extras, clauses = match.groups()
    return (
        canonical(name),
        frozenset(extra.strip() for extra in (extras or "").split(",") if extra.strip()),
        frozenset(clause for clause in clauses.split(",") if clause),
    )


def declared(project: dict[str, Any]) -> set[tuple[str, ...]]:
    """List pyproject.toml's requirements, each with the extra or group it is for."""
    own = canonical(project["project"]["name"])
    extras = project["project"]["optional-dependencies"]
    rows = [("", text) for text in project["project"]["dependencies"]]
    for extra, texts in extras.items():
        for text in texts:
            name, inner, _ = requirement(text)
            mine = [(extra, part) for each in sorted(inner) for part in extras[each]]
            rows += mine if name == own else [(extra, text)]
    rows += [(f"group {group}", text) for group, texts in project["dependency-groups"].items() for text in texts]
    return {flat(where, *requirement(text)) for where, text in rows}


def recorded(lock: dict[str, Any]) -> set[tuple[str, ...]]:
    """List the same from what uv.lock wrote down when it was made."""
    (own,) = (package for package in lock["package"] if package["source"] == {"editable": "."})
    rows: list[tuple[str, dict[str, Any]]] = []
    for row in own["metadata"]["requires-dist"]:
        marker = re.fullmatch(r"extra == '(\w+)'", row.get("marker", ""))
        rows.append((marker[1] if marker else row.get("marker", ""), row))
    for group, listed in own["metadata"]["requires-dev"].items():
        rows += [(f"group {group}", row) for row in listed]
    return {
        flat(
            where,
            row["name"],
            frozenset(row.get("extras", [])),
            frozenset(clause for clause in row.get("specifier", "").split(",") if clause),
        )
        for where, row in rows
    }


def flat(where: str, name: str, extras: frozenset[str], clauses: frozenset[str]) -> tuple[str, ...]:
    """Make one comparable, printable row."""
    return (where or "always", name, ",".join(sorted(extras)), ",".join(sorted(clauses)))


def asked_of_uv() -> list[str]:
    """Let uv itself compare, where it is installed: its word includes the markers."""
    if shutil.which("uv") is None:
        return []
    command = "uv export --quiet --locked --all-extras --all-groups --no-emit-project --no-header --no-annotate"
    env = {**os.environ, "UV_DEFAULT_INDEX": INDEX}
    done = subprocess.run(command.split(), cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return [f"uv export --locked: {done.stderr.strip()}"]
    ours = [line for line in export_text().splitlines() if not line.startswith("#")]
    return [] if done.stdout.splitlines() == ours else ["requirements/dev.txt is not what uv exports"]


def export_text() -> str:
    """Read the committed export."""
    return (ROOT / "requirements/dev.txt").read_text()


def main() -> int:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locked, exported = pins_of_lock(lock), pins_of_export(export_text())
    wrong = foreign(lock)
    for name in sorted(locked.keys() | exported.keys()):
        if locked.get(name) != exported.get(name):
            said = [pins[name][0] if name in pins else "absent" for pins in (locked, exported)]
            wrong.append(f"{name}: {said[0]} in uv.lock, {said[1]} in requirements/dev.txt (or other hashes)")
    for row in sorted(declared(project) ^ recorded(lock)):
        side = "pyproject.toml" if row in declared(project) else "uv.lock"
        wrong.append(f"only {side} has: {' '.join(part for part in row if part)}")
    wrong += asked_of_uv()
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        print("  fix: make lock", file=sys.stderr)
        return 1
    print(f"lock: {len(locked)} packages, the same in uv.lock and requirements/dev.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
