"""Where a login is kept: the system's keyring and what becomes of one that fails, and gcloud's default credentials."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Ended
from gbearer.emulator import Emulator
from gbearer.errors import UsageError
from gbearer.login import adc
from gbearer.sources import Look
from login.conftest import ADA, Login, visit

Begin = Callable[..., Login]
Done = Callable[..., Ended]
PLAIN = {"PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring"}
FAILS = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
FORGETS = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def file_of(home: Path) -> Path:
    return home / f".config/gbearer/emulator-logins/{ADA}.json"


def ring_of(home: Path) -> Path:
    return home / ".local/share/python_keyring/keyring_pass.cfg"


def test_with_keyring_the_file_holds_no_refresh_token(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    ended = signed_in("--keyring", **PLAIN)
    assert "kept in the keyring (file PlaintextKeyring" in ended.err
    info = json.loads(file_of(own_environment).read_text())
    assert "refresh_token" not in info
    assert info["gbearer"]["keyring"] is True
    assert "[gbearer]" in ring_of(own_environment).read_text()
    assert spawn("token", **PLAIN).code == 0
    assert spawn("login", "--list", **PLAIN).out.split()[3] == "keyring"


@pytest.mark.parametrize("backend", [FAILS, FORGETS], ids=["absent", "forgets"])
def test_a_keyring_that_fails_at_sign_in_leaves_the_login_in_a_file(
    signed_in: Done, spawn: Done, own_environment: Path, backend: dict[str, str]
) -> None:
    ended = signed_in("--keyring", **backend)
    assert "warning: the login is kept in a file (0600), for the keyring cannot be used" in ended.err
    assert "refresh_token" in json.loads(file_of(own_environment).read_text())
    assert stat.S_IMODE(file_of(own_environment).stat().st_mode) == 0o600
    assert spawn("token", **backend).code == 0


def test_a_keyring_that_fails_later_fails_no_token_that_is_cached(signed_in: Done, spawn: Done) -> None:
    signed_in("--keyring", **PLAIN)
    token = spawn("token", **PLAIN)
    assert token.code == 0
    assert spawn("token", **FAILS) == token
    needed = spawn("token", "--refresh", **FAILS)
    assert (needed.code, needed.out) == (6, "")
    assert "keyring" in needed.err
    assert f"gbearer login --account {ADA} --no-keyring" in needed.err


def test_a_keyring_that_fails_leaves_a_token_that_is_about_to_end_in_use(
    signed_in: Done, spawn: Done, em: Emulator
) -> None:
    signed_in("--keyring", **PLAIN)
    answer = {"access_token": "ya29.short", "expires_in": 8, "token_type": "Bearer", "scope": ""}
    em.fault({"count": 1, "match": {"path": "/token"}, "status": 200, "body": json.dumps(answer)})
    first = spawn("token", **PLAIN)
    assert first.out == "ya29.short\n"
    time.sleep(6.3)  # in the last quarter of its life it is renewed, where that can be done
    assert spawn("token", **FAILS) == first


def test_an_entry_that_somebody_took_out_of_the_keyring_is_6(
    signed_in: Done, spawn: Done, own_environment: Path
) -> None:
    signed_in("--keyring", **PLAIN)
    ring_of(own_environment).unlink()
    ended = spawn("token", **PLAIN)
    assert (ended.code, ended.out) == (6, "")
    assert "is not in the system's keyring any more\n  why: somebody took it out" in ended.err
    assert f"gbearer login --account {ADA}" in ended.err


def test_keyring_is_remembered_by_the_next_sign_in_and_left_by_no_keyring(
    signed_in: Done, own_environment: Path
) -> None:
    signed_in("--keyring", **PLAIN)
    first = ring_of(own_environment).read_text()
    signed_in("--account", ADA, **PLAIN)
    assert "refresh_token" not in json.loads(file_of(own_environment).read_text())
    second = ring_of(own_environment).read_text()
    assert second != first
    assert first.count(" = ") == second.count(" = ") == 1, "the former entry is gone"
    signed_in("--account", ADA, "--no-keyring", **PLAIN)
    assert "refresh_token" in json.loads(file_of(own_environment).read_text())
    assert " = " not in ring_of(own_environment).read_text()


def test_logout_takes_it_out_of_the_keyring(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in("--keyring", **PLAIN)
    assert spawn("logout", **PLAIN).code == 0
    assert "=" not in ring_of(own_environment).read_text()
    assert not file_of(own_environment).exists()


def test_a_keyring_that_hangs_is_waited_for_no_longer_than_its_time(own_environment: Path) -> None:
    (own_environment / "slowring.py").write_text(
        "import time\nfrom keyring.backend import KeyringBackend\n"
        "class Ring(KeyringBackend):\n    priority = 1\n"
        "    def get_password(self, service, name): time.sleep(300)\n"
        "    def set_password(self, service, name, secret): time.sleep(300)\n"
        "    def delete_password(self, service, name): time.sleep(300)\n"
    )
    program = (
        "from gbearer.sources import keychain\n"
        "for call in (lambda: keychain.read('x', seconds=2), lambda: keychain.write('x', 's', seconds=2),\n"
        "             lambda: keychain.remove('x', seconds=2)):\n"
        "    try:\n        call()\n    except keychain.Unusable as error:\n        print(error)\n"
    )
    path = f"{own_environment}{os.pathsep}{os.environ['PYTHONPATH']}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "slowring.Ring"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.decode() == "it has not answered for 2 s\n" * 3, done.stderr


RING = """\
import os, time
from keyring.backend import KeyringBackend
class Ring(KeyringBackend):
    priority = 1
    def get_password(self, service, name): {does}
    def set_password(self, service, name, secret): {does}
    def delete_password(self, service, name): {does}
