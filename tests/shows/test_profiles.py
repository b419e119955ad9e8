"""Ten profiles from twenty processes at once: each its own identity; and no folder chooses more than a name."""

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from gbearer.emulator import Emulator
from shows.conftest import GBEARER, Run
from shows.test_right_at_once import is_warm, modules

SA = "{}@emulator-project.iam.gserviceaccount.com"


def identities(em: Emulator) -> dict[str, dict[str, str]]:
    """Ten sets of options, each somebody else."""
    key = str(em.key_file)
    return {
        "robot": {"credentials": key},
        "ada": {"credentials": str(em.user_file)},
        "target": {"credentials": key, "impersonate": SA.format("target")},
        "middle": {"credentials": key, "impersonate": SA.format("middle")},
        "chain": {"credentials": key, "impersonate": SA.format("target2"), "delegate": SA.format("middle")},
        "machine": {"source": "metadata"},
        "grace": {"credentials": key, "subject": "grace@example.com"},
        "workforce": {"credentials": str(em.dir / "workforce-user.json")},
        "federated": {"credentials": str(em.dir / "external-file.json")},
        "saml": {"credentials": str(em.dir / "external-saml.json")},
    }


def config_of(profiles: dict[str, dict[str, str]], home: Path) -> Path:
    path = home / ".config" / "gbearer" / "config.ini"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"[profile {name}]\n" + "".join(f"{k} = {v}\n" for k, v in told.items()) for name, told in profiles.items()
    ]
    path.write_text("\n".join(lines))
    return path


def caller(em: Emulator, token: str) -> dict[str, str]:
    """Who the protected API says has called."""
    request = urllib.request.Request(f"{em.url}/v1/protected", headers={"Authorization": f"Bearer {token.strip()}"})
    with urllib.request.urlopen(request) as answer:
        told: dict[str, str] = json.load(answer)["caller"]
    return told


@pytest.fixture
def env(env: dict[str, str], em: Emulator) -> dict[str, str]:
    """No credential but what a profile names, and a metadata server for the one that wants it."""
    del env["GOOGLE_APPLICATION_CREDENTIALS"]
    return env | {"GCE_METADATA_HOST": em.host}


