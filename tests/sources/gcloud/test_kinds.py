"""Every kind of credential that gcloud keeps goes to the loader of its kind, with the same checks; and what is sent."""

import json
import sqlite3
from pathlib import Path

import pytest

from gbearer import Ask
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, Denied, LoginRequired, UsageError
from sources.gcloud.hands import ACCOUNTS, ADA, GCLOUD_KEY, GCLOUD_USER, ROBOT, session, traces
from sources.hands import find, refusal, write

POOL = "principal://iam.googleapis.com/locations/global/workforcePools/pool/subject/ada"
FEDERATED = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/oidc"
WORKFORCE = {
    "type": "external_account_authorized_user",
    "audience": "//iam.googleapis.com/locations/global/workforcePools/pool/providers/idp",
    "client_id": "c", "client_secret": "s", "refresh_token": "r",
    "token_url": "https://sts.googleapis.com/v1/oauthtoken",
    "token_info_url": "https://sts.googleapis.com/v1/introspect",
    "universe_domain": "googleapis.com",
}  # fmt: skip


def external(path: Path) -> dict[str, object]:
    """What gcloud keeps of `gcloud auth login --cred-file` with a federation: its own client in it."""
    (path / "subject").write_text("ey.made.up")
    return {
        "type": "external_account", "audience": FEDERATED, "client_id": "32555940559.apps.googleusercontent.com",
        "client_secret": "made-up", "credential_source": {"file": str(path / "subject")},
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
        "token_info_url": "https://sts.googleapis.com/v1/introspect", "universe_domain": "googleapis.com",
    }  # fmt: skip


def test_each_kind_becomes_what_it_is(tmp_path: Path) -> None:
    kept = ACCOUNTS | {"federated": external(tmp_path), POOL: WORKFORCE}
    env = session(tmp_path / "conf", ADA, kept)
    before = traces(tmp_path / "conf")
    seen = {}
    for account in kept:
        source, look = find(env, source="gcloud", account=account)
        assert source.name == "gcloud"
        assert source.fingerprint
        assert look.remember
        seen[account] = source.kind
    assert seen == {
        ADA: "authorized_user", ROBOT: "service_account", "federated": "external_account",
        POOL: "external_account_authorized_user",
    }  # fmt: skip
    assert traces(tmp_path / "conf") == before


def test_identities_never_share_a_fingerprint_and_reauthentication_keeps_it(tmp_path: Path) -> None:
    def pin(env: dict[str, str], account: str = ADA) -> str | None:
        return find(env, source="gcloud", account=account)[0].fingerprint

    env = session(tmp_path, ADA, ACCOUNTS | {"bob@example.com": GCLOUD_USER})
    first = pin(env)
    assert first == pin(env)
    proofs(tmp_path, ADA, "proof")
    assert pin(env) == first
    others = {
        pin(env, "bob@example.com"),
        pin(env, ROBOT),
        pin(env | {"CLOUDSDK_AUTH_TOKEN_HOST": "https://oauth2.mtls.googleapis.com/token"}),
    }
    session(tmp_path, ADA, {ADA: GCLOUD_USER | {"refresh_token": "1//another"}})
    others.add(pin(env))
    assert len(others) == 4
    assert first not in others


def test_hosts_are_checked_as_in_a_file(tmp_path: Path) -> None:
    evil = "https://evil.example/token"
    for kept in (GCLOUD_USER, GCLOUD_KEY):
        env = session(tmp_path, ADA, {ADA: kept | {"token_uri": evil}})
        assert "https://evil.example" in refusal(BadCredentials, env, source="gcloud")
        env = session(tmp_path, ADA, {ADA: kept}) | {"CLOUDSDK_AUTH_TOKEN_HOST": evil}
        assert "https://evil.example" in refusal(BadCredentials, env, source="gcloud")


def test_a_real_secret_is_not_sent_to_an_emulator(gbearer_emulator: Emulator, tmp_path: Path) -> None:
    env = session(tmp_path) | {"GBEARER_EMULATOR_HOST": gbearer_emulator.host}
    for account in (ADA, ROBOT):
        assert "holds a real" in refusal(BadCredentials, env, source="gcloud", account=account)


@pytest.mark.parametrize("value", ["", "no JSON", "[1]", "{}", '{"type": 7}', "null", '{"type":'])
def test_what_is_no_credential(tmp_path: Path, value: str) -> None:
    text = refusal(BadCredentials, session(tmp_path, ADA, {ADA: value}), source="gcloud")
    assert f"what gcloud keeps for {ADA} cannot be used" in text
    assert f"`gcloud auth login {ADA} --force`" in text


def proofs(folder: Path, account: str, rapt: str) -> None:
    """Gcloud's access_tokens.db, with a proof of reauthentication."""
    base = sqlite3.connect(folder / "access_tokens.db")
    base.execute(
        "CREATE TABLE IF NOT EXISTS access_tokens (account_id TEXT PRIMARY KEY, access_token TEXT, "
        "token_expiry TIMESTAMP, rapt_token TEXT, id_token TEXT)"
    )
    base.execute("REPLACE INTO access_tokens VALUES (?, 'ya29.old', '2020-01-01 00:00:00', ?, NULL)", (account, rapt))
    base.commit()
    base.close()


