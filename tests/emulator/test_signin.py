"""Signing in with a browser: pages, consent, what comes back, and every request that is refused by a page."""

import re
from pathlib import Path

import pytest

from emulator.hands import ADA, CLOUD, EMAIL_SCOPE, call, claims_of, good, user_file
from emulator.visitor import (
    REDIRECT,
    SCOPES,
    client,
    code,
    exchange,
    query,
    refreshed,
    s256,
    signed_in,
    text,
    told,
    url,
)
from gbearer import emulator
from gbearer.emulator import Emulator

PATH = "/o/oauth2/v2/auth"
PROFILE = "https://www.googleapis.com/auth/userinfo.profile"


def test_consent_gives_a_code_and_the_code_gives_tokens(em: Emulator) -> None:
    back = em.sign_in(url(em))
    assert back.startswith(REDIRECT + "?state=a+state+%26+more&")
    assert {name: told(back)[name] for name in ("state", "iss", "scope", "hd")} == {
        "state": "a state & more", "iss": "https://accounts.google.com", "scope": SCOPES, "hd": "example.com"
    }  # fmt: skip
    assert told(back)["code"].startswith("4/0A")
    answer = good(exchange(em, told(back)["code"]))
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3599
    assert answer["scope"] == SCOPES
    assert answer["refresh_token"].startswith("emulator-1//0")
    claims = claims_of(em, answer["id_token"])
    assert claims["aud"] == client(em)["client_id"]
    assert claims["email"] == ADA
    assert "nonce" not in claims
    for token in (answer["access_token"], good(refreshed(em, answer["refresh_token"]))["access_token"]):
        assert good(call(em, "GET", "/v1/protected", token=token))["caller"]["email"] == ADA
    assert [entry["status"] for entry in em.log()][:4] == [200, 200, 302, 200]


def test_no_secret_of_a_sign_in_is_in_the_log(em: Emulator) -> None:
    value = code(em)
    answer = good(exchange(em, value))
    page = call(em, "GET", f"{PATH}?{query(em)}").data.decode()
    request = re.search(r'name="request" value="([^"]+)"', page)
    assert request is not None
    call(em, "GET", f"{PATH}/account?request={request[1]}")
    shown = str(em.log())
    for secret in (value, request[1], answer["access_token"], answer["refresh_token"], answer["id_token"]):
        assert secret not in shown


@pytest.mark.parametrize(("path", "host"), [("/o/oauth2/auth", ""), (PATH, ""), (PATH, "accounts.google.com")])
def test_the_endpoint_is_where_clients_look_for_it(em: Emulator, path: str, host: str) -> None:
    answer = call(em, "GET", f"{path}?{query(em)}", host=host)
    assert answer.status == 200
    assert "Ada Lovelace" in text(answer)
    if host:
        assert told(em.sign_in(f"https://{host}{path}?{query(em)}"))["code"]


def test_every_account_can_be_chosen_and_the_hinted_one_stands_first(em: Emulator) -> None:
    page = call(em, "GET", f"{PATH}?{query(em, {'login_hint': 'grace@example.com'})}").data.decode()
    offered = re.findall(r'<button name="account" value="([^"]+)"', page)
    assert offered[0] == "grace@example.com"
    assert set(offered) == {ADA, "grace@example.com", "eve@elsewhere.example"}
    token = signed_in(em, account="eve@elsewhere.example")["access_token"]
    assert good(call(em, "GET", "/v1/protected", token=token))["caller"]["email"] == "eve@elsewhere.example"


def test_cancelling_is_told_to_the_application(em: Emulator) -> None:
    back = em.sign_in(url(em), decision="deny")
    assert back.startswith(REDIRECT)
    assert told(back) == {"error": "access_denied", "state": "a state & more"}


