"""What lies in the cache: it comes back as it was, and what cannot be believed is a miss with one warning."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cache.hands import KEY, NOW, OTHER, Clock, files, mode, opened, token
from gbearer import warm
from gbearer.cache import open_cache
from gbearer.errors import BadCredentials, CacheError, Denied, Refused, Unreachable


def test_a_token_comes_back_as_it_was(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    assert store.read(KEY) is None
    assert store.write(KEY, token(), checked=NOW - 7)
    found = opened(tmp_path / "c").read(KEY)
    assert found is not None
    assert found.checked == NOW - 7
    for name in ("value", "kind", "expires_at", "issued_at", "principal", "source", "scopes", "audience"):
        assert getattr(found.token, name) == getattr(token(), name), name
    assert opened(tmp_path / "c").read(OTHER) is None


def test_a_later_token_replaces_an_earlier_one_and_drop_takes_it_away(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    store.write(KEY, token("ya29.one"))
    store.write(KEY, token("ya29.two"))
    found = store.read(KEY)
    assert found is not None
    assert found.token.value == "ya29.two"
    store.drop(KEY)
    assert store.read(KEY) is None
    store.drop(KEY)
    assert files(tmp_path / "c") == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_modes_are_the_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = opened(tmp_path / "new" / "deep" / "cache")
        store.write(KEY, token())
        store.notes.write("something", "text", 60)
        lock = store.acquire(KEY)
        assert lock is not None
        folders = [tmp_path / "new", tmp_path / "new" / "deep", tmp_path / "new" / "deep" / "cache"]
        assert [mode(folder) for folder in folders] == [0o700] * 3
        names = files(folders[-1])
        assert len(names) == 3
        assert {name: mode(folders[-1] / name) for name in names} == dict.fromkeys(names, 0o600)
        store.release(KEY, lock)
        assert store.read(KEY) is not None
    finally:
        os.umask(before)


def test_no_secret_and_no_address_is_in_a_file_name(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    store.write(KEY, token("ya29.SECRET"))
    store.write_failure(OTHER, BadCredentials("no"))
    assert not any("SECRET" in name or "robot" in name for name in files(tmp_path / "c"))


def sealed_otherwise(entry: Path) -> None:
    entry.write_bytes(warm.seal(entry.name, b"only\0three\0fields"))


def other_kind(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def replace(entry: Path) -> None:
        os.rename(entry, entry.parent / "elsewhere")
        make(entry)

    return replace


DAMAGE: dict[str, Callable[[Path], object]] = {
    "emptied": lambda entry: entry.write_bytes(b""),
    "cut in the middle": lambda entry: os.truncate(entry, entry.stat().st_size // 2),
    "cut by one byte": lambda entry: os.truncate(entry, entry.stat().st_size - 1),
    "one byte more": lambda entry: entry.write_bytes(entry.read_bytes() + b"x"),
    "one bit turned": lambda entry: entry.write_bytes(entry.read_bytes()[:-1] + bytes([entry.read_bytes()[-1] ^ 1])),
    "one bit turned in its head": lambda entry: entry.write_bytes(b"h" + entry.read_bytes()[1:]),
    "another program's": lambda entry: entry.write_text(json.dumps({"access_token": "ya29.planted"})),
    "zeros": lambda entry: entry.write_bytes(bytes(entry.stat().st_size)),
    "huge": lambda entry: entry.write_bytes(entry.read_bytes() + bytes(1 << 20)),
    "readable by others": lambda entry: entry.chmod(0o644),
    "writable by the group": lambda entry: entry.chmod(0o620),
    "a folder": other_kind(Path.mkdir),
    "a fifo": other_kind(lambda entry: os.mkfifo(entry, 0o600)),
    "a link": other_kind(lambda entry: entry.symlink_to(entry.parent / "elsewhere")),
    "sealed with other fields": sealed_otherwise,
    "sealed with no number": lambda entry: entry.write_bytes(
        warm.seal(entry.name, b"\0".join([b"soon", b"late", b"ya29.x", b"access", b"", b"", b"", b"", b"0.0"]))
    ),
    "sealed with no token": lambda entry: entry.write_bytes(
        warm.seal(entry.name, b"\0".join([b"1.0", b"2.0", b"two words", b"access", b"", b"", b"", b"", b"0.0"]))
    ),
    "sealed and no text": lambda entry: entry.write_bytes(warm.seal(entry.name, b"\xff\xfe" * 9)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_entry_is_a_miss_with_one_warning_and_can_be_replaced(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = opened(tmp_path / "c")
    store.write(KEY, token("ya29.SECRET"))
    DAMAGE[kind](tmp_path / "c" / f"t-{KEY}")
    assert store.read(KEY) is None
    assert store.read(KEY) is None
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("warning: an entry of the cache") == 1 == err.count("\n")
    assert "SECRET" not in err
    if kind != "a folder":
        assert store.write(KEY, token("ya29.new"))
        found = store.read(KEY)
        assert found is not None
        assert found.token.value == "ya29.new"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_entry_of_another_user_is_not_believed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(tmp_path / "c")
    store.write(KEY, token())
    os.chown(tmp_path / "c" / f"t-{KEY}", 65534, 65534)
    assert store.read(KEY) is None
    assert "warning" in capsys.readouterr().err


def test_an_entry_under_another_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(tmp_path / "c")
    store.write(KEY, token())
    whole = (tmp_path / "c" / f"t-{KEY}").read_bytes()
    for name in (f"t-{OTHER}", f"a-{KEY}", f"f-{KEY}"):
        (tmp_path / "c" / name).write_bytes(whole)
        (tmp_path / "c" / name).chmod(0o600)
    assert store.read(OTHER) is None
    assert store.read_failure(KEY, 0.0) is None
    assert store.get(f"a-{KEY}") is None
    assert "damaged" in capsys.readouterr().err
    assert store.read(KEY) is not None


def test_an_entry_from_the_future_is_not_served_after_the_clock_was_set_back(tmp_path: Path) -> None:
    clock = Clock()
    store = opened(tmp_path / "c", clock)
    store.write(KEY, token())
    store.notes.write("seen", "yes", 600)
    store.write_failure(KEY, Denied("no"))
    clock.now = NOW - 3600
    assert store.read(KEY) is None
    assert store.notes.read("seen") is None
    assert store.read_failure(KEY, 0.0) is None
    clock.now = NOW - 1
    assert store.read(KEY) is not None, "clocks that differ by a second are no reason"


def test_a_token_too_large_for_an_entry_is_not_kept_and_nothing_breaks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = opened(tmp_path / "c")
    assert not store.write(KEY, token("x" * warm.LARGEST))
    assert store.read(KEY) is None
    assert store.write(KEY, token("x" * (warm.LARGEST - 1000)))
    assert store.read(KEY) is not None
    assert capsys.readouterr().err == ""


def test_a_field_that_no_entry_can_hold_keeps_the_token_out(tmp_path: Path) -> None:
    odd = token().with_quota_project("p")
    object.__setattr__(odd, "source", "file with a \0 in its name")
    assert not opened(tmp_path / "c").write(KEY, odd)
    object.__setattr__(odd, "source", "file \udcff.json")
    assert opened(tmp_path / "c").write(KEY, odd)
    assert opened(tmp_path / "c").read(KEY) is not None


def test_notes_run_out(tmp_path: Path) -> None:
    clock = Clock()
    store = opened(tmp_path / "c", clock)
    store.notes.write("no-metadata-server", "boot 1", 600)
    assert store.notes.read("no-metadata-server") == "boot 1"
    assert store.notes.read("other") is None
    clock.now += 599
    assert store.notes.read("no-metadata-server") == "boot 1"
    clock.now += 1
    assert store.notes.read("no-metadata-server") is None


def test_a_failure_reaches_those_who_waited_for_it_and_nobody_else(tmp_path: Path) -> None:
    clock = Clock()
    store = opened(tmp_path / "c", clock)
    told = Denied("may not", why="role missing; access_token=SECRET", fix="gcloud ...")
    store.write_failure(KEY, told)
    heard = opened(tmp_path / "c", clock).read_failure(KEY, NOW - 1)
    assert type(heard) is Denied
    assert (heard.message, heard.why, heard.fix) == ("may not", "role missing; access_token=<secret>", "gcloud ...")
    assert store.read_failure(KEY, NOW + 1) is None, "who came later tries for himself"
    assert store.read_failure(OTHER, NOW - 1) is None
    assert "SECRET" not in (tmp_path / "c" / f"f-{KEY}").read_text()
    store.forget_failure(KEY)
    assert store.read_failure(KEY, NOW - 1) is None


def test_a_refusal_that_nobody_explained_comes_back_with_its_exit_code(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    store.write_failure(KEY, Refused("https://x/", 418, {}, b"teapot"))
    heard = store.read_failure(KEY, NOW)
    assert type(heard) is Unreachable
    assert heard.code == 7


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b"null", b'["x", "Denied", "", "", ""]', b"\xff"])
def test_a_note_of_a_failure_that_makes_no_sense_is_none(tmp_path: Path, payload: bytes) -> None:
    store = opened(tmp_path / "c")
    store.put(f"f-{KEY}", payload)
    store.put("n-odd.note", payload)
    assert store.read_failure(KEY, 0.0) is None
    assert store.notes.read("odd") is None


def test_list_and_clear_tell_what_there_is(tmp_path: Path) -> None:
    store = opened(tmp_path / "c")
    store.write(OTHER, token("ya29.two", NOW - 5))
    store.write(KEY, token("ya29.one"))
    store.notes.write("n", "t", 5)
    assert [(key, found.value) for key, found in store.list()] == [(KEY, "ya29.one"), (OTHER, "ya29.two")]
    assert store.clear() == 2
    assert store.list() == []
    assert files(tmp_path / "c") == []
    assert store.clear() == 0


@pytest.mark.parametrize("env", [{"GBEARER_CACHE": "off"}, {"GBEARER_CACHE": "/dev/null/x"}])
def test_list_and_clear_say_why_there_is_no_cache(env: dict[str, str]) -> None:
    store = open_cache(env)
    assert store.read(KEY) is None
    assert not store.write(KEY, token())
    for run in (store.list, store.clear):
        with pytest.raises(CacheError) as caught:
            run()
        assert caught.value.code == 8
        assert caught.value.why
        assert "GBEARER_CACHE" in caught.value.fix


def test_the_place_is_the_systems_own_place_for_caches(tmp_path: Path) -> None:
    if os.name != "posix" or os.uname().sysname != "Linux":
        pytest.skip("this is about Linux")
    assert warm.folder_path({"HOME": "/home/ada"}) == "/home/ada/.cache/gbearer"
    assert warm.folder_path({"HOME": "/home/ada", "XDG_CACHE_HOME": "/x"}) == "/x/gbearer"
    assert warm.folder_path({"HOME": "/home/ada", "XDG_CACHE_HOME": "relative"}) == "/home/ada/.cache/gbearer"
    assert warm.folder_path({"HOME": "/home/ada", "GBEARER_CACHE": ""}) == "/home/ada/.cache/gbearer"
    assert warm.folder_path({"GBEARER_CACHE": str(tmp_path)}) == str(tmp_path)
    assert warm.folder_path({"HOME": "/home/ada", "GBEARER_CACHE": "off"}) == ""
