"""Another universe: its key signs for itself, its hosts take what is theirs and nothing of Google's, and vice versa."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import google.auth.transport.requests
import jwt
import pytest
from google.oauth2 import service_account

from emulator.bounded import BUCKET, OTHER_BUCKET, denial, downscope, object_path, rule
from emulator.federated import form
from emulator.hands import (
    CLOUD,
    FLAVOR,
    JWT_BEARER,
    ROBOT,
    TARGET,
    access_token,
    api_error,
    assertion,
    call,
    good,
    oauth_error,
)
from gbearer.emulator import Emulator

UNIVERSE = "emulator-universe.example"
OURS, GOOGLES = f"storage.{UNIVERSE}", "storage.googleapis.com"
OTHER_ROBOT, OTHER_TARGET = (
    f"{name}@emulator-project.emulator-universe.iam.gserviceaccount.com" for name in ("robot", "target")
)
A = object_path("customer-a/invoice.txt")
IAM = f"iamcredentials.{UNIVERSE}"


def key(em: Emulator) -> dict[str, str]:
    """key-universe.json."""
    read: dict[str, str] = json.loads(em.universe_key_file.read_text())
    return read


def own(em: Emulator, changes: Mapping[str, object] = {}) -> str:
    """A JWT that the other universe's account signed for itself, by its scope; a claim of None is left out."""
    now = int(time.time())
    claims = {"iss": OTHER_ROBOT, "sub": OTHER_ROBOT, "iat": now, "exp": now + 3600, "scope": CLOUD, **changes}
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key(em)["private_key"], "RS256", headers={"kid": key(em)["private_key_id"]})


def both_forms(em: Emulator, host: str) -> tuple[str, str]:
    """The JWT by its scope, and by the audience of `host`."""
    return own(em), own(em, {"scope": None, "aud": f"https://{host}/"})


def minted(em: Emulator, host: str = IAM, target: str = OTHER_TARGET, token: str = "") -> Any:
    """The answer of generateAccessToken, asked by the other universe's account."""
    path = f"/v1/projects/-/serviceAccounts/{target}:generateAccessToken"
    return call(em, "POST", path, host=host, token=token or own(em), body={"scope": [CLOUD]})


def test_the_file_names_its_universe(em: Emulator) -> None:
    read = key(em)
    assert (read["type"], read["universe_domain"], read["client_email"]) == ("service_account", UNIVERSE, OTHER_ROBOT)
    assert read["private_key_id"].startswith("emulator-")
    assert read["token_uri"] == f"https://oauth2.{UNIVERSE}/token"


@pytest.mark.parametrize("host", [OURS, f"bigquery.{UNIVERSE}", f"cloudresourcemanager.{UNIVERSE}"])
def test_its_hosts_take_its_jwts_in_both_forms(em: Emulator, host: str) -> None:
    path = {"storage": A, "bigquery": "/bigquery/v2/projects", "cloudresourcemanager": "/v1/projects/emulator-project"}
    for token in both_forms(em, host):
        good(call(em, "GET", path[host.partition(".")[0]], host=host, token=token))
        assert em.log()[-1]["principal"] == OTHER_ROBOT


@pytest.mark.parametrize("host", [GOOGLES, "bigquery.googleapis.com", "cloudresourcemanager.googleapis.com"])
def test_googles_hosts_refuse_them(em: Emulator, host: str) -> None:
    path = A if host == GOOGLES else "/v1/projects/emulator-project"
    for token in both_forms(em, host):
        assert call(em, "GET", path, host=host, token=token).status == 401
    good(call(em, "GET", path, host=host, token=access_token(em)))


def test_its_hosts_refuse_what_is_googles(em: Emulator) -> None:
    tokens = (
        access_token(em),
        assertion(em, {"sub": ROBOT, "aud": f"https://{OURS}/"}),
        assertion(em, {"sub": ROBOT, "aud": None, "scope": CLOUD}),
    )
    for token in tokens:
        assert denial(call(em, "GET", A, host=OURS, token=token)) == (401, "Invalid Credentials")
        answer = call(em, "GET", "/bigquery/v2/projects", host=f"bigquery.{UNIVERSE}", token=token)
        assert api_error(answer)[:2] == (401, "UNAUTHENTICATED")
        assert minted(em, token=token).status == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"https://{OURS}/"},
        {"scope": None},
        {"scope": None, "aud": f"https://{GOOGLES}/"},
        {"scope": None, "aud": f"https://{OURS}"},
        {"sub": OTHER_TARGET},
        {"iss": ROBOT, "sub": ROBOT},
        {"exp": 1},
    ],
)
def test_a_jwt_that_is_not_right_is_refused_at_home_too(em: Emulator, changes: dict[str, object]) -> None:
    assert call(em, "GET", A, host=OURS, token=own(em, changes)).status == 401


