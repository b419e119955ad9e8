"""Workforce pools: the browser sign-in, sessions whose refresh tokens rotate, introspection, revocation, and use."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from urllib3.response import BaseHTTPResponse

from emulator.hands import ADA, CLOUD, TARGET, api_error, call, claims_of, good, oauth_error
from emulator.visitor import IDP, PRINCIPAL, REDIRECT, VERIFIER, basic, client, code, own_basic, s256, text, told
from gbearer import emulator
from gbearer.emulator import Emulator
from gbearer.emulator.sts import default

POOL = "locations/global/workforcePools/emulator-workforce"


def config(em: Emulator) -> dict[str, str]:
    read: dict[str, str] = json.loads(em.login_config_file.read_text())
    return read


def user(em: Emulator) -> dict[str, str]:
    read: dict[str, str] = json.loads(em.workforce_user_file.read_text())
    return read


def url(em: Emulator, changes: Mapping[str, str | None] = {}) -> str:
    """Where gcloud sends the browser."""
    given: dict[str, str | None] = {
        "response_type": "code",
        "client_id": client(em)["client_id"],
        "redirect_uri": REDIRECT,
        "scope": CLOUD,
        "state": "x",
        "provider_name": IDP,
        **s256(),
        **changes,
    }
    return f"{config(em)['auth_url']}?{urlencode({k: v for k, v in given.items() if v is not None})}"


def post(
    em: Emulator, path: str, form: Mapping[str, str | None], headers: Mapping[str, str] | None = None
) -> BaseHTTPResponse:
    """A form to the STS, by client.json's client unless `headers` say otherwise."""
    sent = {name: value for name, value in form.items() if value is not None}
    return call(em, "POST", path, form=sent, headers=own_basic(em) if headers is None else headers)


def exchange(
    em: Emulator, value: str, changes: Mapping[str, str | None] = {}, headers: Mapping[str, str] | None = None
) -> BaseHTTPResponse:
    form = {"grant_type": "authorization_code", "code": value, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return post(em, "/v1/oauthtoken", {**form, **changes}, headers)


def refreshed(
    em: Emulator, token: str, changes: Mapping[str, str | None] = {}, headers: Mapping[str, str] | None = None
) -> BaseHTTPResponse:
    return post(em, "/v1/oauthtoken", {"grant_type": "refresh_token", "refresh_token": token, **changes}, headers)


def session(em: Emulator, account: str = ADA) -> dict[str, Any]:
    answer: dict[str, Any] = good(exchange(em, told(em.sign_in(url(em), account))["code"]))
    return answer


def introspected(em: Emulator, token: str) -> dict[str, Any]:
    read: dict[str, Any] = good(post(em, "/v1/introspect", {"token": token}))
    return read


def test_the_files_say_where_to_sign_in_and_who_has(em: Emulator) -> None:
    assert config(em)["type"] == "external_account_authorized_user_login_config"
    assert config(em)["audience"] == user(em)["audience"] == f"//iam.googleapis.com/{IDP}"
    assert (config(em)["auth_url"], config(em)["token_url"]) == (f"{em.url}/authorize", f"{em.url}/v1/oauthtoken")
    assert user(em)["type"] == "external_account_authorized_user"
    assert user(em)["refresh_token"].startswith("emulator-1//0")
    assert user(em)["client_id"].startswith("emulator-")
    answer = good(refreshed(em, user(em)["refresh_token"]))
    assert introspected(em, answer["access_token"])["username"] == f"{PRINCIPAL}/{ADA}"


def test_a_sign_in_through_the_pool_gives_a_session(em: Emulator) -> None:
    page = call(em, "GET", url(em).removeprefix(em.url))
    assert "Sign in at emulator-idp" in text(page)
    back = told(em.sign_in(url(em), "grace@example.com"))
    assert set(back) == {"state", "code"}
    answer = good(exchange(em, back["code"]))
    assert set(answer) == {"access_token", "expires_in", "token_type", "scope", "refresh_token"}
    assert answer["expires_in"] == 3599
    caller = good(call(em, "GET", "/v1/protected", token=answer["access_token"]))["caller"]
    assert caller == {"principal": f"{PRINCIPAL}/grace@example.com", "sub": "grace@example.com"}
    shown = introspected(em, answer["access_token"])
    assert shown["active"] is True
    assert shown["username"] == f"{PRINCIPAL}/grace@example.com"
    assert shown["client_id"] == client(em)["client_id"]
    assert shown["exp"] - shown["iat"] == 3600
    assert introspected(em, "ya29.unknown") == {"active": False}


def test_cancelling_is_told_to_the_application(em: Emulator) -> None:
    assert told(em.sign_in(url(em), decision="deny")) == {"error": "access_denied", "state": "x"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"provider_name": None}, "Missing required parameter: provider_name"),
        ({"provider_name": f"{POOL}/providers/none"}, "There is no workforce pool provider"),
        (
            {"provider_name": default.POOL_RESOURCE + "/providers/oidc"},
            "There is no workforce pool provider",
        ),
        ({"redirect_uri": "http://example.com/"}, "redirect_uri_mismatch"),
        ({"client_id": "nobody"}, "The OAuth client was not found."),
    ],
)  # fmt: skip
def test_a_wrong_request_gets_a_page(em: Emulator, changes: dict[str, str | None], words: str) -> None:
    answer = call(em, "GET", url(em, changes).removeprefix(em.url))
    assert answer.status in (400, 401)
    assert words in text(answer)


