"""What every test gets: an environment of its own, and a guard that counts what leaves this machine (nothing may)."""

import importlib.util
import ipaddress
import os
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "guard"
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["GBEARER_TEST_TRAFFIC_DIR"] = tempfile.mkdtemp(prefix="gbearer-traffic-")
TRAFFIC = Path(os.environ["GBEARER_TEST_TRAFFIC_DIR"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
"""What this process and its children look up and connect to; pytest's workers write a file each."""
TRAFFIC.touch(0o600)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started all this in the background
os.environ["GBEARER_TEST_TRAFFIC"] = str(TRAFFIC)
os.environ["PYTHONPATH"] = str(GUARD)
_spec = importlib.util.spec_from_file_location("gbearer_guard", GUARD / "sitecustomize.py")
assert _spec is not None
assert _spec.loader is not None
_spec.loader.exec_module(importlib.util.module_from_spec(_spec))  # the same hook that children get

KEPT = ("GBEARER_TEST_TRAFFIC", "GBEARER_TEST_TRAFFIC_DIR")
CLEARED = re.compile(
    r"GBEARER_|GOOGLE_|GCE_|CLOUDSDK_|AWS_|XDG_|SSL_CERT_|GAE_|K_SERVICE|(HTTPS?|ALL|NO)_PROXY$|"
    r"(NO_GCE_CHECK|GCLOUD_PROJECT|METADATA_SERVER_DETECTION|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|PYTHONDONTWRITEBYTECODE)$",
    re.IGNORECASE,
)
NAMES_THAT_NEVER_RESOLVE = re.compile(r"'[^']*\.invalid'")
"""RFC 6761: what the tests of name resolution look up."""


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variable of this machine, an empty home, no metadata server unless the test names one; returns the home."""
    for name in list(os.environ):
        if CLEARED.match(name) and name not in KEPT:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return home


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip aloud, naming it, where a program that the test needs is not installed."""
    for marker in item.iter_markers("program"):
        if shutil.which(marker.args[0]) is None:
            pytest.skip(f"{marker.args[0]} is not installed")


def is_here(line: str) -> bool:
    """Whether a noted lookup or connection stays on this machine."""
    what, _, rest = line.partition(" ")
    address = rest.partition("\t")[0]
    if what == "lookup" and (address in ("None", "''", "b''") or NAMES_THAT_NEVER_RESOLVE.fullmatch(address)):
        return True
    if what == "connect" and not address.startswith("("):
        return True  # a socket in the file system
    host = re.match(r"\(?b?'([^']*)'", address)
    if host is None:
        return False
    if host[1] == "localhost":
        return True
    try:
        return ipaddress.ip_address(host[1]).is_loopback
    except ValueError:
        return False


@pytest.fixture
def traffic() -> Callable[[], list[str]]:
    """A function for every lookup and connection since the test began, of this process and of its children."""
    before = len(TRAFFIC.read_text().splitlines())
    return lambda: [line.partition("\t")[0] for line in TRAFFIC.read_text().splitlines()[before:]]


def counted() -> list[str]:
    """What was looked up or connected to over the whole run, by all of its processes."""
    return [line for file in sorted(TRAFFIC.parent.iterdir()) for line in file.read_text().splitlines()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was counted, so that a guard that sees nothing is noticed."""
    seen = counted()
    away = [line for line in seen if not is_here(line)]
    terminalreporter.write_line(f"traffic: {len(seen)} lookups and connections, {len(away)} left this machine")
    for line in away[:20]:
        terminalreporter.write_line(f"  {line}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which anything left this machine has failed, whatever its tests say."""
    if not all(map(is_here, counted())):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def settled() -> Callable[..., None]:
    """A function that waits until files are old enough for the warm path to believe their times."""

    def wait(*paths: Path) -> None:
        newest = max(max(p.stat().st_mtime, p.stat().st_ctime) for p in paths)
        time.sleep(max(0.0, newest + 2.1 - time.time()))

    return wait