def test_a_scope_limits_it_at_home_too(em: Emulator) -> None:
    token = own(em, {"scope": "https://www.googleapis.com/auth/bigquery"})
    assert denial(call(em, "GET", A, host=OURS, token=token))[0] == 403


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (f"oauth2.{UNIVERSE}", "/token"),
        (f"oauth2.{UNIVERSE}", "/revoke"),
        (f"accounts.{UNIVERSE}", "/o/oauth2/token"),
        (f"www.{UNIVERSE}", "/oauth2/v4/token"),
        (f"openidconnect.{UNIVERSE}", "/v1/userinfo"),
    ],
)
def test_there_is_no_oauth(em: Emulator, host: str, path: str) -> None:
    signed = own(em, {"aud": f"https://oauth2.{UNIVERSE}/token", "sub": None})
    answer = call(em, "POST", path, host=host, form={"grant_type": JWT_BEARER, "assertion": signed})
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=UTF-8")


@pytest.mark.parametrize("host", ["oauth2.googleapis.com", ""])
def test_googles_oauth_does_not_know_the_account(em: Emulator, host: str) -> None:
    signed = own(em, {"aud": "https://oauth2.googleapis.com/token"})
    answer = call(em, "POST", "/token", host=host, form={"grant_type": JWT_BEARER, "assertion": signed})
    assert oauth_error(answer) == (400, "invalid_grant", "Invalid grant: account not found")


def test_iam_credentials_lend_the_accounts_of_their_universe(em: Emulator) -> None:
    token = good(minted(em))["accessToken"]
    assert call(em, "GET", A, host=OURS, token=token).status == 200
    assert em.log()[-1]["principal"] == OTHER_TARGET
    assert call(em, "GET", A, host=GOOGLES, token=token).status == 401
    assert minted(em, target=TARGET).status == 404
    assert minted(em, host="iamcredentials.googleapis.com").status == 401
    google = access_token(em)
    refused = minted(em, host="iamcredentials.googleapis.com", target=OTHER_TARGET, token=google)
    assert api_error(refused)[:2] == (404, "NOT_FOUND")
    good(minted(em, host="iamcredentials.googleapis.com", target=TARGET, token=google))


def test_sts_gives_tokens_of_its_own_universe(em: Emulator) -> None:
    answers = {
        host: good(call(em, "POST", "/v1/token", host=f"sts.{host}", form=form(em.subject_token())))["access_token"]
        for host in (UNIVERSE, "googleapis.com")
    }
    for home, away in ((UNIVERSE, "googleapis.com"), ("googleapis.com", UNIVERSE)):
        assert call(em, "GET", A, host=f"storage.{home}", token=answers[home]).status == 200
        assert call(em, "GET", A, host=f"storage.{away}", token=answers[home]).status == 401
    token = good(minted(em, token=answers[UNIVERSE]))["accessToken"]
    assert call(em, "GET", A, host=OURS, token=token).status == 200


def test_boundaries_stay_in_their_universe(em: Emulator) -> None:
    theirs, google = good(minted(em))["accessToken"], access_token(em)
    boundary = {"accessBoundaryRules": [rule()]}
    token = good(downscope(em, theirs, boundary, host=f"sts.{UNIVERSE}"))["access_token"]
    assert call(em, "GET", A, host=OURS, token=token).status == 200
    assert call(em, "GET", object_path("backup/state.json", OTHER_BUCKET), host=OURS, token=token).status == 403
    assert call(em, "GET", A, host=GOOGLES, token=token).status == 401
    for source, host in ((google, f"sts.{UNIVERSE}"), (theirs, "sts.googleapis.com")):
        answer = oauth_error(downscope(em, source, boundary, host=host))
        assert answer == (400, "invalid_grant", "The subject token belongs to another universe.")


def test_the_other_universes_token_service_has_its_own_methods_alone(em: Emulator) -> None:
    assert call(em, "POST", "/token", host=f"sts.{UNIVERSE}", form={}).status == 401
    assert oauth_error(call(em, "POST", "/v1/token", host=f"sts.{UNIVERSE}", form={}))[1] == "unsupported_grant_type"


