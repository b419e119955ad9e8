"""Writers killed at random moments while readers run: nobody sees a torn or wrong token, and nothing is left behind."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from cache.hands import KEY, child, ended, files, opened

KILLS = 200

# One process forks the writers: a new one starts at once, and has no interpreter to start first.
WRITERS = """
    import os, random, signal, sys, time
    from gbearer.cache import open_cache
    from gbearer.model import Token

    folder, key, kills = sys.argv[1], sys.argv[2], int(sys.argv[3])

    def write_for_ever():
        store = open_cache({"GBEARER_CACHE": folder})
        store.tidy()
        while True:
            lock = store.acquire(key)
            letter = random.choice("abcdefgh")
            value = f"ya29.{letter * random.randint(1, 60000)}"  # one letter throughout
            store.write(key, Token(value, "access", 9e9, letter, str(len(value)), issued_at=1.0))
            if lock is not None:
                store.release(key, lock)

    cut = 0
    for _ in range(kills):
        pids = []
        for _ in range(2):
            pid = os.fork()
            if pid == 0:
                write_for_ever()
            pids.append(pid)
        time.sleep(random.uniform(0.001, 0.03))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        cut += sum(name.startswith("x-") for name in os.listdir(folder))
    print(cut)
"""
READER = """
    import os, sys
    from gbearer import log
    from gbearer.cache import open_cache
    store, good = open_cache({"GBEARER_CACHE": sys.argv[1]}), 0
    print("ready", flush=True)
    while not os.path.exists(sys.argv[3]):
        kept = store.read(sys.argv[2])
        if kept is None:
            assert not good, "a token that was there is gone"
            continue
        token = kept.token
        assert token.value == "ya29." + token.principal * (len(token.value) - 5), "torn or mixed"
        assert token.source == str(len(token.value)), "torn"
        good += 1
    assert not log._seen, log._seen
    print(good)
"""


@pytest.mark.slow
def test_200_writers_killed_at_random_moments_leave_no_torn_token_and_nothing_behind(tmp_path: Path) -> None:
    stop = [tmp_path / f"stop{n}" for n in range(2)]
    readers = [child(READER, tmp_path / "c", KEY, file) for file in stop]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        cut = int(ended(child(WRITERS, tmp_path / "c", KEY, KILLS // 2)))
        assert cut > 10, "the blows have to fall while something is being written"
    finally:
        for file in stop:
            file.touch()
    for reader in readers:
        assert int(ended(reader)) > 100
    store = opened(tmp_path / "c")
    store.tidy()
    assert files(tmp_path / "c") == [f"t-{KEY}"]
    kept = store.read(KEY)
    assert kept is not None
    assert set(kept.token.value[5:]) == {kept.token.principal}


def test_what_a_killed_writer_leaves_is_there_to_be_swept(tmp_path: Path) -> None:
    """The other test would also pass if writers never left anything: here one is stopped in the middle, then killed."""
    writer = child(
        """
        import os, sys, time
        from gbearer import warm
        from gbearer.cache import lock, open_cache
        store = open_cache({"GBEARER_CACHE": sys.argv[1]})
        store.acquire(sys.argv[2])
        file = warm.open_entry(store.folder, f"x-{os.getpid()}-0123456789abcdef", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        lock.taken(file)
        os.write(file, b"gbearer1 half a tok")
        print("half", flush=True)
        time.sleep(60)
        """,
        tmp_path / "c",
        KEY,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "half\n"
    store = opened(tmp_path / "c")
    store.tidy(expired=True)
    assert len(files(tmp_path / "c")) == 2
    time.sleep(random.uniform(0, 0.01))
    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()
    assert len(files(tmp_path / "c")) == 2
    store.tidy()
    assert files(tmp_path / "c") == []
