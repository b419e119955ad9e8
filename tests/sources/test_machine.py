"""Is there a metadata server: variables and firmware first, one short ping only where both are silent, remembered."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from gbearer import sources
from gbearer.errors import CredentialsNotFound, Unreachable
from gbearer.model import Ask
from gbearer.sources import Look, Source
from gbearer.transport import Answer, Transport


class Notes:
    """What the broker keeps in its cache folder, kept in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, float]] = {}

    def read(self, name: str) -> str | None:
        return self.kept[name][0] if name in self.kept else None

    def write(self, name: str, text: str, seconds: float) -> None:
        self.kept[name] = (text, seconds)


class Net:
    """The network of a test: what a GET to the metadata address gets, and how often it was tried."""

    def __init__(self, answer: Answer | None = None) -> None:
        net = self
        self.pings: list[tuple[str, float]] = []

        class Way:
            def __init__(self, env: Any, total: float = 20.0, tries: int = 5) -> None:
                self.env, self.total, self.tries = env, total, tries

            def send(self, method: str, url: str, *, headers: dict[str, str], timeout: float) -> Answer:
                assert (method, self.tries, headers) == ("GET", 1, {"Metadata-Flavor": "Google"})
                net.pings.append((url, min(self.total, timeout)))
                if answer is None:
                    raise Unreachable("nobody there")
                return answer

        self.way = cast(type[Transport], Way)


GOOGLE = Answer("http://169.254.169.254/", 200, {"Metadata-Flavor": "Google"}, b"computeMetadata/\n")
PORTAL = Answer("http://169.254.169.254/", 200, {}, b"<html>please pay</html>")


def root(path: Path, *, vendor: str = "", product: str = "", boot: str = "boot-1") -> str:
    """A made-up root folder with what the firmware and the kernel say."""
    for name, text in (
        ("sys/class/dmi/id/sys_vendor", vendor),
        ("sys/class/dmi/id/product_name", product),
        ("proc/sys/kernel/random/boot_id", boot),
    ):
        if text:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text + "\n")
    return str(path)


def look_for(env: dict[str, str], net: Net, notes: Notes | None = None, **machine: Any) -> tuple[Source | None, str]:
    """(the metadata source or None, the reason that the chain gives)."""
    look = Look({"HOME": "/nowhere", **env}, **({"system": "linux"} | machine))
    try:
        found = sources.locate(Ask(), look, net.way(look.env), notes)
    except CredentialsNotFound:
        found = None
    return found, look.steps[-1].reason


@pytest.mark.parametrize(
    ("env", "says"),
    [({"NO_GCE_CHECK": "true"}, "NO_GCE_CHECK"), ({"METADATA_SERVER_DETECTION": "none"}, "METADATA_SERVER_DETECTION")],
)
def test_a_variable_says_no_even_on_googles_own_machine(tmp_path: Path, env: dict[str, str], says: str) -> None:
    net = Net(GOOGLE)
    found, reason = look_for(env | {"K_SERVICE": "x"}, net, root=root(tmp_path, product="Google Compute Engine"))
    assert found is None
    assert says in reason
    assert net.pings == []


@pytest.mark.parametrize(
    "env",
    [
        {name: "x"}
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT", "K_SERVICE", "CLOUD_RUN_JOB",
                     "FUNCTION_TARGET", "GAE_ENV")
    ]
    + [{"GBEARER_EMULATOR_HOST": "127.0.0.1:9"}, {"METADATA_SERVER_DETECTION": "assume-present"}],
)  # fmt: skip
def test_a_hint_is_enough_and_nothing_is_pinged(tmp_path: Path, env: dict[str, str]) -> None:
    net, notes = Net(), Notes()
    notes.write("no-metadata-server", "boot-1", 600)  # what was believed before the hint
    found, _ = look_for(env, net, notes, root=root(tmp_path, vendor="QEMU"))
    assert found is not None
    assert net.pings == []


def test_googles_firmware_is_a_hint_and_anothers_is_a_no(tmp_path: Path) -> None:
    net = Net()
    found, reason = look_for({}, net, root=root(tmp_path / "a", product="Google Compute Engine", vendor="Google"))
    assert found is not None
    assert "Google Compute Engine" in reason
    found, reason = look_for({}, net, root=root(tmp_path / "b", product="VMware7,1", vendor="VMware, Inc."))
    assert found is None
    assert "VMware, Inc." in reason
    assert net.pings == []


def test_a_mac_is_not_pinged_from() -> None:
    net = Net(GOOGLE)
    found, reason = look_for({}, net, system="darwin")
    assert found is None
    assert "Mac" in reason
    assert net.pings == []


@pytest.mark.parametrize(("answer", "there"), [(GOOGLE, True), (PORTAL, False), (None, False)])
def test_where_nobody_says_one_short_ping_decides(tmp_path: Path, answer: Answer | None, there: bool) -> None:
    net = Net(answer)
    found, _ = look_for({}, net, Notes(), root=root(tmp_path))
    assert (found is not None) is there
    assert net.pings == [("http://169.254.169.254/", 1.0)]


def test_a_no_is_remembered_for_ten_minutes_and_this_boot_alone(tmp_path: Path) -> None:
    net, notes = Net(), Notes()
    here = root(tmp_path)
    look_for({}, net, notes, root=here)
    assert [seconds for _, seconds in notes.kept.values()] == [600]
    found, reason = look_for({}, net, notes, root=here)
    assert found is None
    assert "a few minutes ago" in reason
    assert len(net.pings) == 1
    look_for({}, net, notes, root=root(tmp_path, boot="boot-2"))
    assert len(net.pings) == 2


def test_a_yes_is_not_remembered_nor_a_no_without_a_boot_id_or_in_a_pod(tmp_path: Path) -> None:
    notes = Notes()
    look_for({}, Net(GOOGLE), notes, root=root(tmp_path / "a"))
    look_for({}, Net(), notes, root=root(tmp_path / "b", boot=""))
    look_for({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, Net(), notes, root=root(tmp_path / "c"))  # not ready yet, perhaps
    assert notes.kept == {}


def test_the_machine_is_pinned_by_boot_network_and_server_and_by_nothing_less(tmp_path: Path) -> None:
    def pin(env: dict[str, str], **machine: str) -> str | None:
        number = str(len(list(tmp_path.iterdir())))
        here = root(tmp_path / number, **machine)
        (tmp_path / number / "proc/self/ns").mkdir(parents=True)
        os.symlink(machine.pop("network", "net:[1]"), tmp_path / number / "proc/self/ns/net")
        found, _ = look_for({"METADATA_SERVER_DETECTION": "assume-present"} | env, Net(), root=here)
        assert found is not None
        return found.fingerprint

    first = pin({})
    assert first == pin({})
    others = {pin({}, boot="boot-2"), pin({"GCE_METADATA_HOST": "127.0.0.1:99"})}
    assert len(others | {first}) == 3
    (tmp_path / "x").mkdir()
    look = Look({"HOME": "/n", "K_SERVICE": "x"}, root=str(tmp_path / "x"), system="linux")
    assert sources.locate(Ask(), look, Net().way(look.env)).fingerprint is None
    assert not look.remember