def test_scopes_can_be_unticked_but_those_of_signing_in_cannot(em: Emulator) -> None:
    answer = signed_in(em, scopes=[])
    assert answer["scope"].split() == ["openid", EMAIL_SCOPE]
    assert call(em, "GET", "/v1/protected?scope=cloud-platform", token=answer["access_token"]).status == 403
    wider = refreshed(em, answer["refresh_token"], {"scope": CLOUD})
    assert (wider.status, wider.json()["error"]) == (400, "invalid_scope")
    everything_off = em.sign_in(url(em, {"scope": CLOUD}), scopes=[])
    assert told(everything_off)["error"] == "access_denied"


def test_an_address_or_a_name_brings_openid_and_their_full_names(em: Emulator) -> None:
    assert signed_in(em, {"scope": "email profile"})["scope"].split() == [EMAIL_SCOPE, PROFILE, "openid"]
    without = signed_in(em, {"scope": CLOUD})
    assert without["scope"] == CLOUD
    assert "id_token" not in without


def test_a_nonce_comes_back_in_the_id_token(em: Emulator) -> None:
    assert claims_of(em, signed_in(em, {"nonce": "n-0S6_WzA2Mj"})["id_token"])["nonce"] == "n-0S6_WzA2Mj"


def test_without_offline_access_there_is_no_refresh_token_and_revoking_ends_it_all_the_same(em: Emulator) -> None:
    for access_type in ("online", None):
        answer = signed_in(em, {"access_type": access_type})
        assert "refresh_token" not in answer
        assert good(call(em, "GET", f"/revoke?token={answer['access_token']}")) == {}
        assert call(em, "GET", "/v1/protected", token=answer["access_token"]).status == 401


def test_without_a_state_none_comes_back_and_a_query_is_kept(em: Emulator) -> None:
    back = em.sign_in(url(em, {"state": None, "redirect_uri": "http://127.0.0.1:9/done?a=b"}))
    assert back.startswith("http://127.0.0.1:9/done?a=b&iss=")
    assert "state" not in told(back)


def test_prompt_none_shows_no_page_and_is_refused_to_the_application(em: Emulator) -> None:
    answer = call(em, "GET", f"{PATH}?{query(em, {'prompt': 'none', 'state': 'x'})}")
    assert (answer.status, answer.headers["Location"]) == (302, f"{REDIRECT}?state=x&error=login_required")


@pytest.mark.parametrize(
    "uri",
    ["http://localhost:1", "http://localhost", "http://127.0.0.1:65000/x/y", "http://[::1]:8080/", "http://localhost/"],
)
def test_this_machine_at_any_port_may_be_gone_back_to(em: Emulator, uri: str) -> None:
    answer = call(em, "GET", f"{PATH}?{query(em, {'redirect_uri': uri})}")
    policy = answer.headers["Content-Security-Policy"]
    assert answer.status == 200
    origin = re.match(r"http://[^/]+", uri)
    assert origin is not None
    assert policy.endswith("form-action 'self' http:" if "[" in uri else f"form-action 'self' {origin[0]}")
    assert exchange(em, code(em, {"redirect_uri": uri}), {"redirect_uri": uri}).status == 200


REFUSED: list[tuple[dict[str, str | None], int, str, str]] = [
    ({"client_id": None}, 400, "invalid_request", "Missing required parameter: client_id"),
    ({"client_id": "nobody"}, 401, "invalid_client", "The OAuth client was not found."),
    ({"redirect_uri": None}, 400, "invalid_request", "Missing required parameter: redirect_uri"),
    ({"redirect_uri": "urn:ietf:wg:oauth:2.0:oob"}, 400, "invalid_request", "out-of-band (OOB) flow has been blocked"),
    ({"response_type": None}, 400, "invalid_request", "Required parameter is missing: response_type"),
    ({"response_type": "token"}, 400, "unsupported_response_type", "Invalid response_type: token"),
    ({"scope": None}, 400, "invalid_request", "Missing required parameter: scope"),
    ({"scope": "openid nonsense"}, 400, "invalid_scope", "{valid=[openid], invalid=[nonsense]}"),
    ({"scope": " "}, 400, "invalid_scope", "Some requested scopes were invalid"),
    ({"access_type": "always"}, 400, "invalid_request", "Invalid parameter value for access_type: always"),
    ({"prompt": "login"}, 400, "invalid_request", "Invalid parameter value for prompt: login"),
    ({"prompt": "none consent"}, 400, "invalid_request", "Invalid parameter value for prompt: none consent"),
    ({"code_challenge_method": "S256"}, 400, "invalid_request", "without code_challenge"),
    ({**s256(), "code_challenge_method": "S512"}, 400, "invalid_request", "Invalid code_challenge_method: S512"),
    ({**s256(), "code_challenge": "short"}, 400, "invalid_request", "Invalid code_challenge for the method S256."),
    ({"code_challenge": "not allowed"}, 400, "invalid_request", "Invalid code_challenge for the method plain."),
]  # fmt: skip


