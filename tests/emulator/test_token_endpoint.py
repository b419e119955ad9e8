"""The token endpoint's JWT bearer grant: what it gives, and every way in which Google refuses."""

import re
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator.hands import (
    ADA,
    CLOUD,
    EMAIL_SCOPE,
    FORM,
    JWT_BEARER,
    ROBOT,
    access_token,
    assertion,
    bearer,
    call,
    claims_of,
    good,
    oauth_error,
    sign,
)
from gbearer.emulator import Emulator

TIMEFRAME = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
NO_SCOPE = (400, "invalid_scope", "Invalid OAuth scope or ID token audience provided.")
DELEGATE = "https://www.googleapis.com/auth/admin.directory.user.readonly"


def test_an_assertion_with_a_scope_gives_an_access_token_that_an_api_accepts(em: Emulator) -> None:
    response = bearer(em, assertion(em, {"scope": CLOUD}))
    answer = good(response)
    assert set(answer) == {"access_token", "expires_in", "token_type"}
    assert answer["expires_in"] == 3599
    assert answer["token_type"] == "Bearer"
    assert re.fullmatch(r"ya29\.c\.[A-Za-z0-9._~+/-]+=*", answer["access_token"])
    assert "no-store" in response.headers["Cache-Control"]
    assert good(call(em, "GET", "/v1/protected", token=answer["access_token"]))["caller"]["email"] == ROBOT


def test_an_assertion_with_a_target_audience_gives_an_id_token_and_nothing_else(em: Emulator) -> None:
    answer = good(bearer(em, assertion(em, {"target_audience": "https://f-abc.run.app"})))
    assert set(answer) == {"id_token"}
    claims = claims_of(em, answer["id_token"])
    assert claims["aud"] == "https://f-abc.run.app"
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["email"] == ROBOT
    assert claims["email_verified"] is True
    assert claims["exp"] - claims["iat"] == 3600
    assert re.fullmatch(r"\d{21}", claims["sub"])


@pytest.mark.parametrize("path", ["/token", "/oauth2/v4/token", "/o/oauth2/token"])
def test_every_address_of_the_token_endpoint_works(em: Emulator, path: str) -> None:
    assert good(bearer(em, assertion(em, {"scope": CLOUD}), path))["access_token"]


def test_the_token_endpoint_answers_for_googles_host_and_for_its_own_address_as_audience(em: Emulator) -> None:
    assert good(bearer(em, assertion(em, {"scope": CLOUD}), host="oauth2.googleapis.com"))
    for host in ("", "oauth2.googleapis.com"):
        assert good(bearer(em, assertion(em, {"scope": CLOUD, "aud": f"{em.url}/token"}), host=host))


def test_a_header_without_kid_and_typ_as_node_sends_it_is_accepted(em: Emulator) -> None:
    assert good(bearer(em, assertion(em, {"scope": CLOUD}, {"kid": None, "typ": None})))


def test_a_token_survives_a_reset(em: Emulator) -> None:
    token = access_token(em)
    em.reset()
    assert good(call(em, "GET", "/v1/protected", token=token))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"iss": "nobody@emulator-project.iam.gserviceaccount.com"}, "Invalid grant: account not found"),
        ({"aud": "https://evil.example/token"}, "Invalid JWT: Failed audience check."),
        ({"aud": None}, "Invalid JWT: Failed audience check."),
        ({"iat": None}, TIMEFRAME),
        ({"exp": "soon"}, TIMEFRAME),
    ],
)
def test_a_bad_assertion_is_invalid_grant_in_googles_words(
    em: Emulator, changes: dict[str, object], refusal: str
) -> None:
    status, error, description = oauth_error(bearer(em, assertion(em, {"scope": CLOUD, **changes})))
    assert (status, error) == (400, "invalid_grant")
    assert description.startswith(refusal)


@pytest.mark.parametrize(("issued", "ends"), [(0, 3700), (-8000, -4400), (4000, 7600)])
def test_an_assertion_out_of_time_is_invalid_grant_in_googles_words(em: Emulator, issued: int, ends: int) -> None:
    now = int(time.time())
    response = bearer(em, assertion(em, {"scope": CLOUD, "iat": now + issued, "exp": now + ends}))
    status, error, description = oauth_error(response)
    assert (status, error) == (400, "invalid_grant")
    assert description.startswith(TIMEFRAME)


def test_a_signature_by_another_key_is_refused_with_and_without_the_right_key_id(em: Emulator) -> None:
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    honest = assertion(em, {"scope": CLOUD})
    claims = jwt.decode(honest, options={"verify_signature": False})
    for header in ({"kid": jwt.get_unverified_header(honest)["kid"]}, {"kid": "emulator-unknown"}, {}):
        forged = jwt.encode(claims, stranger, "RS256", header)
        assert oauth_error(bearer(em, forged)) == (400, "invalid_grant", "Invalid JWT Signature.")


