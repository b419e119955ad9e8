"""Locks between processes: one holder a key, free as soon as he is done or dead, never the child's of a fork."""

import os
import signal
import time
from pathlib import Path

import pytest

from cache.hands import KEY, OTHER, child, ended, files, opened, token

HOLD = """
    import sys, time
    from gbearer.cache import open_cache
    store = open_cache({"GBEARER_CACHE": sys.argv[1]})
    lock = store.acquire(sys.argv[2])
    print("none" if lock is None else "mine", flush=True)
    time.sleep(float(sys.argv[3]))
    if lock is not None:
        store.release(sys.argv[2], lock)
"""


def test_one_holder_a_key_and_the_file_goes_with_him(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    lock = store.acquire(KEY)
    assert lock is not None
    assert lock >= 0
    assert opened(tmp_path / "c").acquire(KEY) is None, "in this process too"
    assert ended(child(HOLD, tmp_path / "c", KEY, 0)) == "none\n"
    assert ended(child(HOLD, tmp_path / "c", OTHER, 0)) == "mine\n"
    assert files(tmp_path / "c") == [f"l-{KEY}"], "the lock file is never the data file"
    store.release(KEY, lock)
    assert files(tmp_path / "c") == []
    assert ended(child(HOLD, tmp_path / "c", KEY, 0)) == "mine\n"


def test_a_holder_that_is_killed_frees_his_lock_and_is_swept_away(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    holder = child(HOLD, tmp_path / "c", KEY, 60)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    assert store.acquire(KEY) is None
    store.tidy(expired=True)
    assert files(tmp_path / "c") == [f"l-{KEY}"], "a lock that is held is not swept"
    assert store.clear() == 0
    assert store.acquire(KEY) is None, "nor cleared"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    lock = store.acquire(KEY)
    assert lock is not None
    store.release(KEY, lock)
    killed = child(HOLD, tmp_path / "c", OTHER, 60)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    assert files(tmp_path / "c") == [f"l-{OTHER}"]
    store.tidy()
    assert files(tmp_path / "c") == []


def test_never_two_holders_while_many_come_and_go(tmp_path: Path) -> None:
    race = """
        import os, sys, time
        from gbearer.cache import open_cache
        store, inside, got = open_cache({"GBEARER_CACHE": sys.argv[1]}), sys.argv[2], 0
        ends = time.monotonic() + 1.5
        while time.monotonic() < ends:
            lock = store.acquire("a" * 64)
            if lock is None:
                continue
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails if somebody else is inside
            os.unlink(inside)
            store.release("a" * 64, lock)
            got += 1
        print(got)
    """
    racers = [child(race, tmp_path / "c", tmp_path / "inside") for _ in range(4)]
    assert sum(int(ended(racer)) for racer in racers) > 50
    assert files(tmp_path / "c") == []


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    out = ended(
        child(
            """
            import os, sys, time
            from gbearer.cache import open_cache
            store = open_cache({"GBEARER_CACHE": sys.argv[1]})
            lock = store.acquire("a" * 64)
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    os.fstat(lock)
                except OSError:
                    os.write(write, b"closed ")
                taken = open_cache({"GBEARER_CACHE": sys.argv[1]}).acquire("a" * 64)
                os.write(write, b"refused " if taken is None else b"taken ")
                time.sleep(30)
                os._exit(0)
            said = b""
            while len(said.split()) < 2:
                said += os.read(read, 100)
            still = open_cache({"GBEARER_CACHE": sys.argv[1]}).acquire("a" * 64)
            store.release("a" * 64, lock)
            again = store.acquire("a" * 64)
            print(said.decode() + ("held " if still is None else "lost ") + ("free" if again is not None else "stuck"))
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            """,
            tmp_path / "c",
        )
    )
    assert out == "closed refused held free\n"


def test_a_program_that_is_started_does_not_inherit_the_lock(tmp_path: Path) -> None:
    out = ended(
        child(
            """
            import subprocess, sys
            from gbearer.cache import open_cache
            store = open_cache({"GBEARER_CACHE": sys.argv[1]})
            lock = store.acquire("a" * 64)
            sleeper = subprocess.Popen(["sleep", "30"], close_fds=False)
            import os
            os.close(lock)  # as when this process dies
            print("free" if store.acquire("a" * 64) is not None else "stuck")
            sleeper.kill()
            sleeper.wait()
            """,
            tmp_path / "c",
        )
    )
    assert out == "free\n"


@pytest.mark.parametrize("kind", ["a folder", "a link", "a link to a file"])
def test_a_lock_that_cannot_be_had_costs_a_warning_and_nothing_else(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = opened(tmp_path / "c")
    place = tmp_path / "c" / f"l-{KEY}"
    (tmp_path / "file").write_text("precious")
    if kind == "a folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / ("file" if kind == "a link to a file" else "nowhere"))
    lock = store.acquire(KEY)
    assert lock == -1
    store.release(KEY, lock)
    assert "warning: the cache" in capsys.readouterr().err
    assert store.write(KEY, token())
    store.tidy(expired=True)
    assert (tmp_path / "file").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_waiting_is_the_callers_business_asking_never_blocks(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    lock = store.acquire(KEY)
    assert lock is not None
    began = time.monotonic()
    for _ in range(50):
        assert store.acquire(KEY) is None
    assert time.monotonic() - began < 1
    assert len(os.listdir("/proc/self/fd")) < 200, "and leaves no descriptor open"
    store.release(KEY, lock)
