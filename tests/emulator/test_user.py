"""The user's side: refresh tokens, client authentication, revocation, tokeninfo and userinfo."""

import base64
from urllib.parse import quote

import jwt
import pytest

from emulator.hands import (
    ADA,
    CLOUD,
    EMAIL_SCOPE,
    ROBOT,
    access_token,
    call,
    claims_of,
    good,
    id_token,
    oauth_error,
    refresh,
    user_file,
    user_token,
)
from gbearer.emulator import Emulator


def test_a_refresh_token_gives_access_token_scopes_and_an_id_token_for_the_client(em: Emulator) -> None:
    answer = good(refresh(em))
    assert answer["access_token"].startswith("ya29.a0")
    assert answer["expires_in"] == 3599
    assert {"openid", CLOUD, EMAIL_SCOPE} <= set(answer["scope"].split())
    assert "refresh_token" not in answer
    claims = claims_of(em, answer["id_token"])
    assert claims["aud"] == claims["azp"] == user_file(em)["client_id"]
    assert claims["email"] == ADA
    assert claims["name"] == "Ada Lovelace"


def test_a_narrower_scope_is_echoed_and_holds(em: Emulator) -> None:
    narrow = "https://www.googleapis.com/auth/devstorage.read_only"
    answer = good(refresh(em, {"scope": narrow}))
    assert answer["scope"] == narrow
    assert "id_token" not in answer
    token = answer["access_token"]
    assert call(em, "GET", "/v1/protected?scope=devstorage.read_only", token=token).status == 200
    assert call(em, "GET", "/v1/protected?scope=cloud-platform", token=token).status == 403


def test_client_authentication_by_basic_works_percent_encoded(em: Emulator) -> None:
    user = user_file(em)
    word = f"{quote(user['client_id'], safe='')}:{quote(user['client_secret'], safe='')}"
    basic = {"Authorization": "Basic " + base64.b64encode(word.encode()).decode()}
    assert good(refresh(em, {"client_id": None, "client_secret": None}, basic))["access_token"]
    wrong = {"Authorization": "Basic " + base64.b64encode(f"{user['client_id']}:x".encode()).decode()}
    assert refresh(em, {"client_id": None, "client_secret": None}, wrong).status == 401
    assert refresh(em, {}, {"Authorization": "Basic ???"}).status == 401


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"client_id": "emulator-other"}, (401, "invalid_client", "The OAuth client was not found.")),
        (
            {"client_id": "emulator-other.apps.googleusercontent.com", "client_secret": "emulator-secret-other"},
            (401, "unauthorized_client", "Unauthorized"),
        ),
        ({"client_secret": "x"}, (401, "invalid_client", "The provided client secret is invalid.")),
        ({"client_secret": None}, (400, "invalid_request", "client_secret is missing.")),
        ({"client_id": None}, (400, "invalid_request", "Could not determine client ID from request.")),
        ({"refresh_token": "emulator-unknown"}, (400, "invalid_grant", "Bad Request")),
        ({"refresh_token": None}, (400, "invalid_request", "Missing required parameter: refresh_token")),
        ({"scope": "https://www.googleapis.com/auth/drive"}, (400, "invalid_scope", "Bad Request")),
    ],
)
def test_a_bad_refresh_is_refused(em: Emulator, changes: dict[str, str | None], refusal: tuple[int, str, str]) -> None:
    assert oauth_error(refresh(em, changes)) == refusal


@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
@pytest.mark.parametrize("place", ["query", "form"])
def test_revoking_any_token_of_a_grant_ends_the_grant(em: Emulator, which: str, place: str) -> None:
    token = good(refresh(em))["access_token"]
    doomed = token if which == "access_token" else user_file(em)["refresh_token"]
    if place == "query":
        response = call(em, "POST", f"/revoke?token={quote(doomed, safe='')}")
    else:
        response = call(em, "POST", "/revoke", form={"token": doomed})
    assert good(response) == {}
    assert oauth_error(refresh(em)) == (400, "invalid_grant", "Token has been expired or revoked.")
    assert call(em, "GET", "/v1/protected", token=token).status == 401
    again = call(em, "POST", "/revoke", form={"token": doomed})
    assert oauth_error(again) == (400, "invalid_token", "Token expired or revoked")
    assert token not in str(em.log())
    em.reset()
    assert good(refresh(em))


