"""The warm path: an answer given before is given again, byte for byte, only while everything that it rests on holds."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from gbearer import warm
from gbearer._version import __version__
from gbearer.cache import Cache, open_cache
from gbearer.model import Token

KEY = "a1" * 32
RUN = "import sys; from gbearer.__main__ import main; sys.exit(main())"
LIGHT = {"gbearer", "gbearer.__main__", "gbearer._version", "gbearer.warm", "_blake2", "stat", "time"}
HEAVY = {"argparse", "json", "re", "hashlib", "importlib", "importlib.metadata", "warnings", "typing", "logging",
         "pathlib", "dataclasses", "subprocess", "threading", "enum", "urllib3", "google", "google.auth"}  # fmt: skip


class World:
    """A folder with a key file, a place where a file is absent, a token in the cache and the answer to `token`."""

    argv = ("token",)

    def __init__(self, folder: Path) -> None:
        self.key, self.absent, self.cache = folder / "key.json", folder / "adc.json", folder / "cache"
        self.key.write_text("{}")
        self.env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "GBEARER_TEST_TRAFFIC", "NO_GCE_CHECK")}
        self.env |= {"HOME": str(folder / "home"), "GBEARER_CACHE": str(self.cache)}
        self.files = [self.key, self.absent]
        self.put("ya29.first")
        self.remember()

    @property
    def store(self) -> Cache:
        return open_cache(self.env)

    def put(self, value: str, *, left: float = 3600.0, lived: float = 0.0) -> None:
        now = time.time()
        assert self.store.write(KEY, Token(value, "access", now + left, issued_at=now - lived))

    def remember(self, min_ttl: int = 0, before: str = "Authorization: Bearer ", after: str = "\n") -> None:
        looked = {str(path): warm.identity(str(path)) for path in self.files}
        entry = warm.entry(KEY, min_ttl, before, after, looked)
        assert entry is not None
        self.store.remember(self.question(), entry)

    def question(self) -> str:
        return warm.question(self.argv, self.env, __version__)

    def run(self, *argv: str, cwd: Path | None = None, python: tuple[str, ...] = (), **env: str) -> str:
        """What is printed; "" where the command line was asked, which finds no credentials here."""
        command = [sys.executable, *python, "-c", RUN, *(argv or self.argv)]
        done = subprocess.run(
            command, env=self.env | env, cwd=cwd, capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, bool(done.stdout)) in ((0, True), (2, False), (3, False)), done.stderr
        self.stderr = done.stderr
        return done.stdout


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


WARM = "Authorization: Bearer ya29.first\n"


def test_a_remembered_answer_is_printed_byte_for_byte_and_nothing_else(world: World) -> None:
    assert world.run() == WARM
    assert world.stderr == ""
    assert world.run() == WARM


def imported(report: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in report.splitlines() if line.startswith("import time:")}


def test_a_warm_answer_imports_four_modules_of_ours_and_next_to_nothing_else(world: World) -> None:
    assert world.run(python=("-X", "importtime")) == WARM
    warm_run = imported(world.stderr)
    bare = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "pass"], env=world.env, capture_output=True, text=True, check=True
    )
    extra = warm_run - imported(bare.stderr)
    assert "gbearer.warm" in extra
    assert extra <= LIGHT
    assert not HEAVY & extra


def test_an_answer_the_cache_does_not_know_goes_to_the_command_line(world: World) -> None:
    assert world.run("token", python=("-X", "importtime"), HOME="/nowhere") == ""
    assert "argparse" in imported(world.stderr), "else the test above proves nothing"


def test_an_answer_entry_holds_no_secret(world: World) -> None:
    assert b"ya29" not in (world.cache / f"a-{world.question()}").read_bytes()


def same_size_at_once(world: World) -> None:
    other = world.key.with_name("new.json")
    other.write_text("[]")
    os.utime(other, ns=(world.key.stat().st_atime_ns, world.key.stat().st_mtime_ns))
    other.replace(world.key)


def written_in_place_and_its_times_put_back(world: World) -> None:
    before = world.key.stat()
    time.sleep(0.02)  # the clock of file systems ticks every 4 to 10 ms; younger files are not remembered at all
    world.key.write_text("[]")
    os.utime(world.key, ns=(before.st_atime_ns, before.st_mtime_ns))


def swapped_for_a_link(world: World) -> None:
    world.key.rename(world.key.with_name("old.json"))
    world.key.with_name("other.json").write_text("{}")
    world.key.symlink_to("other.json")


def a_folder_in_its_place(world: World) -> None:
    world.key.unlink()
    world.key.mkdir()


def a_link_and_then_its_target(world: World) -> None:
    world.absent.symlink_to("late.json")
    world.absent.with_name("late.json").write_text("{}")


def less_life_than_asked_for(world: World) -> None:
    world.put("ya29.first", left=1000)
    world.remember(min_ttl=1001)


def a_link_to_the_cache(world: World) -> None:
    world.cache.rename(world.cache.with_name("real"))
    world.cache.symlink_to("real")


def the_answer_is(*fields: bytes) -> Callable[[World], object]:
    return lambda world: world.store.put(f"a-{world.question()}", b"\0".join(fields))


CHANGES: dict[str, Callable[[World], object]] = {
    "key file replaced, same size and time": same_size_at_once,
    "key file written in place, time put back": written_in_place_and_its_times_put_back,
    "key file grown": lambda w: w.key.write_text("{ }"),
    "key file gone": lambda w: w.key.unlink(),
    "key file a folder": a_folder_in_its_place,
    "key file a link": swapped_for_a_link,
    "absent file appears": lambda w: w.absent.write_text("{}"),
    "absent file a dangling link and then there": a_link_and_then_its_target,
    "token dropped": lambda w: w.store.drop(KEY),
    "cache cleared": lambda w: w.store.clear(),
    "token expired": lambda w: w.put("ya29.first", left=-1, lived=3600),
    "token in its last minutes": lambda w: w.put("ya29.first", left=200, lived=3400),
    "short token in its last quarter": lambda w: w.put("ya29.first", left=20, lived=80),
    "token of unknown end": lambda w: w.store.write(KEY, Token("ya29.first", "access", 0.0, issued_at=1.0)),
    "token from the future": lambda w: w.put("ya29.first", left=9000, lived=-60),
    "less life than --min-ttl": less_life_than_asked_for,
    "token damaged": lambda w: (w.cache / f"t-{KEY}").write_bytes(b"gbearer1 x"),
    "token cut": lambda w: os.truncate(w.cache / f"t-{KEY}", 60),
    "token readable by others": lambda w: (w.cache / f"t-{KEY}").chmod(0o644),
    "answer damaged": lambda w: os.truncate(w.cache / f"a-{w.question()}", 70),
    "answer of an odd number of fields": the_answer_is(b"k", b"0", b"", b"", b"/nowhere"),
    "answer of too few fields": the_answer_is(b"k", b"0"),
    "answer with no identity": the_answer_is(b"k", b"0", b"", b"", b"/x", b"?"),
    "answer with no number": the_answer_is(KEY.encode(), b"soon", b"", b""),
    "answer that is empty": the_answer_is(b""),
    "answer that points elsewhere": the_answer_is(b"../../key.json", b"0", b"", b""),
    "folder writable by others": lambda w: w.cache.chmod(0o777),
    "folder a link": a_link_to_the_cache,
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_old_answer_is_not_given(world: World, change: str) -> None:
    CHANGES[change](world)
    assert world.run() == ""
    assert "error:" in world.stderr, "the command line was asked, and finds no credentials here"
    assert "Traceback" not in world.stderr


def test_a_file_that_changes_nothing_is_no_reason(world: World) -> None:
    world.key.with_name("unrelated.json").write_text("{}")
    assert world.key.read_text() == "{}"
    assert world.run() == WARM


def test_a_newer_token_in_the_cache_is_the_answer_from_then_on(world: World) -> None:
    world.put("ya29.second")
    assert world.run() == "Authorization: Bearer ya29.second\n"


@pytest.mark.parametrize(
    "argv", [("token", "--refresh"), ("token", ""), ("header",), ("", "token"), ("token", "token")]
)
def test_other_arguments_are_another_question(world: World, argv: tuple[str, ...]) -> None:
    assert world.run(*argv) == ""


@pytest.mark.parametrize(
    "variable",
    ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_QUOTA_PROJECT", "GBEARER_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME",
     "XDG_CONFIG_HOME", "GCE_METADATA_HOST", "https_proxy", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE",
     "REQUESTS_CA_BUNDLE", "K_SERVICE", "APPDATA", "NO_GCE_CHECK", "AWS_PROFILE", "GBEARER_EMULATOR_HOST",
     "CLOUDSDK_AUTH_ACCESS_TOKEN", "METADATA_SERVER_DETECTION", "KUBERNETES_SERVICE_HOST", "PATH"],
)  # fmt: skip
def test_another_value_of_a_variable_that_counts_is_another_question(world: World, variable: str) -> None:
    there = warm.question(("token",), {**world.env, variable: "1"}, "1")
    assert there != warm.question(("token",), {**world.env, variable: "2"}, "1")
    without = {name: value for name, value in world.env.items() if name != variable}
    assert there != warm.question(("token",), without, "1")


def test_the_folder_the_user_and_the_version_count_and_unrelated_variables_do_not(world: World, tmp_path: Path) -> None:
    assert world.run(cwd=tmp_path) == "", "a relative path means another file there"
    assert world.run(GBEARER_CACHE="off") == ""
    assert world.run(EDITOR="vi", LINES="9") == WARM
    assert warm.question(world.argv, world.env, "0.0.0") != world.question()


def test_no_two_questions_are_the_same() -> None:
    questions = [
        ([], {}), ([""], {}), (["", ""], {}), (["a"], {}), (["a", ""], {}), (["", "a"], {}), (["a", "b"], {}),
        (["a b"], {}), (["GBEARER_X=1"], {}), ([], {"GBEARER_X": "1"}), (["", "GBEARER_X=1"], {}),
        ([""], {"GBEARER_X": "1"}), ([], {"GBEARER_X": "1", "GBEARER_Y": "2"}), ([], {"GBEARER_X": "1GBEARER_Y=2"}),
        (["\udcff"], {}), ([], {"HOME": ""}), ([], {"HOME": "\udcff"}),
    ]  # fmt: skip
    digests = [warm.question(argv, env, "1") for argv, env in questions]
    for one, other in combinations(range(len(questions)), 2):
        assert digests[one] != digests[other], (questions[one], questions[other])
    assert warm.question([], {"HOME": "/a", "GBEARER_X": "1"}, "1") == warm.question(
        [], {"GBEARER_X": "1", "HOME": "/a"}, "1"
    ), "the order in which variables were set does not count"


def test_from_a_folder_that_was_deleted_the_command_line_answers(world: World, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-c", f"import os; os.rmdir({str(gone)!r}); {RUN}", "token"]
    done = subprocess.run(command, env=world.env, cwd=gone, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_where_nobody_reads_nothing_is_claimed_to_be_printed(world: World) -> None:
    code = "import os, sys; from gbearer.warm import answer; os.close(1); sys.exit(answer(['token'], sys.argv[1]))"
    command = [sys.executable, "-c", code, __version__]
    done = subprocess.run(command, env=world.env, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("life", "left", "served"),
    [(3600, 226, True), (3600, 224, False), (400, 101, True), (400, 99, False), (3600, 0, False), (3600, -5, False),
     (0, 10, False), (900, 225.5, True), (43_200, 300, True)],
)  # fmt: skip
def test_a_token_is_fresh_outside_its_window_of_225_seconds_or_a_quarter(life: int, left: float, served: bool) -> None:
    now = 1e9
    issued, expires = now + left - life, now + left
    if life:
        assert (warm.fresh(issued, expires, now) > 0) is served
    assert warm.window(issued, expires) == min(225.0, life / 4)


def test_a_token_from_the_future_is_not_fresh() -> None:
    assert warm.fresh(1e9 + 4, 1e9 + 3600, 1e9) == 3600
    assert warm.fresh(1e9 + 6, 1e9 + 3600, 1e9) == 0


def test_what_tells_one_file_from_another_survives_being_written_down(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert warm.identity(str(file)) is None
    assert warm.identity(str(file / "x")) is None
    file.write_text("x")
    assert warm.identity(str(file / "x")) is None, "below a file there is nothing"
    known = warm.identity(str(file))
    assert known is not None
    assert len(known) == 5
    assert warm.unpack(warm.pack(known)) == known
    assert warm.unpack(warm.pack(None)) is None
    for bad in (b"?", b"1 x", b"--"):
        with pytest.raises(ValueError, match="invalid literal"):
            warm.unpack(bad)


def test_a_file_is_young_for_two_seconds_and_when_it_seems_to_come_from_the_future(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("x")
    known, now = warm.identity(str(file)), time.time()
    assert warm.young(known, now)
    assert warm.young(known, now - 3600)
    assert not warm.young(known, now + 2.5)
    os.utime(file, (0, 0))
    assert warm.young(warm.identity(str(file)), now), "the time of its last change of any kind counts as well"
    assert not warm.young(None, now)


def test_what_an_entry_cannot_hold_is_not_remembered() -> None:
    assert warm.entry(KEY, 0, "a\0b", "", {}) is None
    assert warm.entry(KEY, 0, "", "\0", {}) is None
    assert warm.entry(KEY, 0, "", "", {"/tmp/\udcff": None}) == KEY.encode() + b"\0" + b"0\0\0\0/tmp/\xff\0-"


def test_a_file_noted_by_its_bytes_holds_while_they_do(tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.write_bytes(b"one")
    noted = warm.pack(warm.identity(str(path)))
    by_bytes = noted + b"=" + warm.digest(b"one")
    assert warm.holds(str(path), noted)
    path.chmod(0o640)  # changes one of its times and nothing else
    assert not warm.holds(str(path), noted)
    assert warm.holds(str(path), by_bytes)
    about = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert not warm.holds(str(path), by_bytes)
    path.write_bytes(b"one")
    assert warm.holds(str(path), by_bytes)
    path.write_bytes(b"one" + b"\0" * warm.LARGEST)
    assert not warm.holds(str(path), by_bytes)
    path.unlink()
    with pytest.raises(FileNotFoundError):  # `answer` takes it for a no
        warm.holds(str(path), by_bytes)
    assert warm.holds(str(path), warm.pack(None))


def test_an_entry_carries_the_digests_that_there_are() -> None:
    entry = warm.entry(KEY, 0, "", "\n", {"/a": None, "/b": (1, 2, 3, 4, 5)}, {"/b": b"d1"})
    assert entry == b"\0".join([KEY.encode(), b"0", b"", b"\n", b"/a", b"-", b"/b", b"1 2 3 4 5=d1"])