@pytest.mark.parametrize(
    "uri",
    [
        "https://localhost:8085/",
        "http://example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.2/",
        "http://user@localhost/",
        "http://localhost:8085/#part",
        "http://localhost:x/",
        "http://localhost\\@e.com/",
        "http://localhost/\r\nX: y",
        "javascript:alert(1)",
        "//localhost/",
        "http://localhost:8085 ",
        "https://sdk.cloud.google.com/authcode.html",
    ],
)
def test_a_place_that_is_not_this_machine_is_not_gone_back_to(em: Emulator, uri: str) -> None:
    answer = call(em, "GET", f"{PATH}?{query(em, {'redirect_uri': uri})}")
    assert answer.status == 400
    assert "Location" not in answer.headers
    assert "Error 400: redirect_uri_mismatch" in text(answer)


@pytest.mark.parametrize(("changes", "status", "error", "words"), REFUSED)
def test_a_wrong_request_gets_a_page_and_no_redirect(
    em: Emulator, changes: dict[str, str | None], status: int, error: str, words: str
) -> None:
    answer = call(em, "GET", f"{PATH}?{query(em, changes)}")
    assert answer.status == status
    assert "Location" not in answer.headers
    assert f"Error {status}: {error}" in text(answer)
    assert words in text(answer)
    assert em.log()[-1]["error"] == error


def test_a_parameter_given_twice_is_refused(em: Emulator) -> None:
    answer = call(em, "GET", f"{PATH}?{query(em)}&scope=openid")
    assert (answer.status, "can only have a single value: scope" in text(answer)) == (400, True)


def test_what_the_application_sends_is_shown_as_text(em: Emulator) -> None:
    answer = call(em, "GET", f"{PATH}?{query(em, {'response_type': '<script>alert(1)</script>'})}")
    assert b"<script" not in answer.data
    assert "<script>alert(1)</script>" in text(answer)
    page = call(em, "POST", f"{PATH}/account", form=form_of(em, {"redirect_uri": "http://localhost/?a=&quot;"}))
    assert b"http://localhost/?a=&amp;quot;<" in page.data


def test_the_pages_are_shut_in(em: Emulator) -> None:
    for path in (f"{PATH}?{query(em)}", PATH, "/authcode.html?code=x"):
        answer = call(em, "GET", path)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        page = answer.data.decode()
        assert "<script" not in page
        assert not re.search(r"(src|href)=\"(https?:)?//", page)
        assert "url(" not in page
        assert "standing in for Google" in text(answer)


def form_of(em: Emulator, changes: dict[str, str | None] | None = None) -> dict[str, str]:
    page = call(em, "GET", f"{PATH}?{query(em, changes or {})}").data.decode()
    found = re.search(r'name="request" value="([^"]+)"', page)
    assert found is not None
    return {"request": found[1], "account": ADA}