def test_a_service_accounts_token_cannot_be_revoked(em: Emulator) -> None:
    response = call(em, "POST", "/revoke", form={"token": access_token(em)})
    assert oauth_error(response) == (400, "invalid_token", "Token is not revocable.")


@pytest.mark.parametrize("path", ["/tokeninfo", "/oauth2/v3/tokeninfo", "/oauth2/v3/tokeninfo/"])
def test_tokeninfo_writes_numbers_as_strings(em: Emulator, path: str) -> None:
    info = good(call(em, "GET", f"{path}?access_token={user_token(em)}"))
    assert info["email"] == ADA
    assert info["email_verified"] == "true"
    assert 3590 <= int(info["expires_in"]) <= 3600
    assert isinstance(info["exp"], str)
    assert info["aud"] == info["azp"] == user_file(em)["client_id"]
    assert CLOUD in info["scope"].split()


def test_tokeninfo_takes_the_token_from_form_and_header_too(em: Emulator) -> None:
    token = access_token(em)
    unique_id = good(call(em, "POST", "/tokeninfo", token=token))["aud"]
    assert len(unique_id) == 21
    assert good(call(em, "POST", "/tokeninfo", form={"access_token": token}))["azp"] == unique_id
    assert "email" not in good(call(em, "GET", "/tokeninfo", token=token))
    with_mail = access_token(em, f"{CLOUD} {EMAIL_SCOPE}")
    assert good(call(em, "GET", "/tokeninfo", token=with_mail))["email"] == ROBOT


def test_the_older_tokeninfo_has_the_older_names(em: Emulator) -> None:
    info = good(call(em, "GET", f"/oauth2/v1/tokeninfo?access_token={user_token(em)}"))
    assert info["issued_to"] == info["audience"] == user_file(em)["client_id"]
    assert info["verified_email"] is True
    assert isinstance(info["expires_in"], int)


def test_tokeninfo_of_an_id_token_shows_its_claims_and_header(em: Emulator) -> None:
    token = id_token(em, "https://f.run.app")
    info = good(call(em, "GET", f"/tokeninfo?id_token={token}"))
    assert info["aud"] == "https://f.run.app"
    assert info["alg"] == "RS256"
    assert info["kid"] == jwt.get_unverified_header(token)["kid"]
    assert info["email_verified"] == "true"


@pytest.mark.parametrize("query", ["?access_token=ya29.nope", "?id_token=a.b.c"])
def test_tokeninfo_refuses_what_it_does_not_know(em: Emulator, query: str) -> None:
    assert oauth_error(call(em, "GET", f"/tokeninfo{query}")) == (400, "invalid_token", "Invalid Value")


def test_tokeninfo_without_a_token_says_so_and_expired_tokens_are_invalid(em: Emulator) -> None:
    missing = (400, "invalid_token", "Either access_token, id_token, or token_handle required")
    assert oauth_error(call(em, "GET", "/tokeninfo")) == missing
    token, identity = access_token(em), id_token(em, "https://f.run.app")
    em.fault({"clock_skew": 3700})
    assert call(em, "GET", f"/tokeninfo?access_token={token}").status == 400
    assert call(em, "GET", f"/tokeninfo?id_token={identity}").status == 400


@pytest.mark.parametrize("path", ["/v1/userinfo", "/oauth2/v3/userinfo"])
def test_userinfo_as_openid_connect_has_it(em: Emulator, path: str) -> None:
    info = good(call(em, "GET", path, token=user_token(em)))
    assert info["email"] == ADA
    assert info["email_verified"] is True
    assert info["family_name"] == "Lovelace"
    assert len(info["sub"]) == 21


def test_the_older_userinfo_has_the_older_names(em: Emulator) -> None:
    info = good(call(em, "GET", "/oauth2/v2/userinfo", token=user_token(em), host="www.googleapis.com"))
    assert info["verified_email"] is True
    assert len(info["id"]) == 21


def test_userinfo_refuses_a_bad_token_and_a_token_without_the_scope(em: Emulator) -> None:
    response = call(em, "GET", "/v1/userinfo", token="ya29.nope")
    assert oauth_error(response) == (401, "invalid_request", "Invalid Credentials")
    assert call(em, "GET", "/v1/userinfo", token=access_token(em)).status == 403
