"""The token service with ID tokens: what it accepts, who one is afterwards, and each refusal in Google's words."""

import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from emulator.federated import (
    GRANT,
    POOL,
    PRINCIPAL,
    SUBJECT,
    TYPE,
    WORKFORCE,
    audience,
    basic,
    exchange,
    federated_token,
    form,
    introspected,
    who,
)
from emulator.hands import CLOUD, access_token, api_error, call, good, key_file, oauth_error
from gbearer.emulator import Emulator

INVALID_AUDIENCE = (
    'Invalid value for "audience". This value should be the full resource name of the Identity Provider. See '
    "https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token for the list of possible formats."
)
INVALID_TARGET = (
    'The target service indicated by the "audience" parameters is invalid. This might either be because the pool or '
    "provider is disabled or deleted or because it doesn't exist."
)


def test_an_id_token_becomes_a_federated_token_that_apis_accept(em: Emulator) -> None:
    answer = exchange(em, em.subject_token())
    read = good(answer)
    assert answer.headers["Cache-Control"] == "no-store"
    assert read["access_token"].startswith("ya29.d.")
    assert (read["token_type"], read["issued_token_type"]) == ("Bearer", f"{TYPE}access_token")
    assert type(read["expires_in"]) is int
    assert read["expires_in"] == 3599
    assert who(em, read["access_token"]) == {"principal": f"{PRINCIPAL}/{SUBJECT}", "sub": SUBJECT}
    first, second = em.log()
    assert (first["grant_type"], first["principal"]) == (GRANT, f"{PRINCIPAL}/{SUBJECT}")
    assert (first["provider"], first["scope"]) == (f"{POOL}/providers/oidc", CLOUD)
    assert second["principal"] == f"{PRINCIPAL}/{SUBJECT}"


@pytest.mark.parametrize(
    "host", ["sts.googleapis.com", "sts.us-east1.rep.googleapis.com", "us-east1-sts.googleapis.com"]
)
def test_requests_for_googles_own_host_find_it(em: Emulator, host: str) -> None:
    good(call(em, "POST", "/v1/token", host=host, form=form(em.subject_token())))


def test_json_in_camel_case_is_read_like_the_form(em: Emulator) -> None:
    body = {
        "grantType": GRANT,
        "audience": audience(),
        "scope": CLOUD,
        "requestedTokenType": f"{TYPE}access_token",
        "subjectToken": em.subject_token(),
        "subjectTokenType": f"{TYPE}id_token",
    }
    good(call(em, "POST", "/v1/token", body=body))


@pytest.mark.parametrize("aud", [f"https:{audience()}", audience(), ["other", audience()]])
def test_the_providers_own_url_is_the_usual_audience_and_white_space_is_nothing(em: Emulator, aud: object) -> None:
    good(exchange(em, em.subject_token(claims={"aud": aud}) + "\n"))


def test_an_allowed_audience_takes_the_place_of_the_providers_url(em: Emulator) -> None:
    good(exchange(em, em.subject_token("azure"), "azure"))
    status, error, text = oauth_error(
        exchange(em, em.subject_token("azure", {"aud": f"https:{audience('azure')}"}), "azure")
    )
    assert (status, error) == (400, "invalid_grant")
    assert "does not match the expected audience api://emulator-app" in text


@pytest.mark.parametrize(
    "given",
    [
        f"//iam.googleapis.com/{POOL}",
        f"https:{audience()}",
        audience().replace("123456789012", "emulator-project"),
        "${AUDIENCE}",
        "",
    ],
)
def test_an_audience_that_is_no_provider_by_number(em: Emulator, given: str) -> None:
    assert oauth_error(exchange(em, em.subject_token(), changes={"audience": given})) == (
        400,
        "invalid_request",
        INVALID_AUDIENCE,
    )


@pytest.mark.parametrize(
    "given",
    [
        audience("oidc-disabled"),
        audience("nobody"),
        audience().replace("123456789012", "210987654321"),
        audience("oidc", POOL.replace("emulator-pool", "emulator-disabled")),
        audience("oidc", POOL.replace("emulator-pool", "other-pool")),
    ],
)
def test_a_provider_that_is_disabled_or_not_there(em: Emulator, given: str) -> None:
    assert oauth_error(exchange(em, em.subject_token(), changes={"audience": given})) == (
        400,
        "invalid_target",
        INVALID_TARGET,
    )


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"grant_type": "refresh_token"}, "unsupported_grant_type", "refresh_token"),
        ({"grant_type": None}, "unsupported_grant_type", "Invalid grant_type"),
        ({"subject_token": None}, "invalid_request", "subject_token"),
        ({"subject_token_type": None}, "invalid_request", "subject_token_type"),
        ({"requested_token_type": None}, "invalid_request", "requested_token_type"),
        ({"requested_token_type": f"{TYPE}refresh_token"}, "invalid_request", "requested_token_type"),
        ({"subject_token_type": f"{TYPE}saml2"}, "invalid_request", "subject_token_type"),
        ({"subject_token_type": f"{TYPE}access_token"}, "invalid_request", "access_token"),
        ({"scope": None}, "invalid_request", "scope"),
        ({"scope": " "}, "invalid_request", "scope"),
        ({"scope": "https://www.googleapis.com/auth/"}, "invalid_scope", "scope"),
        ({"options": "userProject"}, "invalid_request", "options"),
        ({"options": '{"userProject": 7}'}, "invalid_request", "userProject"),
    ],
)  # fmt: skip
def test_a_field_that_is_missing_or_wrong(em: Emulator, changes: dict[str, str | None], error: str, said: str) -> None:
    status, found, text = oauth_error(exchange(em, em.subject_token(), changes=changes))
    assert (status, found) == (400, error)
    assert said in text


