"""The files of profiles: what they may say, every fault by file, line and column, and nothing trusted nearby."""

import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gbearer import log, profiles
from gbearer.errors import BadCredentials, UsageError
from gbearer.profiles import keys
from gbearer.sources.look import Look

SECRET = "hunter2-hunter2-hunter2"
ROBOT = "robot@p.iam.gserviceaccount.com"


@pytest.fixture
def config(own_environment: Path) -> Callable[[str | bytes], Path]:
    """A function that writes config.ini."""

    def write(text: str | bytes) -> Path:
        path = own_environment / ".config" / "gbearer" / "config.ini"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


@pytest.fixture(autouse=True)
def here(own_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below the home, and the current one."""
    folder = own_environment / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def options(name: str | None = None, **env: str) -> profiles.Chosen:
    return profiles.options(Look({"HOME": os.environ["HOME"], **env}), name)


TWO = "[profile one]\nscope = email\n\n[profile two]\nscope = openid\n"


def test_without_any_file_there_is_no_profile_and_the_absent_files_are_known(here: Path) -> None:
    look = Look({"HOME": os.environ["HOME"]})
    assert profiles.options(look).name == ""
    home = here.parent.parent
    expected = [here / ".gbearer.ini", here.parent / ".gbearer.ini", home / ".gbearer.ini"]
    assert look.files == {str(path): None for path in [*expected, home / ".config/gbearer/config.ini"]}
    assert look.remember


def test_option_before_variable_before_folder_before_use(config: Callable[..., Path], here: Path) -> None:
    names = ("used", "near", "far", "env", "typed")
    config("[gbearer]\nprofile = used\n" + "".join(f"[profile {name}]\nscope = {name}\n" for name in names))
    assert (options().name, options().origin) == ("used", "gbearer profile use")
    far = here.parent / ".gbearer.ini"
    far.write_text("[gbearer]\nprofile = far\n")
    assert (options().name, options().origin) == ("far", str(far))
    near = here / ".gbearer.ini"
    near.write_text("; of this folder\n[gbearer]\nprofile = near\n")
    assert (options().name, options().origin) == ("near", str(near))
    assert options(GBEARER_PROFILE="env").origin == "GBEARER_PROFILE"
    chosen = options("typed", GBEARER_PROFILE="env")
    assert (chosen.name, chosen.origin, chosen.values, chosen.lines) == (
        "typed",
        "--profile",
        {"scope": "typed"},
        {"scope": 12},
    )
    near.write_text("")
    assert options().name == "far", "a file that chooses nothing is passed over"


def test_none_is_no_profile_wherever_it_is_said(config: Callable[..., Path], here: Path) -> None:
    config("[gbearer]\nprofile = one\n" + TWO)
    assert options("none").name == ""
    assert options(GBEARER_PROFILE="none").name == ""
    (here / ".gbearer.ini").write_text("[gbearer]\nprofile = none\n")
    assert options().name == ""
    config("[profile none]\n")
    with pytest.raises(BadCredentials, match="line 1, column 1"):
        options("one")


def test_the_walk_ends_at_the_home_and_elsewhere_at_the_root(
    config: Callable[..., Path], tmp_path: Path, own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(TWO)
    (tmp_path / ".gbearer.ini").write_text("[gbearer]\nprofile = two\n")
    inside, outside = own_environment / "x", tmp_path / "y" / "z"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert options().name == "", "above the home nobody looks"
    monkeypatch.chdir(outside)
    assert options().name == "two"
    link = tmp_path / "link"
    link.symlink_to(own_environment)
    monkeypatch.chdir(inside)
    assert profiles.options(Look({"HOME": str(link)})).name == "", "the home is the same by another path"


def test_from_a_folder_that_was_deleted_nothing_is_chosen(here: Path) -> None:
    here.rmdir()
    assert options().name == ""


FAULTS = {
    "no section": ("scope = email\n", 1, 1, "above the first"),
    "section not closed": ("[profile one\n", 1, 13, "not closed"),
    "something after a section": ("[profile one] x = 1\n", 1, 15, "stands after"),
    "a bare section": ("\n  [one]\n", 2, 3, "no such section"),
    "a line without =": (f"[profile one]\n\n  {SECRET}\n", 3, 3, "no ="),
    "no key": ("[profile one]\n = x\n", 2, 2, "is no key"),
    "a key with spaces": (f"[profile one]\nthe {SECRET} = x\n", 2, 1, "is no key"),
    "a section twice": ("[profile one]\nscope = a\n[profile  one]\n", 3, 1, "already, on line 1"),
    "a key twice": ("[profile one]\nno-cache = true\nNo_Cache = no\n", 3, 1, "already, on line 2"),
    "a control character": ("[profile one]\nscope = a\x1b[31m\n", 2, 10, "0x1b"),
    "a NUL": ("[profile one]\nscope = \0\n", 2, 9, "0x00"),
    "no UTF-8": (b"[profile one]\nscope = \xc3\xa4\xff\n", 2, 10, "UTF-8"),
    "a name that is none": ("[profile a b]\n", 1, 1, "no name of a profile"),
    "an unknown setting": ("[gbearer]\ncredentials = x\n", 2, 1, "not known under [gbearer]"),
    "a used name that is none": ("[gbearer]\nprofile =  a/b\n", 2, 12, "no name of a profile"),
    "utf-16": ("[profile one]\n".encode("utf-16"), 1, 1, "UTF-8"),
    "JSON": ('{"type": "service_account"}', 1, 1, "above the first"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_parsed_is_told_by_file_line_and_column_and_without_its_content(
    config: Callable[..., Path], fault: str
) -> None:
    text, line, column, said = FAULTS[fault]
    path = config(text)
    for name in ("one", None):
        with pytest.raises(BadCredentials) as caught:
            options(name)
        assert caught.value.message == f"{path} cannot be used: line {line}, column {column}"
        assert said in caught.value.why
        assert caught.value.fix
        assert SECRET not in str(caught.value)


def test_the_form_is_taken_as_people_write_it(config: Callable[..., Path]) -> None:
    config(
        b"\xef\xbb\xbf# mine\r\n[profile   one] ; the first\r\n  Quota_Project=p1\r\n\r\n;x\r\nscope = 'a, b'\r\n"
        b"audience = https://x/?a=b#c\r\nno_cache = On\r\n[Gbearer]\r\nprofile = one"
    )
    chosen = options()
    assert dict(chosen.values) == {
        "quota-project": "p1", "scope": "a, b", "audience": "https://x/?a=b#c", "no-cache": "On",
    }  # fmt: skip


def test_paths_begin_at_the_file_or_at_the_home(config: Callable[..., Path], own_environment: Path) -> None:
    path = config(
        "[profile one]\ncredentials = keys/a.json\nboundary = ~/b.json\nclient-file = /c.json\n"
        "login-config = ../d.json\n"
    )
    assert dict(options("one").values) == {
        "credentials": str(path.parent / "keys/a.json"),
        "boundary": str(own_environment / "b.json"),
        "client-file": "/c.json",
        "login-config": f"{path.parent}/../d.json",
    }


BAD_VALUES = {
    "credentails = x": ("there is no such option", "write credentials"),
    "scopes = email": ("there is no such option", "write scope"),
    "zzz = 1": ("there is no such option", "known are account, "),
    "credentials =": ("has no value", "a path"),
    'credentials = ""': ("has no value", "a path"),
    'credentials = {"type": "service_account", "private_key": "' + SECRET + '"}': ("holds a credential itself", "0600"),
    "credentials = eyJ0eXBlIjogInNlcnZpY2VfYWNjb3VudCIsICJ4IjogImh1bnRlcjIifQ==": ("holds a credential itself", "0600"),
    "credentials = -": ("no stdin", "name a file"),
    "source = gclod": ("there is no 'gclod'", "gcloud"),
    "format = yaml": ("there is no 'yaml'", "json"),
    "aws-token = x": ("there is no 'x'", "signed"),
    "lifetime = soon": ("is not a duration", "15m"),
    "min-ttl = -1": ("is not a duration", "15m"),
    "no-cache = maybe": ("neither true nor false", "true"),
    "trust-config = 2": ("neither true nor false", "true"),
    "scope = a\\b": ("no scope may have", "one by one"),
    "impersonate = robot": ("is no service account", "email"),
    "delegate = a@b.example, robot": ("is no service account", "email"),
    "subject = ada": ("no email", "address"),
    "quota-project = a b": ("no project id", "project id"),
    "expect-role = admin": ("no ARN", "in full"),
    "provider = projects/1": ("is no provider", "in full"),
    "audience = a b": ("has spaces", "one URL"),
    "port = 99999": ("is no port", "65535"),
    "port = ²": ("is no port", "65535"),
}


@pytest.mark.parametrize("line", BAD_VALUES)
def test_unknown_keys_and_wrong_values_name_file_line_key_and_what_to_write(
    config: Callable[..., Path], line: str
) -> None:
    said, fix = BAD_VALUES[line]
    path = config(f"[profile one]\n# x\n{line}\n[profile two]\n")
    with pytest.raises(BadCredentials) as caught:
        options("one")
    key = line.partition("=")[0].strip()
    before, _, after = line.partition("=")
    column = len(before) + 2 + len(after) - len(after.lstrip()) if key in keys.KEYS and after.strip() else None
    assert re.search(rf"cannot be used: line 3, column {column or '[0-9]+'}, {key}: ", caught.value.message)
    assert str(path) in caught.value.message
    assert said in caught.value.message
    assert fix in caught.value.fix
    assert SECRET not in str(caught.value)
    assert "eyJ0" not in str(caught.value)
    assert options("two").values == {}, "another profile is not touched by it"


def test_all_that_is_wrong_with_a_profile_is_said_at_once(config: Callable[..., Path]) -> None:
    config("[profile one]\nscopes = a\nlifetime = soon\n")
    with pytest.raises(BadCredentials, match=r"line 2, column 1, scopes: .*; line 3, column 12, lifetime: "):
        options("one")


def test_every_option_that_makes_a_question_is_a_key() -> None:
    from gbearer.cli.options import OPTIONS

    assert set(OPTIONS) <= set(keys.KEYS)
    assert {"format", "audience", "auth", "keyring", "no-browser", "client-file", "login-config", "port"} <= set(
        keys.KEYS
    )


def test_a_name_that_is_not_there_names_the_nearest_and_what_chose_it(config: Callable[..., Path], here: Path) -> None:
    for name, origin in (("wrok", "--profile"), ("wrok", "GBEARER_PROFILE"), ("wrok", str(here / ".gbearer.ini"))):
        path = config("[profile work]\n[profile home]\n")
        if origin.startswith("/"):
            (here / ".gbearer.ini").write_text(f"[gbearer]\nprofile = {name}\n")
        with pytest.raises(UsageError) as caught:
            options(name if origin == "--profile" else None, **({"GBEARER_PROFILE": name} if origin.isupper() else {}))
        assert caught.value.message == "there is no profile 'wrok'"
        assert caught.value.why == f"{origin} chooses it, and {path} has work, home"
        assert caught.value.fix in (
            "--profile work",
            "export GBEARER_PROFILE=work",
            f"write profile = work into {origin}",
        )
        assert origin in caught.value.fix
    (here / ".gbearer.ini").unlink()
    config("[gbearer]\nprofile = gone\n[profile home]\n")
    with pytest.raises(UsageError, match="there is no profile 'gone'"):
        options()


def test_without_config_ini_a_named_profile_is_an_error_that_says_how_to_make_one() -> None:
    with pytest.raises(UsageError) as caught:
        options("work")
    assert "gbearer profile set work" in caught.value.fix
    with pytest.raises(UsageError, match="names no profile"):
        options("")


# --- a folder that somebody else filled


MORE: dict[str, tuple[str, str]] = {
    "a key beside the name": ("two", "[gbearer]\nprofile = two\ncredentials = /evil.json\n"),
    "a trust beside the name": ("two", "[gbearer]\nprofile = two\ntrust-config = true\n"),
    "a profile of its own": ("two", "[gbearer]\nprofile = two\n[profile two]\ncredentials = /evil.json\n"),
    "a default section": ("two", "[DEFAULT]\ncredentials = /evil.json\n[gbearer]\nprofile = two\n"),
    "a continued line": ("two", "[gbearer]\nprofile = two\n  credentials = /evil.json\n"),
    "a profile alone": ("one", "[profile one]\ncredentials = /evil.json\n"),
    "options under a bare section": ("one", "[one]\ncredentials = /evil.json\n"),
    "many sections": ("one", "".join(f"[s{n}]\n" for n in range(200))),
}
"""The name of the profile that is taken, and a file that says more than a name."""


@pytest.mark.parametrize("content", MORE)
def test_what_stands_beside_the_name_has_no_effect(
    config: Callable[..., Path], here: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    config("[gbearer]\nprofile = one\n" + TWO)
    name, text = MORE[content]
    expected = options(name).values
    (here / ".gbearer.ini").write_text(text)
    chosen = options()
    assert (chosen.name, chosen.values) == (name, expected)
    said = capsys.readouterr().err
    assert f"{here / '.gbearer.ini'} may only choose a profile by name" in said
    assert "evil" not in said


HOSTILE: dict[str, str | bytes] = {
    "keys without a section": "credentials = /evil.json\n",
    "interpolation": "[gbearer]\nprofile = %(HOME)s\n",
    "a path for a name": "[gbearer]\nprofile = ../../two\n",
    "an escape in the name": "[gbearer]\nprofile = two\x1b]0;x\x07\n",
    "an escape in a section": "[\x1b[2J]\n",
    "a newline smuggled in": "[gbearer]\nprofile = two\x85credentials = x\n",
    "a right-to-left mark": "[gbearer]\nprofile = two\u202eini\n",
    "the name twice": "[gbearer]\nprofile = one\nprofile = two\n",
    "the section twice": "[gbearer]\nprofile = one\n[gbearer]\nprofile = two\n",
    "no text": b"\xff\xfe\x00",
    "a name of a megabyte": "[gbearer]\nprofile = " + "x" * 1_000_000,
}


@pytest.mark.parametrize("content", HOSTILE)
def test_what_cannot_be_understood_has_no_effect_but_an_error(
    config: Callable[..., Path], here: Path, content: str
) -> None:
    config("[gbearer]\nprofile = one\n" + TWO)
    text = HOSTILE[content]
    (here / ".gbearer.ini").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadCredentials) as caught:
        options()
    assert str(here / ".gbearer.ini") in caught.value.message
    assert caught.value.message.isprintable()
    assert caught.value.why.isprintable()
    assert len(str(caught.value)) < 1000
    assert "evil" not in str(caught.value)
    assert options("two").values == {"scope": "openid"}, "who names a profile goes past it"
    assert options(GBEARER_PROFILE="one").values == {"scope": "email"}


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_a_secret(path: Path) -> None:
    secret = path.with_name("secret.json")
    secret.write_text(SECRET)
    path.symlink_to(secret)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def two_gigabytes(path: Path) -> None:
    path.touch()
    os.truncate(path, 2 << 30)


def socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize("make", [fifo, folder, endless, link_to_a_secret, dangling, two_gigabytes, socket])
def test_what_is_no_small_file_of_its_own_neither_hangs_nor_leaks(
    config: Callable[..., Path], here: Path, make: Callable[[Path], None]
) -> None:
    config(TWO)
    make(here / ".gbearer.ini")
    begun = time.monotonic()
    with pytest.raises(BadCredentials) as caught:
        options()
    assert time.monotonic() - begun < 2
    assert str(here / ".gbearer.ini") in caught.value.message
    assert SECRET not in str(caught.value)
    assert options("one").name == "one"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_passed_over_with_a_warning(
    config: Callable[..., Path], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config("[gbearer]\nprofile = one\n" + TWO)
    (here.parent / ".gbearer.ini").write_text("[gbearer]\nprofile = two\n")
    near = here / ".gbearer.ini"
    for make in (lambda: near.write_text("[gbearer]\nprofile = one\n"), near.mkdir, lambda: os.mkfifo(near)):
        make()
        os.chown(near, 12345, 12345)
        log._seen.clear()
        assert options().name == "two", "the next one above counts"
        assert f"warning: {near} is not used: it belongs to somebody else" in capsys.readouterr().err
        near.rmdir() if near.is_dir() else near.unlink()
    near.symlink_to(config(TWO))
    os.chown(near, 12345, 12345, follow_symlinks=False)
    assert options().name == "two"


def test_config_ini_may_be_a_link_but_no_pipe(config: Callable[..., Path]) -> None:
    path = config(TWO)
    path.rename(path.with_name("kept.ini"))
    path.symlink_to("kept.ini")
    assert options("one").values == {"scope": "email"}
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(BadCredentials, match="is not a regular file"):
        options("one")
    path.unlink()
    path.mkdir()
    with pytest.raises(BadCredentials, match="is a folder"):
        options()


def test_a_config_ini_that_anybody_may_write_is_not_believed(config: Callable[..., Path]) -> None:
    path = config(TWO)
    path.chmod(0o664)
    assert options("one").name == "one"
    path.chmod(0o666)
    with pytest.raises(BadCredentials, match="may be written by anybody") as caught:
        options()
    assert caught.value.fix == f"chmod 600 {path}"


def test_a_profile_has_no_secret_in_its_repr(config: Callable[..., Path]) -> None:
    config(f"[profile one]\naudience = {SECRET}\n")
    assert SECRET not in repr(options("one"))


def test_a_config_of_somebody_else_is_refused(config: Callable[..., Path]) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a file away needs root")
    path = config(TWO)
    os.chown(path, 65534, 65534)
    with pytest.raises(BadCredentials, match="belongs to somebody else"):
        options("one")


def test_a_path_cannot_write_on_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = here / "\x1b]0;owned\x07\x1b[2J"
    folder.mkdir()
    (folder / ".gbearer.ini").write_text("[gbearer]\ncredentials = /evil.json\n")
    os.chdir(folder)
    options()
    said = capsys.readouterr().err
    assert "may only choose a profile by name" in said
    assert said.rstrip("\n").isprintable()
