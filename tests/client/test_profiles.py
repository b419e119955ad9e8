"""The client with profiles, accounts and boundaries: looked at again when a token is renewed, and after reset."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import gbearer
from gbearer.emulator import Emulator

TARGET = "target@emulator-project.iam.gserviceaccount.com"
TARGET2 = "target2@emulator-project.iam.gserviceaccount.com"
MIDDLE = "middle@emulator-project.iam.gserviceaccount.com"
RULES = {"accessBoundaryRules": [{"availableResource": "//storage.googleapis.com/projects/_/buckets/emulator-bucket",
                                  "availablePermissions": ["inRole:roles/storage.objectViewer"]}]}  # fmt: skip


@pytest.fixture(autouse=True)
def here(own_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = own_environment / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def config(own_environment: Path) -> Callable[[str], Path]:
    """A function that writes config.ini."""

    def write(text: str) -> Path:
        path = own_environment / ".config" / "gbearer" / "config.ini"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


BOTH = f"[profile one]\nimpersonate = {TARGET}\n[profile two]\nimpersonate = {TARGET2}\ndelegate = {MIDDLE}\n"


def test_a_profile_by_name_by_variable_by_folder_and_none(
    env: dict[str, str], config: Callable[[str], Path], here: Path
) -> None:
    config(f"[gbearer]\nprofile = two\n{BOTH}")
    assert gbearer.Client(env=env).token().principal == TARGET2
    (here / ".gbearer.ini").write_text("[gbearer]\nprofile = one\n")
    assert gbearer.Client(env=env).token().principal == TARGET
    assert gbearer.Client(env=env | {"GBEARER_PROFILE": "two"}).token().principal == TARGET2
    assert gbearer.Client(env=env | {"GBEARER_PROFILE": "two"}, profile="one").token().principal == TARGET
    assert gbearer.Client(env=env, profile="none").token().principal.startswith("robot@")
    assert gbearer.Client(env=env, profile="two", impersonate=TARGET).token().principal == TARGET
    assert asyncio.run(gbearer.aio.Client(env=env, profile="two").token()).principal == TARGET2


def test_an_unknown_or_broken_profile_is_told_when_the_client_is_made(
    env: dict[str, str], config: Callable[[str], Path]
) -> None:
    config(BOTH)
    with pytest.raises(gbearer.UsageError, match="there is no profile 'tow'"):
        gbearer.Client(env=env, profile="tow")
    with pytest.raises(gbearer.UsageError, match="there is no profile 'tow'"):
        gbearer.Client(env=env | {"GBEARER_PROFILE": "tow"})
    config("[profile one\n")
    with pytest.raises(gbearer.BadCredentials, match="line 1, column 13"):
        gbearer.Client(env=env, profile="one")


def test_another_choice_counts_after_reset_and_when_the_token_is_renewed(
    env: dict[str, str], config: Callable[[str], Path], em: Emulator
) -> None:
    config(f"[gbearer]\nprofile = one\n{BOTH}")
    clock = [time.time()]
    client = gbearer.Client(env=env, clock=lambda: clock[0])
    first = client.token()
    header = client.header()
    config(f"[gbearer]\nprofile = two\n{BOTH}")
    assert client.token() is first, "what memory holds is given at once"
    assert client.header() == header
    client.reset()
    assert client.token().principal == TARGET2
    config(f"[gbearer]\nprofile = one\n{BOTH}")
    clock[0] += 3600 - 100
    em.fault({"clock_skew": 3500})
    assert client.token().principal == TARGET
    assert client.header() != header


def test_what_memory_holds_costs_no_look_at_any_file(env: dict[str, str], config: Callable[[str], Path]) -> None:
    path = config(BOTH)
    client = gbearer.Client(env=env, profile="one")
    first, header = client.token(), client.header()
    path.unlink()
    os.mkfifo(path)
    assert client.token() is first
    assert client.header() == header


def test_the_profile_s_audience_is_the_bound_one(
    env: dict[str, str], config: Callable[[str], Path], em: Emulator
) -> None:
    url = f"{em.url}/functions/f"
    config(f"[profile one]\naudience = {url}\nscope = email\nlifetime = 15m\n")
    client = gbearer.Client(env=env, profile="one")
    assert client.id_token().audience == url
    assert client.header()["Authorization"] == f"Bearer {client.id_token().value}"
    assert client.request("GET", url).status == 200
    client.reset()
    assert client.request("GET", url).status == 200
    assert client.id_token("https://f.example").audience == "https://f.example"


def test_options_that_only_a_profile_completes(env: dict[str, str], config: Callable[[str], Path]) -> None:
    provider = "projects/1/locations/global/workloadIdentityPools/pool-1/providers/provider-1"
    with pytest.raises(gbearer.UsageError, match="--provider needs to know"):
        gbearer.Client(env=env, provider=provider)
    config("[profile one]\nsource = aws\n")
    gbearer.Client(env=env, provider=provider, profile="one")
    with pytest.raises(gbearer.UsageError, match="--delegate needs a target"):
        gbearer.Client(env=env, delegates=[TARGET])


def test_an_account_is_one_of_those_who_are_signed_in(env: dict[str, str]) -> None:
    with pytest.raises(gbearer.UsageError, match="--source metadata has no accounts"):
        gbearer.Client(env=env, account="ada@example.com", source="metadata")
    client = gbearer.Client(env=env, account="nobody@example.com")
    with pytest.raises(gbearer.Error) as caught:
        client.token()
    assert caught.value.code in (3, 6), "and not the key that the environment names"


def test_a_boundary_in_every_form(env: dict[str, str], em: Emulator, here: Path) -> None:
    file = here / "boundary.json"
    file.write_text(json.dumps(RULES))
    bucket = f"{em.url}/storage/v1/b/emulator-bucket/o"
    other = f"{em.url}/storage/v1/b/emulator-other/o"
    values = set()
    for form in (str(file), file, json.dumps(RULES), RULES):
        client = gbearer.Client(env=env, boundary=form)
        values.add(client.token().value)
        assert client.request("GET", bucket, auth="access").status == 200
        assert client.request("GET", other, auth="access").status == 403
    assert len(values) == 1, "the same boundary, the same token from the cache"
    assert gbearer.Client(env=env).request("GET", other, auth="access").status == 200
    with pytest.raises(gbearer.UsageError, match="a boundary is for access tokens"):
        gbearer.Client(env=env, boundary=RULES).id_token("https://f.example")


def test_a_profile_with_a_boundary_holds_the_client_down(
    env: dict[str, str], em: Emulator, config: Callable[[str], Path]
) -> None:
    config("[profile one]\nbucket = emulator-bucket\nrole = objectViewer\n")
    client = gbearer.Client(env=env, profile="one")
    assert client.request("GET", f"{em.url}/storage/v1/b/emulator-bucket/o", auth="access").status == 200
    assert client.request("GET", f"{em.url}/storage/v1/b/emulator-other/o", auth="access").status == 403
    client.reset()
    config("[profile one]\nbucket = emulator-other\nrole = objectViewer\n")
    assert client.request("GET", f"{em.url}/storage/v1/b/emulator-other/o", auth="access").status == 200


def test_a_boundary_that_is_no_utf_8_is_refused(env: dict[str, str], here: Path) -> None:
    """Two bytes that are replaced by one sign would make one boundary of two that differ."""
    (here / "rules.json").write_bytes(json.dumps(RULES).encode().replace(b"emulator-bucket", b"emulator-\xe9"))
    with pytest.raises(gbearer.UsageError, match="no text in UTF-8"):
        gbearer.Client(env=env, boundary="rules.json").token()


def test_a_bucket_is_a_boundary_that_need_not_be_written(env: dict[str, str]) -> None:
    client = gbearer.Client(env=env, bucket="emulator-bucket", prefix="customer-a/", role="objectViewer")
    inside, outside = "customer-a%2Finvoice.txt", "customer-b%2Finvoice.txt"
    objects = "https://storage.googleapis.com/storage/v1/b/emulator-bucket/o"
    assert client.request("GET", f"{objects}/{inside}").status == 200
    assert client.request("GET", f"{objects}/{outside}").status == 403
    later = gbearer.aio.Client(env=env, bucket="emulator-bucket", prefix="customer-a/", role="objectViewer")
    assert asyncio.run(later.token()) == client.token()
    with pytest.raises(gbearer.UsageError, match="needs a role"):
        gbearer.Client(env=env, bucket="emulator-bucket").token()
