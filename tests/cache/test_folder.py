"""Folders that are unsafe or unusable: one warning, no cache, and never an exception."""

import os
import stat
from pathlib import Path

import pytest

from cache.hands import KEY, child, ended, files, mode, opened, token
from gbearer.errors import CacheError

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


def assert_not_used(folder: Path, capsys: pytest.CaptureFixture[str], why: str) -> None:
    """Nothing is read or written there, with one warning that says why."""
    for _ in range(2):
        store = opened(folder)  # warnings are said once
        assert store.folder is None
        assert why in store.problem
        assert not store.write(KEY, token("ya29.SECRET"))
        assert store.read(KEY) is None
        assert store.notes.read("x") is None
        assert store.acquire(KEY) == -1
        store.release(KEY, -1)
        store.tidy(expired=True)
        store.drop(KEY)
        store.forget_failure(KEY)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("warning:") == 1 == err.count("\n")
    assert str(folder) in err
    assert why in err
    with pytest.raises(CacheError):
        opened(folder).list()


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702, 0o1777, 0o720])
def test_where_others_may_write_nothing_is_read_or_written(
    tmp_path: Path, bits: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "c"
    opened(folder).write(KEY, token())
    folder.chmod(bits)
    before = files(folder)
    assert_not_used(folder, capsys, "others may write")
    assert files(folder) == before
    assert mode(folder) == stat.S_IMODE(bits), "what somebody chose is not changed behind his back"


def test_a_folder_that_others_may_only_read_is_used_for_its_files_are_closed(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir(0o755)
    store = opened(tmp_path / "c")
    assert store.write(KEY, token())
    assert store.read(KEY) is not None
    assert mode(tmp_path / "c" / f"t-{KEY}") == 0o600


@pytest.mark.parametrize("target", ["a folder", "nothing"])
def test_a_link_is_not_followed(tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    if target == "a folder":
        (tmp_path / "real").mkdir(0o700)
    (tmp_path / "c").symlink_to(tmp_path / "real")
    assert_not_used(tmp_path / "c", capsys, "link")
    assert files(tmp_path) == sorted(["c", "home"] + (["real"] if target == "a folder" else []))


@pytest.mark.parametrize("place", ["itself", "above"])
def test_a_file_in_its_place_is_left_alone(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c").write_text("mine")
    assert_not_used(tmp_path / "c" if place == "itself" else tmp_path / "c" / "d", capsys, "no folder")
    assert (tmp_path / "c").read_text() == "mine"


@root_only
def test_a_folder_of_another_user_is_not_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c").mkdir(0o700)
    os.chown(tmp_path / "c", 65534, 65534)
    assert_not_used(tmp_path / "c", capsys, "belongs to somebody else")


@pytest.mark.parametrize("path", ["/proc/gbearer", "/proc/self/gbearer/c", "/dev/null/c", "/sys/gbearer"])
def test_where_no_folder_can_be_made_there_is_none(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not os.path.isdir("/proc/self"):
        pytest.skip("there is no /proc here")
    assert_not_used(Path(path), capsys, "")


def test_a_folder_without_write_permission_is_read_and_a_warning_said() -> None:
    """As an ordinary user: root may write anywhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become nobody")
    out = ended(
        child(
            """
            import os, sys, tempfile
            from gbearer.cache import open_cache
            from gbearer.model import Token
            path = tempfile.mkdtemp()
            os.chmod(path, 0o755); os.chown(path, 65534, 65534)
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
            folder = os.path.join(path, "c")
            store = open_cache({"GBEARER_CACHE": folder})
            assert store.write("a" * 64, Token("ya29.x", "access", 9e9))
            os.chmod(folder, 0o500)
            store = open_cache({"GBEARER_CACHE": folder})
            print(store.read("a" * 64).token.value, store.write("b" * 64, Token("ya29.y", "access", 9e9)))
            print(store.acquire("b" * 64), os.listdir(folder) == ["t-" + "a" * 64])
            os.chmod(folder, 0o000)
            print(open_cache({"GBEARER_CACHE": folder}).problem)
            os.chmod(folder, 0o700); os.unlink(folder + "/t-" + "a" * 64); os.rmdir(folder); os.rmdir(path)
            """
        )
    )
    assert out.splitlines() == ["ya29.x False", "-1 True", "permission denied"]


def test_a_full_disk_costs_a_warning_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    process = child(
        """
        import resource, sys
        from gbearer.cache import open_cache
        from gbearer.model import Token
        store = open_cache({"GBEARER_CACHE": sys.argv[1]})
        assert store.write("a" * 64, Token("ya29.old", "access", 9e9))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        assert not store.write("a" * 64, Token("ya29." + "n" * 400, "access", 9e9))
        assert not store.write("b" * 64, Token("ya29." + "n" * 400, "access", 9e9))
        print(store.read("a" * 64).token.value)
        """,
        tmp_path / "c",
    )
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "ya29.old\n"), err
    assert err.count("warning: the cache") == 1 == err.count("\n")
    assert "too large" in err
    assert files(tmp_path / "c") == ["t-" + "a" * 64]


def test_to_look_is_not_to_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(tmp_path / "c", create=False)
    assert store.folder is None
    assert store.problem
    assert not (tmp_path / "c").exists()
    assert capsys.readouterr().err == ""


def test_a_folder_taken_away_under_way_is_no_disaster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = opened(tmp_path / "c")
    (tmp_path / "c").rmdir()
    assert store.read(KEY) is None
    assert not store.write(KEY, token())
    assert store.acquire(KEY) == -1
    store.tidy(expired=True)
    assert "warning" in capsys.readouterr().err
