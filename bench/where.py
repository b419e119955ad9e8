"""Says where a cold `gbearer token` spends its time: imports by package, and what is left for the work itself."""

import re
import subprocess
from collections import defaultdict

from measure import PYTHON

LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")
OURS = ("gbearer", "google", "cryptography", "urllib3", "requests", "pyasn1", "pyasn1_modules", "certifi", "idna")


def imports(command: list[str], env: dict[str, str]) -> dict[str, tuple[int, float]]:
    """Run a module under -X importtime; give for each package its modules and the seconds spent in them alone."""
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
    spent: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for own, _, _, module in LINE.findall(done.stderr):
        top = module.split(".")[0]
        package = top if top in OURS else "standard library"
        modules, total = spent[package]
        spent[package] = (modules + 1, total + int(own) / 1e6)
    return dict(spent)


def report(env: dict[str, str]) -> list[str]:
    """Compare the imports of a cold run with those of a bare start, package by package."""
    cold = imports(["-m", "gbearer", "token"], env)
    bare = imports(["-c", "pass"], env)
    lines = ["where a cold `gbearer token` spends its imports (-X importtime, own time, one run):"]
    for package, (modules, total) in sorted(cold.items(), key=lambda item: -item[1][1]):
        base = bare.get(package, (0, 0.0))
        extra = f", of which a bare start {base[1] * 1e3:.0f} ms ({base[0]})" if base[0] else ""
        lines.append(f"  {package:18}{total * 1e3:7.1f} ms  {modules:4d} modules{extra}")
    lines.append(f"  {'all':18}{sum(total for _, total in cold.values()) * 1e3:7.1f} ms")
    return lines