def test_at_the_emulators_own_address_both_are_at_home(em: Emulator) -> None:
    good(call(em, "GET", "/v1/protected", token=own(em)))
    good(call(em, "GET", "/v1/protected", token=access_token(em)))


# --- the metadata server

PATH = "/computeMetadata/v1/universe/universe-domain"


def test_the_metadata_server_knows_of_no_universe_until_it_is_told(em: Emulator) -> None:
    assert call(em, "GET", PATH, headers=FLAVOR).status == 404
    assert b"universe" not in call(em, "GET", "/computeMetadata/v1/", headers=FLAVOR).data
    em.set_universe()
    assert call(em, "GET", PATH, headers=FLAVOR).data == UNIVERSE.encode()
    assert b"universe/\n" in call(em, "GET", "/computeMetadata/v1/", headers=FLAVOR).data
    em.reset()
    assert call(em, "GET", PATH, headers=FLAVOR).status == 404


def test_its_tokens_are_of_the_universe_it_names(em: Emulator) -> None:
    token_path = "/computeMetadata/v1/instance/service-accounts/default/token"
    before = good(call(em, "GET", token_path, headers=FLAVOR))["access_token"]
    em.set_universe()
    token = good(call(em, "GET", token_path, headers=FLAVOR))["access_token"]
    assert token != before
    assert [call(em, "GET", A, host=host, token=token).status for host in (OURS, GOOGLES)] == [200, 401]
    assert [call(em, "GET", A, host=host, token=before).status for host in (OURS, GOOGLES)] == [401, 200]


def test_control_sets_it_too(em: Emulator) -> None:
    for domain in ("googleapis.com", UNIVERSE):
        assert good(call(em, "POST", "/_emulator/universe", body={"universe_domain": domain}))
        assert call(em, "GET", PATH, headers=FLAVOR).data == domain.encode()
    assert good(call(em, "POST", "/_emulator/universe", body={"universe_domain": None}))
    assert call(em, "GET", PATH, headers=FLAVOR).status == 404
    wrong: list[object] = [{"universe_domain": "x"}, {"universe_domain": 7}, {"universe_domain": "a.b\n"}, [], "x"]
    for body in wrong:
        assert call(em, "POST", "/_emulator/universe", body=body).status == 400
    with pytest.raises(ValueError, match="universe_domain"):
        em.set_universe("no domain")


# --- clients that are not ours


@pytest.mark.parametrize("scoped", [True, False], ids=["scope", "audience"])
def test_googles_library_signs_for_itself_and_dials_nobody(em: Emulator, scoped: bool) -> None:
    scopes = [CLOUD] if scoped else None
    credentials = service_account.Credentials.from_service_account_file(str(em.universe_key_file), scopes=scopes)
    if not scoped:
        credentials._create_self_signed_jwt(f"https://{OURS}/")  # what Google's API clients do
    request = google.auth.transport.requests.Request()
    credentials.refresh(request)
    request.session.close()
    assert em.log() == []
    claims = jwt.decode(credentials.token, options={"verify_signature": False})
    assert ("scope" in claims, "aud" in claims) == (scoped, not scoped)
    assert call(em, "GET", A, host=OURS, token=credentials.token).status == 200
    assert call(em, "GET", A, host=GOOGLES, token=credentials.token).status == 401


METADATA = """
import google.auth.compute_engine, google.auth.transport.requests
credentials = google.auth.compute_engine.Credentials()
credentials.refresh(google.auth.transport.requests.Request())
print(credentials.universe_domain, credentials.token)
"""


def test_googles_library_reads_the_metadata_servers_universe(em: Emulator) -> None:
    def seen() -> tuple[str, str]:
        command = [sys.executable, "-c", METADATA]
        done = subprocess.run(
            command, env={**os.environ, **em.env}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        domain, token = done.stdout.split()
        return domain, token

    for domain, host in (("googleapis.com", GOOGLES), (UNIVERSE, OURS)):
        said, token = seen()
        assert said == domain
        assert call(em, "GET", A, host=host, token=token).status == 200
        em.set_universe()


def test_the_key_outlives_a_restart(tmp_path: Path) -> None:
    from gbearer import emulator

    with emulator.running(dir=tmp_path / "dir") as first:
        token = own(first)
    with emulator.running(dir=tmp_path / "dir") as second:
        assert good(call(second, "GET", f"/storage/v1/b/{BUCKET}", host=OURS, token=token))["name"] == BUCKET