def test_the_scope_limits_what_the_token_may_call(em: Emulator) -> None:
    token = federated_token(em, scope="https://www.googleapis.com/auth/devstorage.read_only")
    good(call(em, "GET", "/v1/protected?scope=devstorage.read_only", token=token))
    answer = call(em, "GET", "/v1/protected?scope=bigquery", token=token)
    assert api_error(answer) == (403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


@pytest.mark.parametrize("encode", [str, quote], ids=["once", "twice"])
def test_a_workforce_token_names_the_project_encoded_once_or_twice(em: Emulator, encode: Callable[[str], str]) -> None:
    token = em.subject_token(claims={"aud": WORKFORCE})
    options = encode(json.dumps({"userProject": "billing-project"}))
    read = good(call(em, "POST", "/v1/token", form=form(token, changes={"audience": WORKFORCE, "options": options})))
    principal = f"principal://iam.googleapis.com/locations/global/workforcePools/emulator-workforce/subject/{SUBJECT}"
    assert who(em, read["access_token"])["principal"] == principal
    assert em.log()[0]["user_project"] == "billing-project"


def test_a_project_that_may_not_be_used(em: Emulator) -> None:
    answer = exchange(em, em.subject_token(), changes={"options": json.dumps({"userProject": "emulator-denied"})})
    assert api_error(answer) == (403, "PERMISSION_DENIED", "USER_PROJECT_DENIED")


def test_a_client_may_authenticate_by_basic_and_then_needs_no_project(em: Emulator) -> None:
    token = em.subject_token(claims={"aud": WORKFORCE})
    fields = form(token, changes={"audience": WORKFORCE})
    status, error, text = oauth_error(call(em, "POST", "/v1/token", form=fields))
    assert (status, error) == (400, "invalid_request")
    assert "userProject" in text
    own = json.loads(em.user_file.read_text())
    good(call(em, "POST", "/v1/token", headers=basic(own["client_id"], own["client_secret"]), form=fields))
    for headers in (basic(own["client_id"], "wrong"), basic("nobody", "x"), {"Authorization": "Basic ???"}):
        assert oauth_error(call(em, "POST", "/v1/token", headers=headers, form=fields))[:2] == (401, "invalid_client")


def test_introspection_tells_who_holds_a_federated_token(em: Emulator) -> None:
    read = introspected(em, federated_token(em))
    assert read["active"] is True
    assert read["username"] == f"{PRINCIPAL}/{SUBJECT}"
    assert (read["sub"], read["scope"], read["iss"]) == (SUBJECT, CLOUD, "https://sts.googleapis.com/")
    assert 3590 < int(str(read["exp"])) - time.time() <= 3600


def test_introspection_knows_no_other_tokens_and_no_strangers(em: Emulator) -> None:
    assert introspected(em, access_token(em), "access_token") == {"active": False}
    assert introspected(em, "ya29.d.unknown") == {"active": False}
    em_token = federated_token(em)
    em.fault({"clock_skew": 3700})
    assert introspected(em, em_token) == {"active": False}
    answer = call(em, "POST", "/v1/introspect", form={"token": em_token})
    assert oauth_error(answer)[:2] == (401, "invalid_client")


def test_google_tokeninfo_and_userinfo_do_not_know_federated_tokens(em: Emulator) -> None:
    token = federated_token(em)
    assert oauth_error(call(em, "GET", f"/tokeninfo?access_token={token}")) == (400, "invalid_token", "Invalid Value")
    assert call(em, "GET", "/v1/userinfo", token=token).status == 401


def test_the_key_accounts_tokens_are_no_subject_tokens(em: Emulator) -> None:
    assert key_file(em)["type"] == "service_account"
    assert oauth_error(exchange(em, access_token(em)))[:2] == (400, "invalid_grant")


def test_subject_tokens_never_show_in_the_log(em: Emulator) -> None:
    token = em.subject_token()
    call(em, "POST", f"/v1/token?subject_token={token}", form=form(token))
    assert token not in json.dumps(em.log())


def test_a_platforms_endpoint_hands_out_subject_tokens(em: Emulator) -> None:
    text = call(em, "GET", "/subject-token/oidc")
    assert text.headers["Content-Type"].startswith("text/plain")
    good(exchange(em, text.data.decode()))
    assert api_error(call(em, "GET", "/subject-token/oidc?format=json"))[0] == 400
    read = good(call(em, "GET", "/subject-token/oidc?format=json", headers={"Metadata": "True"}))
    good(exchange(em, read["id_token"]))
    assert call(em, "GET", "/subject-token/nobody").status == 404
    assert call(em, "GET", "/subject-token/aws").status == 400