def test_a_providers_condition_shuts_people_out_and_its_mapping_names_them(em: Emulator) -> None:
    settings = {"issuerUri": "https://people.emulator.example"}
    mapped = {"google.subject": "assertion.name", "google.groups": "assertion.groups"}
    shut = {
        "oidc": settings,
        "attributeMapping": mapped,
        "attributeCondition": "assertion.email.endsWith('@example.com')",
    }
    em.provider("emulator-idp", shut, POOL)
    with pytest.raises(ValueError, match=r"403: Access blocked.*eve@elsewhere\.example is not let in"):
        em.sign_in(url(em), "eve@elsewhere.example")
    assert introspected(em, session(em)["access_token"])["sub"] == "Ada Lovelace"
    em.provider("emulator-idp", {**shut, "disabled": True}, POOL)
    with pytest.raises(ValueError, match="or it is disabled"):
        em.sign_in(url(em))


def test_groups_and_principals_may_act_as_service_accounts_when_they_are_bound(em: Emulator) -> None:
    token = session(em)["access_token"]
    path = f"/v1/projects/-/serviceAccounts/{TARGET}"

    def ask(verb: str) -> BaseHTTPResponse:
        body = {"scope": [CLOUD], "audience": "https://a.run.app", "includeEmail": True}
        return call(em, "POST", f"{path}:{verb}", host="iamcredentials.googleapis.com", token=token, body=body)

    assert api_error(ask("generateAccessToken")) == (403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")
    for member in (f"{PRINCIPAL}/{ADA}", f"principalSet://iam.googleapis.com/{POOL}/group/everybody"):
        em.bind(TARGET, member)
        acting = good(ask("generateAccessToken"))["accessToken"]
        assert good(call(em, "GET", "/v1/protected", token=acting))["caller"]["email"] == TARGET
        assert claims_of(em, good(ask("generateIdToken"))["token"])["email"] == TARGET
        em.unbind(TARGET, member)
        assert ask("generateIdToken").status == 403


def test_a_refresh_replaces_the_token_and_the_former_is_good_until_the_new_one_is_used(em: Emulator) -> None:
    first = session(em)["refresh_token"]
    second = good(refreshed(em, first))["refresh_token"]
    assert second != first
    again = good(refreshed(em, first))["refresh_token"]  # its client was killed before it could keep `second`
    third = good(refreshed(em, again))["refresh_token"]
    assert len({first, second, again, third}) == 4
    token = good(refreshed(em, second))["access_token"]  # and this process had kept its own
    answer = refreshed(em, first)
    assert oauth_error(answer)[:2] == (400, "invalid_grant")
    assert "session revoked" in answer.json()["error_description"]
    for held in (second, third):
        assert oauth_error(refreshed(em, held)) == (400, "invalid_grant", "The session has been revoked.")
    assert introspected(em, token) == {"active": False}
    assert call(em, "GET", "/v1/protected", token=token).status == 401


def test_a_hundred_clients_killed_in_a_row_lose_nothing(em: Emulator) -> None:
    held = session(em)["refresh_token"]
    handed_out = [good(refreshed(em, held))["refresh_token"] for _ in range(100)]
    assert refreshed(em, handed_out[-1]).status == 200
    assert refreshed(em, handed_out[-2]).status == 200
    assert refreshed(em, held).status == 400


def test_a_session_outlives_a_restart_with_its_newest_token_and_the_one_before(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path / "dir") as em:
        former = session(em)["refresh_token"]
        newest = good(refreshed(em, former))["refresh_token"]
        rotated = good(refreshed(em, user(em)["refresh_token"]))["refresh_token"]
        kept = (tmp_path / "dir" / "emulator-grants.json").read_text()
        assert former not in kept
        assert newest not in kept
    with emulator.running(dir=tmp_path / "dir") as em:
        assert refreshed(em, former).status == 200
        assert refreshed(em, newest).status == 200
        assert refreshed(em, former).status == 400
        assert refreshed(em, rotated).status == 200


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"refresh_token": None}, (400, "invalid_request", "Missing required parameter: refresh_token")),
        ({"refresh_token": "emulator-unknown"}, (400, "invalid_grant", "The refresh token is unknown.")),
        ({"scope": "https://www.googleapis.com/auth/drive"}, (400, "invalid_scope", "Bad Request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", "Invalid grant_type: password")),
        ({"grant_type": None}, (400, "unsupported_grant_type", "Invalid grant_type: ")),
    ],
)
def test_a_bad_refresh_is_refused(em: Emulator, changes: dict[str, str | None], refusal: tuple[int, str, str]) -> None:
    assert oauth_error(refreshed(em, user(em)["refresh_token"], changes)) == refusal


