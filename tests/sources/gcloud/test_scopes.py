"""Which scopes gcloud's session asks for: those that gcloud asks for, so that the token tells what gcloud's tells."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import urllib3

from gbearer import Ask
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from sources.gcloud.hands import ROBOT, session
from sources.hands import find

Scopes = tuple[list[list[str]], tuple[str, ...]]
SIX = (
    "openid", "https://www.googleapis.com/auth/userinfo.email", "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/appengine.admin", "https://www.googleapis.com/auth/sqlservice.login",
    "https://www.googleapis.com/auth/compute",
)  # fmt: skip
CLOUD = ("https://www.googleapis.com/auth/cloud-platform",)
BOT, TARGET = (f"{name}@emulator-project.iam.gserviceaccount.com" for name in ("robot", "target"))
BY_PROPERTY = {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": TARGET}


@pytest.fixture
def here(gbearer_emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """The emulator, and a cache."""
    return {
        "GBEARER_EMULATOR_HOST": gbearer_emulator.host,
        "GBEARER_CACHE": str(tmp_path / "cache"),
        "NO_GCE_CHECK": "true",
    }


def sent(em: Emulator, here: dict[str, str], tmp_path: Path, more: Mapping[str, str] = {}, **options: object) -> Scopes:
    """The scopes of each exchange, and those that the token says, with the emulator's key as the session."""
    env = session(tmp_path / "conf", BOT, {BOT: json.loads(em.key_file.read_text())})
    em.reset()
    token = Broker(here | env | dict(more)).get(Ask(source="gcloud", **options))  # type: ignore[arg-type]
    return [str(line["scope"]).split() for line in em.log() if "scope" in line], token.scopes


def test_a_key_is_asked_for_what_gcloud_asks_for_and_so_is_whom_its_property_names(
    gbearer_emulator: Emulator, here: dict[str, str], tmp_path: Path
) -> None:
    def asked(more: Mapping[str, str] = {}, **options: object) -> Scopes:
        return sent(gbearer_emulator, here | {"GBEARER_CACHE": "off"}, tmp_path, more, **options)

    six = list(SIX)
    assert asked() == ([six], SIX)
    assert asked(BY_PROPERTY) == ([six, six], SIX)
    assert asked(impersonate=(TARGET,)) == ([six, list(CLOUD)], CLOUD)
    assert asked(scopes=("openid",)) == ([["openid"]], ("openid",))
    assert asked(BY_PROPERTY, scopes=CLOUD) == ([six, list(CLOUD)], CLOUD)


def test_the_token_of_a_key_tells_its_email(gbearer_emulator: Emulator, here: dict[str, str], tmp_path: Path) -> None:
    env = session(tmp_path / "conf", BOT, {BOT: json.loads(gbearer_emulator.key_file.read_text())})
    token = Broker(here | env).get(Ask(source="gcloud"))
    told = urllib3.request("GET", f"http://{gbearer_emulator.host}/tokeninfo?access_token={token.value}").json()
    assert told["email"] == BOT


def test_tokens_with_other_scopes_are_never_mixed_up_in_the_cache(
    gbearer_emulator: Emulator, here: dict[str, str], tmp_path: Path
) -> None:
    """The same file and the same chain, by gcloud's session and otherwise, one cache."""
    key = str(gbearer_emulator.key_file)
    of_session = here | session(tmp_path / "conf", BOT, {BOT: json.loads(gbearer_emulator.key_file.read_text())})
    instead = of_session | {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": key}
    federated = of_session | {
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(gbearer_emulator.dir / "clients" / "external-file.json")
    }
    for _ in range(2):
        assert Broker(of_session).get(Ask(source="gcloud")).scopes == SIX
        assert Broker(instead).get(Ask(source="gcloud")).scopes == SIX
        assert Broker(instead).get(Ask(credentials=key)).scopes == CLOUD
        assert Broker(of_session | BY_PROPERTY).get(Ask(source="gcloud")).scopes == SIX
        assert Broker(of_session).get(Ask(source="gcloud", impersonate=(TARGET,))).scopes == CLOUD
        assert Broker(federated).get(Ask(source="gcloud")).scopes == SIX
        override = federated["CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"]
        assert Broker(federated).get(Ask(credentials=override)).scopes == CLOUD


@pytest.mark.parametrize("acting", [False, True])
def test_a_federation_is_asked_for_what_gcloud_asks_for(
    gbearer_emulator: Emulator, here: dict[str, str], tmp_path: Path, acting: bool
) -> None:
    info = json.loads((gbearer_emulator.dir / "clients" / "external-file.json").read_text())
    info.pop("service_account_impersonation_url", None)
    url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{}:generateAccessToken"
    info |= {"service_account_impersonation_url": url.format(TARGET)} if acting else {}
    env = session(tmp_path / "conf", "federated", {"federated": info})
    assert Broker(here | env).get(Ask(source="gcloud")).scopes == SIX
    asked = [str(line["scope"]).split() for line in gbearer_emulator.log() if "scope" in line]
    assert asked == ([list(CLOUD), list(SIX)] if acting else [list(SIX)])


def test_a_subject_is_asked_for_cloud_platform_alone(tmp_path: Path) -> None:
    ask = Ask(source="gcloud", subject="ada@example.com")
    for more in ({}, {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": ROBOT}):
        source, _ = find(session(tmp_path, ROBOT) | more, source="gcloud", subject="ada@example.com")
        assert source.default_scopes(ask.replace(impersonate=source.impersonate)) == CLOUD
