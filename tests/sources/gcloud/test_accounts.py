"""Whose session it is: accounts that are named, near misses, other universes, the machine's own, and nobody."""

from pathlib import Path

import pytest

from gbearer import Ask
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, CredentialsNotFound
from sources.gcloud.hands import ACCOUNTS, ADA, GCLOUD_KEY, GCLOUD_USER, ROBOT, configuration, database, session
from sources.gcloud.test_kinds import WORKFORCE
from sources.hands import KEY, find, refusal, write


def test_gcloud_is_not_installed_and_nobody_has_signed_in(tmp_path: Path) -> None:
    text = refusal(CredentialsNotFound, {"HOME": str(tmp_path), "PATH": str(tmp_path)}, source="gcloud")
    assert "gcloud is not installed" in text
    assert "https://cloud.google.com/sdk/docs/install" in text


def test_no_account_is_selected(tmp_path: Path) -> None:
    env = session(tmp_path, "")
    configuration(tmp_path, "work", f"[core]\naccount = {ADA}\n")
    text = refusal(CredentialsNotFound, env, source="gcloud")
    assert "no account is selected in gcloud" in text
    assert f"it has them for {ADA}, {ROBOT}" in text
    assert "other configurations are work" in text
    assert f"`gcloud config set account {ADA}`" in text


def test_gcloud_is_set_up_and_nobody_has_signed_in(tmp_path: Path) -> None:
    configuration(tmp_path, "default", "", active=True)
    text = refusal(CredentialsNotFound, {"CLOUDSDK_CONFIG": str(tmp_path), "PATH": ""}, source="gcloud")
    assert "run `gcloud auth login`" in text


def test_an_account_without_credentials_is_told_with_the_nearest_that_has_some(tmp_path: Path) -> None:
    text = refusal(CredentialsNotFound, session(tmp_path), source="gcloud", account="adda@example.com")
    assert "gcloud has no credentials for adda@example.com" in text
    assert f"if {ADA} is meant: --account {ADA}; else sign in: `gcloud auth login adda@example.com`" in text
    text = refusal(CredentialsNotFound, session(tmp_path, "adda@example.com"), source="gcloud")
    assert f"{tmp_path}/configurations/config_default) names it" in text
    assert f"`gcloud config set account {ADA}`" in text
    text = refusal(CredentialsNotFound, session(tmp_path), source="gcloud", account="x@p.iam.gserviceaccount.com")
    assert "`gcloud auth activate-service-account x@p.iam.gserviceaccount.com --key-file=KEY`" in text


def test_what_is_shown_of_many_accounts_is_few_and_printable(tmp_path: Path) -> None:
    many: dict[str, object] = {f"u{number:02}@example.com": GCLOUD_USER for number in range(30)}
    env = session(tmp_path, "x", {"evil\x1b[31m@example.com\n  fix: run this": GCLOUD_USER} | many)
    text = refusal(CredentialsNotFound, env, source="gcloud")
    assert "u09@example.com and 20 more" in text
    assert "evil" not in text