@pytest.mark.slow
def test_ten_profiles_from_twenty_processes_at_once(
    em: Emulator, env: dict[str, str], run: Run, own_environment: Path, tmp_path: Path
) -> None:
    told = identities(em)
    expected = {}
    for name, options in told.items():
        typed = [word for key, value in options.items() for word in (f"--{key}", value)]
        done = run("token", *typed, env=env | {"GBEARER_CACHE": str(tmp_path / f"apart-{name}")})
        assert done.returncode == 0, done.stderr
        expected[name] = caller(em, done.stdout)
    assert len({json.dumps(facts, sort_keys=True) for facts in expected.values()}) == len(told) == 10

    config_of(told, own_environment)
    for name in told:
        (tmp_path / name).mkdir()
        (tmp_path / name / ".gbearer.ini").write_text(f"[gbearer]\nprofile = {name}\n")
    wrong = {"GBEARER_PROFILE": "robot"}
    for _ in range(3):  # nothing cached, everything cached, answers remembered
        children = [
            (name, subprocess.Popen([GBEARER, "token", *more], env=env | variables, cwd=folder, text=True,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            for number, name in enumerate(list(told) * 2)
            for more, variables, folder in [[
                (["--profile", name], wrong, tmp_path / "robot"),
                ([], {"GBEARER_PROFILE": name}, tmp_path / "ada"),
                ([], {}, tmp_path / name),
            ][number % 3]]
        ]  # fmt: skip
        got: dict[str, set[str]] = {name: set() for name in told}
        for name, child in children:
            out, err = child.communicate(timeout=120)
            assert (child.returncode, err) == (0, ""), (name, err)
            assert caller(em, out) == expected[name]
            got[name].add(out)
        assert [len(tokens) for tokens in got.values()] == [1] * 10, "the two of a profile share one token"
        assert len(set().union(*got.values())) == 10


HOSTILE = {
    "credentials": "[gbearer]\nprofile = mine\ncredentials = {evil}\n",
    "a profile of the same name": "[gbearer]\nprofile = mine\n[profile mine]\ncredentials = {evil}\n",
    "trust": "[gbearer]\nprofile = mine\ntrust-config = true\nsource = adc\n",
    "impersonation": "[gbearer]\nprofile = mine\nimpersonate = evil@example.iam.gserviceaccount.com\n",
    "a default": "[DEFAULT]\ncredentials = {evil}\n[gbearer]\nprofile = mine\n",
    "an include": "[include]\npath = {evil}\n[gbearer]\nprofile = mine\n",
}


@pytest.mark.parametrize("content", HOSTILE)
def test_a_folder_that_was_checked_out_chooses_nothing_but_a_name(
    em: Emulator, env: dict[str, str], run: Run, own_environment: Path, content: str
) -> None:
    config_of({"mine": {"credentials": str(em.key_file)}, "other": {"credentials": str(em.user_file)}}, own_environment)
    folder = own_environment / "checked-out"
    folder.mkdir()
    evil = folder / "evil.json"
    evil.write_text(json.dumps(json.loads(em.user_file.read_text()) | {"token_uri": "https://evil.example/token"}))
    (folder / "config.ini").write_text(f"[profile mine]\ncredentials = {evil}\n")
    near = folder / ".gbearer.ini"
    near.write_text(HOSTILE[content].replace("{evil}", str(evil)))
    token = run("token", env=env, cwd=folder)
    assert token.stdout == run("token", "--profile", "mine", env=env).stdout
    assert caller(em, token.stdout)["email"] == SA.format("robot")
    assert "may only choose a profile by name" in token.stderr
    asked = {entry["principal"] for entry in em.log() if entry["grant_type"]}
    assert asked == {SA.format("robot")}, "nobody else was asked for anything"
    near.write_text(f"[gbearer]\nprofile = ../../../{evil}\n")
    done = run("token", env=env, cwd=folder)
    assert (done.returncode, done.stdout) == (4, "")
    assert str(near) in done.stderr
    near.write_text("[gbearer]\nprofile = other\n")
    assert caller(em, run("token", env=env, cwd=folder).stdout)["email"] == "ada@example.com", "a name it may choose"
    near.write_text("[gbearer]\nprofile = \x1b[31mother\n")
    done = run("token", env=env, cwd=folder)
    assert (done.returncode, done.stdout) == (4, "")
    assert "\x1b" not in done.stderr


def test_every_change_of_a_choice_counts_at_once_on_the_warm_path(
    em: Emulator, env: dict[str, str], run: Run, own_environment: Path, settled: Callable[..., None]
) -> None:
    told = {"one": {"credentials": str(em.key_file)}, "two": {"credentials": str(em.user_file)}}
    config = config_of(told, own_environment)
    folder = own_environment / "a" / "b"
    folder.mkdir(parents=True)
    near, far = folder / ".gbearer.ini", folder.parent / ".gbearer.ini"
    far.write_text("[gbearer]\nprofile = one\n")

    def who() -> str:
        first = run("token", env=env, cwd=folder)
        settled(config, *(path for path in (near, far) if path.exists()))
        again = run("token", env=env, cwd=folder)
        assert is_warm(env, "token", cwd=folder)
        warm = run("token", env=env, cwd=folder)
        assert first.stdout == again.stdout == warm.stdout
        return caller(em, warm.stdout)["email"].partition("@")[0]

    assert who() == "robot"
    near.write_text("[gbearer]\nprofile = two\n")
    assert who() == "ada", "a nearer file that was absent"
    near.write_text("[gbearer]\nprofile = one\n")
    assert who() == "robot", "the same size, another name"
    near.unlink()
    far.unlink()
    assert run("token", env=env, cwd=folder).returncode == 3
    assert run("profile", "use", "two", env=env).returncode == 0
    assert who() == "ada"
    assert run("profile", "set", "two", "credentials", str(em.key_file), env=env).returncode == 0
    assert who() == "robot"
    config.unlink()
    assert run("token", env=env, cwd=folder).returncode == 3


def test_a_changed_boundary_file_counts_at_once(
    em: Emulator, env: dict[str, str], run: Run, own_environment: Path, settled: Callable[..., None]
) -> None:
    rule = {"availableResource": "//storage.googleapis.com/projects/_/buckets/emulator-bucket",
            "availablePermissions": ["inRole:roles/storage.objectViewer"]}  # fmt: skip
    file = own_environment / "boundary.json"
    file.write_text(json.dumps({"accessBoundaryRules": [rule]}))
    config = config_of({"held": {"credentials": str(em.key_file), "boundary": str(file)}}, own_environment)
    env["GBEARER_PROFILE"] = "held"
    settled(config, file)
    first = run("token", env=env).stdout
    assert is_warm(env, "token")
    assert run("token", env=env).stdout == first
    file.write_text(json.dumps({"accessBoundaryRules": [rule]}, indent=1))
    assert run("token", env=env).stdout == first, "the same boundary in other words"
    rule["availablePermissions"] = ["inRole:roles/storage.objectAdmin"]
    file.write_text(json.dumps({"accessBoundaryRules": [rule]}))
    assert run("token", env=env).stdout not in ("", first)


def test_without_profiles_nothing_of_them_is_loaded(em: Emulator, env: dict[str, str], run: Run) -> None:
    env["GOOGLE_APPLICATION_CREDENTIALS"] = str(em.key_file)
    assert run("token", env=env).returncode == 0
    loaded = modules(env, "token", "--format", "json")
    assert {name for name in loaded if "profiles" in name} <= {
        "gbearer.profiles", "gbearer.profiles.ask", "gbearer.profiles.places",
    }  # fmt: skip
    assert not {"configparser", "gbearer.profiles.ini", "gbearer.profiles.keys", "gbearer.boundary", "difflib"} & loaded


def test_a_profile_is_warm_like_any_answer(
    em: Emulator, env: dict[str, str], run: Run, own_environment: Path, settled: Callable[..., None]
) -> None:
    config = config_of({"one": {"credentials": str(em.key_file)}}, own_environment)
    settled(config)
    for args in (("token", "--profile", "one"), ("header", "--profile", "one")):
        assert run(*args, env=env).returncode == 0
        assert modules(env, *args) <= {"gbearer", "gbearer.__main__", "gbearer._version", "gbearer.warm", "_blake2"}
    assert os.listdir(config.parent) == ["config.ini"]