def test_the_client_has_to_authenticate_by_basic(em: Emulator) -> None:
    value, token = told(em.sign_in(url(em)))["code"], session(em)["refresh_token"]
    in_the_body = {name: client(em)[name] for name in ("client_id", "client_secret")}
    required = (401, "invalid_client", "Client authentication is required.")
    other = basic("emulator-other.apps.googleusercontent.com", "emulator-secret-other")
    for ask, held in ((exchange, value), (refreshed, token)):
        assert oauth_error(ask(em, held, in_the_body, {})) == required
        assert oauth_error(ask(em, held, {}, basic(client(em)["client_id"], "wrong")))[:2] == (401, "invalid_client")
        assert oauth_error(ask(em, held, {}, other)) == (401, "unauthorized_client", "Unauthorized")
        assert ask(em, held).status == 200
    assert oauth_error(post(em, "/v1/revoke", {"token": token}, {})) == required
    assert oauth_error(post(em, "/v1/revoke", {"token": token}, other)) == (401, "unauthorized_client", "Unauthorized")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"code": None}, (400, "invalid_request", "Missing required parameter: code")),
        ({"code": "4/0Aemulator-unknown"}, (400, "invalid_grant", "Bad Request")),
        ({"redirect_uri": "http://localhost:1/"}, (400, "redirect_uri_mismatch", "Bad Request")),
        ({"code_verifier": None}, (400, "invalid_grant", "Missing code verifier.")),
        ({"code_verifier": "x" * 43}, (400, "invalid_grant", "Invalid code verifier.")),
    ],
)
def test_a_bad_exchange_is_refused_and_burns_nothing(
    em: Emulator, changes: dict[str, str | None], refusal: tuple[int, str, str]
) -> None:
    value = told(em.sign_in(url(em)))["code"]
    assert oauth_error(exchange(em, value, changes)) == refusal
    assert exchange(em, value).status == 200
    assert oauth_error(exchange(em, value)) == (400, "invalid_grant", "Bad Request")