def test_an_unsigned_or_symmetric_assertion_is_refused(em: Emulator) -> None:
    claims = jwt.decode(assertion(em, {"scope": CLOUD}), options={"verify_signature": False})
    for forged in (jwt.encode(claims, "", "none"), jwt.encode(claims, "k" * 32, "HS256")):
        assert oauth_error(bearer(em, forged))[:2] == (400, "invalid_grant")
    assert oauth_error(bearer(em, "not.a.jwt"))[:2] == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [{}, {"scope": ""}, {"scope": "no-such-scope"}, {"scope": f"{CLOUD} https://evil.example/auth/x"},
     {"target_audience": "two words"}, {"scope": CLOUD, "target_audience": "https://f.run.app"}],
)  # fmt: skip
def test_neither_scope_nor_audience_or_a_malformed_one_is_invalid_scope(
    em: Emulator, changes: dict[str, object]
) -> None:
    assert oauth_error(bearer(em, assertion(em, changes))) == NO_SCOPE


@pytest.mark.parametrize("grant_type", ["", "password", "client_credentials"])
def test_an_unknown_grant_is_named_in_the_refusal(em: Emulator, grant_type: str) -> None:
    response = call(em, "POST", "/token", form={"grant_type": grant_type})
    assert oauth_error(response) == (400, "unsupported_grant_type", f"Invalid grant_type: {grant_type}")


def test_only_a_form_is_read(em: Emulator) -> None:
    form = {"grant_type": JWT_BEARER, "assertion": assertion(em, {"scope": CLOUD})}
    refusal = (400, "unsupported_grant_type", "Invalid grant_type: ")
    assert oauth_error(call(em, "POST", "/token", body=form)) == refusal
    assert good(call(em, "POST", "/token", form=form, headers={"Content-Type": f"{FORM}; charset=utf-8"}))


def test_a_missing_assertion_is_named_and_other_methods_are_not_allowed(em: Emulator) -> None:
    response = call(em, "POST", "/token", form={"grant_type": JWT_BEARER})
    assert oauth_error(response) == (400, "invalid_request", "Missing required parameter: assertion")
    response = call(em, "GET", "/token")
    assert (response.status, response.headers["Allow"]) == (405, "POST")


def test_domain_wide_delegation_gives_a_token_of_the_user(em: Emulator) -> None:
    answer = good(bearer(em, assertion(em, {"scope": f"{DELEGATE} {EMAIL_SCOPE}", "sub": ADA})))
    assert answer["access_token"].startswith("ya29.a0")
    assert good(call(em, "GET", "/v1/protected", token=answer["access_token"]))["caller"]["email"] == ADA
    assert em.log()[0]["principal"] == ADA
    assert em.log()[0]["subject"] == ADA


def test_domain_wide_delegation_is_refused_beyond_what_the_administrator_allowed(em: Emulator) -> None:
    unauthorized = (
        401,
        "unauthorized_client",
        (
            "Client is unauthorized to retrieve access tokens using this method, "
            "or client not authorized for any of the scopes requested."
        ),
    )
    wide = "https://www.googleapis.com/auth/admin.directory.user"
    assert oauth_error(bearer(em, assertion(em, {"scope": wide, "sub": ADA}))) == unauthorized
    outside = assertion(em, {"scope": DELEGATE, "sub": "eve@elsewhere.example"})
    assert oauth_error(bearer(em, outside)) == unauthorized
    unknown = assertion(em, {"scope": DELEGATE, "sub": "nobody@example.com"})
    assert oauth_error(bearer(em, unknown)) == (400, "invalid_grant", "Invalid email or User ID")


def test_the_account_itself_as_subject_is_no_delegation(em: Emulator) -> None:
    answer = good(bearer(em, assertion(em, {"scope": CLOUD, "sub": ROBOT})))
    assert answer["access_token"].startswith("ya29.c.")


def test_the_log_tells_who_asked_for_what_and_holds_no_assertion(em: Emulator) -> None:
    signed = assertion(em, {"scope": CLOUD})
    token = good(bearer(em, signed, host="oauth2.googleapis.com"))["access_token"]
    bearer(em, sign(em, {"iss": ROBOT}))
    first, second = em.log()
    assert (first["method"], first["host"], first["path"]) == ("POST", "oauth2.googleapis.com", "/token")
    assert (first["grant_type"], first["principal"], first["status"]) == (JWT_BEARER, ROBOT, 200)
    assert abs(first["time"] - time.time()) < 30
    assert second["status"] == 400
    assert token not in str(em.log())
    assert signed not in str(em.log())
