"""Keeping the folder clean: what ran out and what dead writers left goes; what is not ours is never touched."""

import os
import time
from pathlib import Path

import pytest

from cache.hands import KEY, NOW, OTHER, Clock, child, ended, files, opened, token
from gbearer import warm

OLD, GONE = "c3" * 32, "d4" * 32
NOT_OURS = [
    "t-shirt.png", "a-letter.txt", "n-body", "n-.note", "l-", "x-ray", "x-1-2", "t-" + "g" * 64, "t-" + "a" * 63,
    "t-" + "a" * 65, "T-" + "a" * 64, "notes", ".hidden", f"t-{KEY}.bak", f"x-{os.getpid()}-0123456789abcdeF",
]  # fmt: skip


def test_what_is_not_ours_is_never_touched(tmp_path: Path) -> None:
    store = opened(tmp_path / "c", Clock(NOW))
    for name in NOT_OURS:
        (tmp_path / "c" / name).write_text("precious")
        os.utime(tmp_path / "c" / name, (0, 0))
    (tmp_path / "c" / "t-folder").mkdir()
    (tmp_path / "c" / "t-folder" / f"t-{KEY}").write_text("deep")
    store.write(KEY, token(ends=NOW - 1))
    store.tidy(expired=True)
    assert store.clear() == 0
    assert store.list() == []
    assert files(tmp_path / "c") == sorted([*NOT_OURS, "t-folder"])
    assert {(tmp_path / "c" / name).read_text() for name in NOT_OURS} == {"precious"}


def test_what_ran_out_goes_and_the_rest_stays(tmp_path: Path) -> None:
    clock = Clock(time.time())
    store, now = opened(tmp_path / "c", clock), clock.now
    store.write(KEY, token(ends=now + 10, issued=now))
    store.write(OTHER, token(ends=now - 10, issued=now - 3610))
    (tmp_path / "c" / f"t-{OLD}").write_bytes(b"rubbish")
    store.notes.write("short", "", 5)
    store.notes.write("long", "", 60)
    for question, rests_on in (("1" * 64, KEY), ("2" * 64, OTHER), ("3" * 64, GONE)):
        entry = warm.entry(rests_on, 0, "", "\n", {})
        assert entry is not None
        store.remember(question, entry)
    (tmp_path / "c" / f"a-{'4' * 64}").write_bytes(b"rubbish")
    store.put(f"f-{KEY}", b"old")
    os.utime(tmp_path / "c" / f"f-{KEY}", (now - 120, now - 120))
    store.put(f"f-{OTHER}", b"new")
    clock.now = now + 6
    store.tidy()
    assert len(files(tmp_path / "c")) == 11, "only leftovers are looked for on every call"
    store.tidy(expired=True)
    assert files(tmp_path / "c") == sorted(["a-" + "1" * 64, f"f-{OTHER}", "n-long.note", f"t-{KEY}"])


def test_entries_that_make_no_sense_are_swept_without_a_stumble(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    for name, payload in ((f"t-{KEY}", b"x\0soon\0y"), ("n-a.note", b"1\0never\0z"), (f"t-{OTHER}", b"")):
        store.put(name, payload)
    store.tidy(expired=True)
    assert files(tmp_path / "c") == []


def test_half_written_files_of_the_dead_go_and_those_under_way_stay(tmp_path: Path) -> None:
    import fcntl

    store = opened(tmp_path / "c")
    dead, alive = tmp_path / "c" / "x-99999-0123456789abcdef", tmp_path / "c" / "x-12-0123456789abcdef"
    dead.write_bytes(b"gbearer1 half")
    with alive.open("wb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        store.tidy()
        assert files(tmp_path / "c") == [alive.name]
    store.tidy()
    assert files(tmp_path / "c") == []


def test_a_sweeper_at_work_costs_no_writer_his_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(tmp_path / "c")
    sweep = """
        import os, sys
        from gbearer.cache import open_cache
        store, rounds = open_cache({"GBEARER_CACHE": sys.argv[1]}), 0
        print("ready", flush=True)
        while not os.path.exists(sys.argv[2]):
            store.tidy()
            rounds += 1
        print(rounds)
    """
    sweeper = child(sweep, tmp_path / "c", tmp_path / "stop")
    try:
        assert sweeper.stdout is not None
        assert sweeper.stdout.readline() == "ready\n"
        written = [store.write(KEY, token(f"ya29.{'x' * 50_000}{n}")) for n in range(600)]
    finally:
        (tmp_path / "stop").touch()
    assert int(ended(sweeper)) > 100
    assert all(written)
    assert capsys.readouterr().err == ""
    assert files(tmp_path / "c") == [f"t-{KEY}"]
