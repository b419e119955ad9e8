"""A person's tokens are on the warm path too: no more is loaded than with a key, and nobody is asked."""

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gbearer.emulator import Emulator
from shows.conftest import GBEARER, Run, tokens_made
from shows.test_right_at_once import modules
from sources.gcloud import hands

ADA, ROBOT = "ada@example.com", "robot@emulator-project.iam.gserviceaccount.com"


def log_in(env: dict[str, str], em: Emulator, *args: str, account: str = ADA) -> None:
    """Sign in without a browser: the URL is read, its pages are gone through, the answer is pasted."""
    with subprocess.Popen(
        [GBEARER, "login", "--client-file", str(em.client_file), "--no-browser", *args],
        env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        url = next(found for line in process.stderr if (found := re.match(r"http://\S+/o/oauth2/\S+", line)))
        process.stdin.write(em.sign_in(url[0], account) + "\n")
        process.stdin.close()
        told = process.stderr.read()
        assert process.wait(30) == 0, told


def login(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:  # noqa: ARG001 (all of them are called alike)
    log_in(env, em)
    return []


def login_by_account(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:  # noqa: ARG001
    log_in(env, em)
    return ["--account", ADA]


def gcloud(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:
    env |= hands.session(folder / "gcloud", ADA, {ADA: json.loads(em.user_file.read_text())})
    return ["--source", "gcloud"]


def gcloud_key(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:
    env |= hands.session(folder / "gcloud", ROBOT, {ROBOT: json.loads(em.key_file.read_text())})
    return ["--source", "gcloud"]


def profile(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:  # noqa: ARG001
    set_profile(env, em)
    return ["--profile", "work"]


def profile_in_use(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:  # noqa: ARG001
    set_profile(env, em)
    subprocess.run([GBEARER, "profile", "use", "work"], env=env, check=True, timeout=30)
    return []


def profile_of_a_folder(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:
    set_profile(env, em)
    (folder / ".gbearer.ini").write_text("[gbearer]\nprofile = work\n")
    return []


def set_profile(env: dict[str, str], em: Emulator) -> None:
    subprocess.run(
        [GBEARER, "profile", "set", "work", "credentials", str(em.key_file)], env=env, check=True, timeout=30
    )


def workforce(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:  # noqa: ARG001
    return ["--credentials", str(em.workforce_user_file)]


def boundary(env: dict[str, str], em: Emulator, folder: Path) -> list[str]:  # noqa: ARG001
    return ["--credentials", str(em.key_file), "--bucket", "emulator-bucket", "--role", "objectViewer"]


@pytest.mark.parametrize(
    "setup",
    [login, login_by_account, gcloud, gcloud_key, profile, profile_in_use, profile_of_a_folder, workforce, boundary],
    ids=lambda setup: setup.__name__,
)
def test_warm_it_loads_no_more_than_with_a_key_and_asks_nobody(
    run: Run,
    env: dict[str, str],
    em: Emulator,
    tmp_path: Path,
    traffic: Callable[[], list[str]],
    setup: Callable[[dict[str, str], Emulator, Path], list[str]],
) -> None:
    del env["GOOGLE_APPLICATION_CREDENTIALS"]
    here = tmp_path / "here"
    here.mkdir()
    args = ["header", *setup(env, em, here)]
    time.sleep(2.2)  # younger files are not believed
    first = run(*args, env=env, cwd=here)
    assert first.returncode == 0, first.stderr
    assert run(*args, env=env, cwd=here).stdout == first.stdout
    em.reset()
    before = len(traffic())
    with_key = ["header", "--credentials", str(em.key_file)]
    warm = modules(env, *args, cwd=here)
    assert run(*args, env=env, cwd=here).stdout == first.stdout
    assert len(traffic()) == before
    assert em.log() == []
    assert tokens_made(em) == 0
    for _ in range(2):
        run(*with_key, env=env, cwd=here)
    assert warm == modules(env, *with_key, cwd=here)
    assert warm <= {"gbearer", "gbearer.__main__", "gbearer._version", "gbearer.warm", "_blake2"}