def test_codes_and_tokens_of_users_and_of_the_pool_are_not_taken_for_each_other(em: Emulator) -> None:
    answer = exchange(em, code(em), {"code_verifier": None})
    assert oauth_error(answer) == (400, "invalid_grant", "Bad Request")
    own = {name: client(em)[name] for name in ("client_id", "client_secret")}
    value, token = told(em.sign_in(url(em)))["code"], session(em)["refresh_token"]
    form = {"grant_type": "authorization_code", "code": value, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    assert oauth_error(call(em, "POST", "/token", form={**form, **own})) == (400, "invalid_grant", "Bad Request")
    form = {"grant_type": "refresh_token", "refresh_token": token, **own}
    assert oauth_error(call(em, "POST", "/token", form=form)) == (400, "invalid_grant", "Bad Request")
    ordinary = json.loads(em.user_file.read_text())["refresh_token"]
    assert oauth_error(refreshed(em, ordinary)) == (400, "invalid_grant", "The refresh token is unknown.")


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
def test_revoking_ends_the_session(em: Emulator, which: str) -> None:
    ended, other = session(em), session(em)
    answer = post(em, "/v1/revoke", {"token": ended[which], "token_type_hint": which})
    assert good(answer) == {}
    assert oauth_error(refreshed(em, ended["refresh_token"])) == (400, "invalid_grant", "The session has been revoked.")
    assert introspected(em, ended["access_token"]) == {"active": False}
    assert good(post(em, "/v1/revoke", {"token": ended[which]})) == {}
    assert refreshed(em, other["refresh_token"]).status == 200


def test_revoking_what_is_no_token_is_fine_and_what_is_malformed_is_not(em: Emulator) -> None:
    assert good(post(em, "/v1/revoke", {"token": "unknown"})) == {}
    missing = (400, "invalid_request", "Missing required parameter: token")
    assert oauth_error(post(em, "/v1/revoke", {})) == missing
    answer = post(em, "/v1/revoke", {"token": "x", "token_type_hint": "id_token"})
    assert oauth_error(answer)[:2] == (400, "unsupported_token_type")
    ordinary = json.loads(em.user_file.read_text())["refresh_token"]
    assert good(post(em, "/v1/revoke", {"token": ordinary})) == {}  # not the pool's: left alone


def test_the_place_where_users_revoke_does_not_know_sessions(em: Emulator) -> None:
    held = session(em)
    refused = oauth_error(call(em, "POST", "/revoke", form={"token": held["refresh_token"]}))
    assert refused == (400, "invalid_token", "Token expired or revoked")
    refused = oauth_error(call(em, "POST", "/revoke", form={"token": held["access_token"]}))
    assert refused == (400, "invalid_token", "Token is not revocable.")
    assert refreshed(em, held["refresh_token"]).status == 200


def test_a_session_can_be_made_to_expire(em: Emulator) -> None:
    token = session(em)["refresh_token"]
    assert em.require_reauth(f"{PRINCIPAL}/{ADA}") >= 1
    answer = refreshed(em, token)
    assert oauth_error(answer) == (400, "invalid_grant", "The session has expired. Sign in again.")
    assert "error_subtype" not in answer.json()
    assert refreshed(em, session(em)["refresh_token"]).status == 200


def test_no_secret_of_a_session_is_in_the_log(em: Emulator) -> None:
    answer = session(em)
    good(post(em, "/v1/revoke", {"token": answer["refresh_token"]}))
    for secret in (answer["access_token"], answer["refresh_token"], client(em)["client_secret"]):
        assert secret not in str(em.log())