def test_an_account_alone_is_looked_for_among_logins_and_then_in_gclouds_session(tmp_path: Path) -> None:
    env = session(tmp_path, ROBOT) | {"GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "key.json", KEY)}
    source, look = find(env, account=ADA)
    assert (source.name, source.principal) == ("gcloud", ADA)
    assert [step.place for step in look.steps] == ["gbearer login", "gcloud's session"]
    text = refusal(CredentialsNotFound, env, account="adda@example.com")
    assert "nobody is signed in as adda@example.com" in text
    assert f"is {ADA} meant?" in text


def test_an_account_alone_never_becomes_somebody_elses_where_there_is_no_session(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "GOOGLE_APPLICATION_CREDENTIALS": write(tmp_path / "key.json", KEY)}
    refusal(CredentialsNotFound, env, account=ADA)


def test_without_an_account_auto_does_not_look_at_the_session(tmp_path: Path) -> None:
    env = session(tmp_path)
    with pytest.raises(CredentialsNotFound) as caught:
        find(env)
    assert "gcloud's session" not in str(caught.value)


def test_accounts_of_another_universe(tmp_path: Path) -> None:
    other = "apis.example"
    env = session(tmp_path, ROBOT, {f"{ROBOT}#{other}": GCLOUD_KEY | {"universe_domain": other}, ADA: GCLOUD_USER})
    text = refusal(BadCredentials, env, source="gcloud")
    assert f"gcloud knows {ROBOT} in {other}, not in googleapis.com" in text
    assert f"gcloud config set core/universe_domain {other}" in text
    for more in ({}, {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": other}):
        source, _ = find(env | {"CLOUDSDK_CORE_UNIVERSE_DOMAIN": other} | more, source="gcloud")
        assert (source.principal, source.universe) == (ROBOT, other)
    elsewhere = {"CLOUDSDK_CORE_UNIVERSE_DOMAIN": other, "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "third.example"}
    assert "third.example" in refusal(BadCredentials, env | elsewhere, source="gcloud")
    person = f"principal://iam.{other}/x"
    login = WORKFORCE | {
        "universe_domain": other,
        "token_url": f"https://sts.{other}/v1/oauthtoken",
        "token_info_url": "",
    }
    mine = session(tmp_path, person, {f"{person}#{other}": login}, f"universe_domain = {other}\n")
    assert find(mine, source="gcloud")[0].universe == other
    both = session(tmp_path, ROBOT, {ROBOT: GCLOUD_KEY, f"{ROBOT}#{other}": GCLOUD_KEY | {"universe_domain": other}})
    assert find(both, source="gcloud")[0].universe == "googleapis.com"


def machine(em: Emulator) -> dict[str, str]:
    return {"GBEARER_EMULATOR_HOST": em.host, "GCE_METADATA_HOST": em.host, "NO_GCE_CHECK": ""}


DEFAULT = "default@emulator-project.iam.gserviceaccount.com"


def test_on_google_cloud_the_machines_account_is_gclouds(gbearer_emulator: Emulator, tmp_path: Path) -> None:
    env = machine(gbearer_emulator) | session(tmp_path, "")
    for options in ({}, {"account": DEFAULT}):
        token = Broker(env).get(Ask(source="gcloud", no_cache=True, **options))  # type: ignore[arg-type]
        assert token.principal == DEFAULT
    stored = {"type": "gce", "service_account_email": DEFAULT, "universe_domain": "googleapis.com"}
    env = machine(gbearer_emulator) | session(tmp_path, DEFAULT, {DEFAULT: stored})
    source, look = find(env, source="gcloud")
    assert (source.kind, source.principal, look.remember) == ("metadata", DEFAULT, False)


def test_the_account_of_another_machine_is_not_this_ones(gbearer_emulator: Emulator, tmp_path: Path) -> None:
    other = "other@p.iam.gserviceaccount.com"
    stored = {"type": "gce", "service_account_email": other, "universe_domain": "googleapis.com"}
    env = session(tmp_path, other, ACCOUNTS | {other: stored})
    assert "another machine" in refusal(BadCredentials, machine(gbearer_emulator) | env, source="gcloud")
    assert "another machine" in refusal(BadCredentials, env, source="gcloud")
    database(tmp_path / "other" / "credentials.db", {})
    missing = env | machine(gbearer_emulator) | {"CLOUDSDK_CONFIG": str(tmp_path / "other")}
    refusal(CredentialsNotFound, missing, source="gcloud", account=other)


def test_the_machine_is_not_asked_where_gcloud_is_told_not_to(gbearer_emulator: Emulator, tmp_path: Path) -> None:
    env = machine(gbearer_emulator) | session(tmp_path, "")
    refusal(CredentialsNotFound, env | {"CLOUDSDK_CORE_CHECK_GCE_METADATA": "false"}, source="gcloud")
    refusal(CredentialsNotFound, env | {"GCE_METADATA_HOST": ""}, source="gcloud")
    assert gbearer_emulator.log() == []