def test_the_consent_page_shows_who_asks_for_what_and_leads_back_to_the_accounts(em: Emulator) -> None:
    form = form_of(em)
    answer = call(em, "POST", f"{PATH}/account", form=form)
    page = answer.data.decode()
    assert f'<input type="checkbox" name="scope" value="{CLOUD}" checked>' in page
    assert '<button name="decision" value="deny">' in page
    assert client(em)["client_id"] in text(answer)
    assert REDIRECT in text(answer)
    again = re.search(r'href="(/o/oauth2/v2/auth/account\?request=[^"]+)"', page)
    assert again is not None
    assert "Choose an account" in text(call(em, "GET", again[1]))


@pytest.mark.parametrize("form", [{"request": "unknown", "account": ADA}, {}])
@pytest.mark.parametrize("path", ["/account", "/consent"])
def test_a_sign_in_that_nobody_began_is_over(em: Emulator, path: str, form: dict[str, str]) -> None:
    answer = call(em, "POST", f"{PATH}{path}", form=form)
    assert (answer.status, "This sign-in is over" in text(answer)) == (400, True)
    assert call(em, "POST", f"{PATH}{path}", body={"request": "x"}).status == 400


def test_an_unknown_account_and_a_missing_decision_are_refused(em: Emulator) -> None:
    form = form_of(em)
    answer = call(em, "POST", f"{PATH}/account", form={**form, "account": "nobody@example.com"})
    assert (answer.status, "There is no account nobody@example.com here." in text(answer)) == (400, True)
    answer = call(em, "POST", f"{PATH}/consent", form=form)
    assert (answer.status, "Missing required parameter: decision" in text(answer)) == (400, True)


def test_a_decision_is_taken_once_and_grants_no_more_than_was_asked_for(em: Emulator) -> None:
    form = {**form_of(em), "decision": "allow", "scope": "https://www.googleapis.com/auth/drive"}
    answer = call(em, "POST", f"{PATH}/consent", form=form)
    assert answer.status == 302
    assert told(answer.headers["Location"])["scope"].split() == ["openid", EMAIL_SCOPE]
    assert "This sign-in is over" in text(call(em, "POST", f"{PATH}/consent", form=form))


def test_a_page_waits_an_hour(em: Emulator) -> None:
    form = form_of(em)
    em.fault({"clock_skew": 3700})
    assert call(em, "POST", f"{PATH}/account", form=form).status == 400


def test_sign_in_tells_what_a_page_says_and_what_cannot_be_chosen(em: Emulator) -> None:
    with pytest.raises(ValueError, match=r"400: Access blocked.*redirect_uri_mismatch"):
        em.sign_in(url(em, {"redirect_uri": "http://example.com/"}))
    with pytest.raises(ValueError, match=r"nobody@example\.com cannot be chosen on the page; those who can: ada@"):
        em.sign_in(url(em), account="nobody@example.com")
    with pytest.raises(ValueError, match=r"does not ask for .*auth/drive"):
        em.sign_in(url(em), scopes=["drive"])


def test_the_code_page_without_a_code_says_so(em: Emulator) -> None:
    answer = call(em, "GET", "/authcode.html?error=access_denied")
    assert (answer.status, "Error 400: access_denied" in text(answer)) == (400, True)


def test_client_json_is_a_desktop_clients_and_somebody_elses_is_not_overwritten(em: Emulator, tmp_path: Path) -> None:
    found = client(em)
    assert found["auth_uri"] == f"{em.url}/o/oauth2/auth"
    assert found["token_uri"] == f"{em.url}/token"
    assert found["client_id"] == user_file(em)["client_id"]
    for name, document in (
        ("client.json", '{"installed": {"client_id": "mine"}}'),
        ("workforce-user.json", '{"client_id": "mine"}'),
        ("login-config.json", '{"audience": "//iam.googleapis.com/locations/global/workforcePools/mine/providers/p"}'),
    ):
        directory = tmp_path / name
        directory.mkdir()
        (directory / name).write_text(document)
        with (
            pytest.raises(Exception, match=f"{name} was not written by an emulator"),
            emulator.running(dir=directory),
        ):
            pass
        assert (directory / name).read_text() == document
