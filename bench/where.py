"""Says where a cold `gbearer token` spends its time: imports by package, and what is left for the work itself."""

import re
import statistics
import subprocess
from collections import defaultdict
from typing import NamedTuple

from measure import GBEARER, PYTHON, process

LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| +(\S+)")
APART = ("gbearer", "google", "cryptography", "urllib3", "requests", "pyasn1", "pyasn1_modules", "certifi", "idna")


class Import(NamedTuple):
    """One module as -X importtime reports it, in seconds: alone, and with what it imported first."""

    module: str
    own: float
    whole: float


def imports(command: list[str], env: dict[str, str]) -> list[Import]:
    """Run a module or a command under -X importtime; list what was imported."""
    done = subprocess.run(
        [PYTHON, "-X", "importtime", *command],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}: {done.stderr[-500:]}")
    return [Import(name, int(own) / 1e6, int(whole) / 1e6) for own, whole, name in LINE.findall(done.stderr)]


def by_package(found: list[Import]) -> dict[str, tuple[int, float]]:
    """Sum up for each package its modules and the seconds spent in them alone."""
    spent: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for each in found:
        top = each.module.split(".")[0]
        package = top if top in APART else "standard library"
        modules, total = spent[package]
        spent[package] = (modules + 1, total + each.own)
    return dict(spent)


def report(env: dict[str, str]) -> list[str]:
    """Compare the imports of a cold run with those of a bare start, package by package, and name the dearest."""
    process([GBEARER, "token"], env)()
    wall = statistics.median(process([GBEARER, "token"], env)() for _ in range(5))
    cold, bare = imports(["-m", "gbearer", "token"], env), imports(["-c", "pass"], env)
    packages, base = by_package(cold), by_package(bare)
    lines = ["where a cold `gbearer token` goes (-X importtime of one run, each module's own time):"]
    for package, (modules, total) in sorted(packages.items(), key=lambda item: -item[1][1]):
        already = base.get(package)
        extra = f", of which a bare start {already[1] * 1e3:.0f} ms ({already[0]})" if already else ""
        lines.append(f"  {package:18}{total * 1e3:7.1f} ms  {modules:4d} modules{extra}")
    imported = sum(each.own for each in cold)
    lines.append(
        f"  {'imports':18}{imported * 1e3:7.1f} ms, dearer for being traced; untraced, all takes {wall * 1e3:.0f} ms"
    )
    lines.append("  not in these: starting Python, reading the key, signing, one round trip on loopback")
    dearest = sorted(cold, key=lambda each: -each.whole)
    outside = [each for each in dearest if each.module.split(".")[0] not in ("gbearer", "runpy", "site")]
    lines.append("  dearest, with what each brought in first:")
    lines += [f"    {each.whole * 1e3:6.1f} ms  {each.module}" for each in outside[:10]]
    return lines