@pytest.fixture
def user(gbearer_emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """Gcloud's folder with the emulator's user as gcloud keeps one."""
    kept = GCLOUD_USER | {
        name: value for name, value in json.loads(gbearer_emulator.user_file.read_text()).items() if name != "token_uri"
    }
    env = session(tmp_path / "conf", ADA, {ADA: kept})
    return env | {"GBEARER_EMULATOR_HOST": gbearer_emulator.host, "GBEARER_CACHE": str(tmp_path / "cache")}


def test_the_token_is_the_users_with_the_scopes_that_gcloud_asks_for(user: dict[str, str]) -> None:
    token = Broker(user).get(Ask(source="gcloud"))
    assert token.principal == ADA
    assert set(token.scopes) == {"openid", "https://www.googleapis.com/auth/cloud-platform"}


def test_a_foreign_host_and_a_program_are_refused_from_the_session_as_well(tmp_path: Path) -> None:
    foreign = external(tmp_path) | {
        "service_account_impersonation_url": "https://iamcredentials.evil.example/v1/projects/-/serviceAccounts/"
        f"{ROBOT}:generateAccessToken"
    }
    text = refusal(BadCredentials, session(tmp_path / "conf", "f", {"f": foreign}), source="gcloud")
    assert "service_account_impersonation_url" in text
    assert "https://iamcredentials.evil.example" in text
    trace = tmp_path / "it-ran"
    program = external(tmp_path) | {"credential_source": {"executable": {"command": f"/usr/bin/touch {trace}"}}}
    env = session(tmp_path / "conf", "f", {"f": program})
    assert "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES" in refusal(Denied, env, source="gcloud")
    assert not trace.exists()
    allowed = env | {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    assert find(allowed, source="gcloud")[0].kind == "external_account", "else the refusal is for something else"


def test_the_proof_of_reauthentication_is_sent_along(user: dict[str, str]) -> None:
    folder = Path(user["CLOUDSDK_CONFIG"])
    proofs(folder, ADA, "a-proof")
    before = traces(folder)
    source, _ = find(user, source="gcloud")
    assert source.credentials(Ask(source="gcloud"), None).rapt_token == "a-proof"  # type: ignore[arg-type]
    assert traces(folder) == before
    (folder / "access_tokens.db").write_bytes(b"broken")  # no reason to fail
    source, _ = find(user, source="gcloud")
    assert source.credentials(Ask(source="gcloud"), None).rapt_token is None  # type: ignore[arg-type]


def test_a_session_that_has_ended_is_answered_with_gclouds_own_command(
    gbearer_emulator: Emulator, user: dict[str, str], tmp_path: Path
) -> None:
    gbearer_emulator.require_reauth(ADA)
    with pytest.raises(LoginRequired) as caught:
        Broker(user).get(Ask(source="gcloud"))
    assert f"gcloud auth login {ADA} --force" in caught.value.fix
    assert "application-default" not in caught.value.fix
    revoked = GCLOUD_USER | json.loads(gbearer_emulator.user_file.read_text()) | {"refresh_token": "emulator-1//0gone"}
    env = user | session(tmp_path / "conf", ADA, {ADA: revoked | {"token_uri": GCLOUD_USER["token_uri"]}})
    with pytest.raises(LoginRequired) as caught:
        Broker(env).get(Ask(source="gcloud"))
    assert f"gcloud auth login {ADA} --force" in caught.value.fix


def test_a_file_or_a_token_in_the_place_of_the_session(tmp_path: Path) -> None:
    env = session(tmp_path)
    key = write(tmp_path / "key.json", GCLOUD_KEY)
    source, look = find(env | {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": key}, source="gcloud")
    assert (source.kind, source.principal, source.name, look.remember) == ("service_account", ROBOT, "gcloud", True)
    (tmp_path / "token").write_text("ya29.made-up\n")
    more = {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": key, "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(tmp_path / "token")}
    both = (more, more | {"CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.first"})
    ask = Ask(source="gcloud", no_cache=True)
    values = [Broker({"NO_GCE_CHECK": "true", **env, **extra}).get(ask).value for extra in both]
    assert values == ["ya29.made-up", "ya29.first"]


def test_an_account_beside_what_takes_its_place_is_a_contradiction(tmp_path: Path) -> None:
    key = write(tmp_path / "key.json", GCLOUD_KEY)
    for more in (
        {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": key},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": key},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.x"},
    ):
        text = refusal(UsageError, session(tmp_path) | more, source="gcloud", account=ADA)
        assert next(iter(more)) in text


def test_a_file_in_the_place_of_the_session_that_is_not_there(tmp_path: Path) -> None:
    more = "[auth]\ncredential_file_override = /nowhere/key.json\n"
    text = refusal(BadCredentials, session(tmp_path, more=more), source="gcloud")
    assert "there is no file /nowhere/key.json" in text
    assert "auth/credential_file_override is set by configuration 'default'" in text