"""


def broken(home: Path, does: str) -> dict[str, str]:
    """An environment whose keyring does this."""
    (home / "brokenring.py").write_text(RING.format(does=does))
    path = f"{home}{os.pathsep}{os.environ['PYTHONPATH']}"
    return {"PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "brokenring.Ring"}


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise ValueError('a\\x1b[2Jb\\nc')", "ValueError: a\\x1b[2Jb c"),
    ],
)
def test_a_keyring_that_raises_what_it_likes_is_6_and_says_so(
    signed_in: Done, spawn: Done, own_environment: Path, does: str, words: str
) -> None:
    signed_in("--keyring", **PLAIN)
    ended = spawn("token", **broken(own_environment, does))
    assert (ended.code, ended.out) == (6, "")
    assert f"why: {words}\n  fix: keep the login in a file: `gbearer login --account {ADA} --no-keyring`" in ended.err


def test_what_a_keyring_prints_is_no_part_of_the_token(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in("--keyring", **PLAIN)
    secret = f"emulator-1//{'0' * 40}"
    ended = spawn("token", **broken(own_environment, f"print('hello'); return {secret!r}"))
    assert (ended.code, ended.out) == (6, "")  # it is none that the emulator knows
    assert "hello" in ended.err


def test_a_backend_that_is_not_there_is_told_as_that(signed_in: Done, spawn: Done) -> None:
    signed_in("--keyring", **PLAIN)
    ended = spawn("token", PYTHON_KEYRING_BACKEND="no.such.Backend")
    assert (ended.code, ended.out) == (6, "")
    assert "its backend cannot be loaded: ModuleNotFoundError: No module named 'no'" in ended.err
    assert "not installed" not in ended.err
    assert "unlock" not in spawn("token", **FAILS).err


def test_logout_waits_once_for_a_keyring_that_hangs(signed_in: Done, spawn: Done, own_environment: Path) -> None:
    signed_in("--keyring", **PLAIN)
    calls = own_environment / "calls"
    ended = spawn("logout", **broken(own_environment, f"open({str(calls)!r}, 'a').write('x'); raise OSError('stuck')"))
    assert (ended.code, ended.out) == (7, "")
    assert calls.read_text() == "x"
    assert "stays in the keyring, which cannot be used: OSError: stuck" in ended.err
    assert not file_of(own_environment).exists()


def test_adc_writes_what_googles_own_library_reads(signed_in: Done, own_environment: Path) -> None:
    ended = signed_in("--adc", "--quota-project", "emulator-project")
    path = own_environment / ".config/gcloud/application_default_credentials.json"
    assert str(path) in ended.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    info = json.loads(path.read_text())
    assert "gbearer" not in info
    assert (info["type"], info["quota_project_id"], info["account"]) == ("authorized_user", "emulator-project", ADA)

    from google.oauth2.credentials import Credentials

    found = Credentials.from_authorized_user_file(str(path))  # type: ignore[no-untyped-call, unused-ignore]
    assert (found.refresh_token, found.quota_project_id) == (info["refresh_token"], "emulator-project")


def test_adc_replaces_a_persons_login_and_nothing_else(
    signed_in: Done, spawn: Done, own_environment: Path, em: Emulator
) -> None:
    path = own_environment / ".config/gcloud/application_default_credentials.json"
    path.parent.mkdir(parents=True)
    for text in (
        em.key_file.read_text(),
        "{",
        "[]",
        "{}",
        '{"a": 1}',
        '{"type": "none"}',
        em.impersonated_file.read_text(),
    ):
        path.write_text(text)
        ended = spawn("login", "--client-file", str(em.dir / "client.json"), "--adc")
        assert (ended.code, ended.out) == (2, "")
        assert f"error: --adc would overwrite {path}" in ended.err
        assert path.read_text() == text
        assert not (own_environment / "opened").exists()
    path.write_text(em.user_file.read_text())
    signed_in("--adc")
    assert path.read_text() != em.user_file.read_text()


def test_adc_at_an_emulator_leaves_a_real_login_alone(
    signed_in: Done, spawn: Done, own_environment: Path, em: Emulator
) -> None:
    path = own_environment / ".config/gcloud/application_default_credentials.json"
    path.parent.mkdir(parents=True)
    text = json.dumps(json.loads(em.user_file.read_text()) | {"refresh_token": "1//0real"})
    path.write_text(text)
    ended = spawn("login", "--client-file", str(em.dir / "client.json"), "--adc")
    assert (ended.code, ended.out) == (2, "")
    assert "it holds a real login, and GBEARER_EMULATOR_HOST is set" in ended.err
    assert "export CLOUDSDK_CONFIG=" in ended.err
    assert "1//0real" not in ended.err
    assert not (own_environment / "opened").exists()
    elsewhere = own_environment / "elsewhere"
    signed_in("--adc", CLOUDSDK_CONFIG=str(elsewhere))
    assert (elsewhere / path.name).exists()
    assert spawn("logout").code == 0
    assert path.read_text() == text


@pytest.mark.parametrize("token", ["1//0real", "emulator-1//0made-up"])
def test_adc_at_google_replaces_any_persons_login(own_environment: Path, em: Emulator, token: str) -> None:
    path = own_environment / ".config/gcloud/application_default_credentials.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(json.loads(em.user_file.read_text()) | {"refresh_token": token}))
    real = Look({"HOME": str(own_environment)})
    emulated = Look({"HOME": str(own_environment), "GBEARER_EMULATOR_HOST": em.host})
    adc.check(real)
    if token.startswith("emulator-"):
        adc.check(emulated)
    else:
        with pytest.raises(UsageError):
            adc.check(emulated)


def test_an_adc_file_that_cannot_be_written_names_the_command(login: Begin, em: Emulator) -> None:
    begun = login("--client-file", str(em.dir / "client.json"), "--adc", CLOUDSDK_CONFIG="/dev/null/gcloud")
    visit(em.sign_in(begun.url))
    ended = begun.end()
    assert (ended.code, ended.out) == (4, "")
    assert f"`gbearer login --account {ADA} --adc`" in ended.err


def test_logout_deletes_the_adc_file_of_the_same_login_only(
    signed_in: Done, spawn: Done, own_environment: Path, em: Emulator
) -> None:
    path = own_environment / ".config/gcloud/application_default_credentials.json"
    signed_in("--adc")
    ended = spawn("logout")
    assert (ended.code, f"deleted as well: {path}" in ended.err) == (0, True)
    assert not path.exists()
    signed_in("--client-file", str(em.dir / "client.json"))
    path.write_text(em.user_file.read_text())
    assert spawn("logout").code == 0
    assert path.exists()


def test_the_adc_file_is_a_credential_for_whoever_reads_it(signed_in: Done, spawn: Done) -> None:
    signed_in("--adc")
    shown = spawn("whoami", "--source", "adc")
    assert (shown.code, f"who         {ADA}" in shown.out) == (0, True)
