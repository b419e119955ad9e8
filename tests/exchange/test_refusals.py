"""What a refusal becomes: the right class and exit code, the cause in words, and the command that helps."""

import json
from typing import Any

import pytest

from exchange.hands import (
    ADA,
    AUDIENCE,
    CLOUD,
    MIDDLE,
    PREFIX,
    ROBOT,
    TARGET,
    TARGET2,
    mint,
    refusal,
    served,
)
from gbearer.emulator import Emulator
from gbearer.errors import (
    BadCredentials,
    CredentialsNotFound,
    Denied,
    Error,
    LoginRequired,
    Refused,
    Unreachable,
    UsageError,
)

GRANT = "gcloud iam service-accounts add-iam-policy-binding"
CREATOR = "roles/iam.serviceAccountTokenCreator"
OPENID = "roles/iam.serviceAccountOpenIdTokenCreator"
LOGIN = "gcloud auth application-default login"


def key(em: Emulator) -> str:
    return str(em.key_file)


def user(em: Emulator) -> str:
    return str(em.user_file)


def oauth(em: Emulator, error: str, text: str = "", status: int = 400, **more: str) -> None:
    em.fault({"status": status, "oauth_error": {"error": error, "error_description": text, **more},
              "match": {"path": "/token"}})  # fmt: skip


# The token endpoint: a key.


def test_a_key_that_was_replaced(gbearer_emulator: Emulator) -> None:
    oauth(gbearer_emulator, "invalid_grant", "Invalid JWT Signature.")
    text = refusal(BadCredentials, gbearer_emulator, credentials=key(gbearer_emulator))
    assert "deleted, disabled or replaced" in text
    assert f"gcloud iam service-accounts keys create key.json --iam-account={ROBOT}" in text
    assert BadCredentials.code == 4


def test_an_account_that_is_gone(gbearer_emulator: Emulator) -> None:
    document = json.loads(gbearer_emulator.key_file.read_text())
    gone = json.dumps(document | {"client_email": ROBOT.replace("robot", "gone")})
    assert "there is no service account gone@" in refusal(BadCredentials, gbearer_emulator, credentials=gone)


@pytest.mark.parametrize(("skew", "side"), [(-3000, "ahead of"), (7200, "behind")])
def test_a_wrong_clock_is_told_in_seconds(gbearer_emulator: Emulator, skew: int, side: str) -> None:
    gbearer_emulator.fault({"clock_skew": skew})
    text = refusal(BadCredentials, gbearer_emulator, credentials=key(gbearer_emulator))
    seconds = int(text.partition("this machine's clock is ")[2].partition(" s ")[0])
    assert abs(seconds - abs(skew)) <= 2
    assert f" s {side} that of" in text
    assert "set the clock" in text


def test_a_grant_refused_for_a_reason_unknown_speaks_of_the_clock_only_when_it_is_wrong(
    gbearer_emulator: Emulator,
) -> None:
    oauth(gbearer_emulator, "invalid_grant", "Something new.")
    text = refusal(BadCredentials, gbearer_emulator, credentials=key(gbearer_emulator))
    assert "Something new." in text
    assert "clock" not in text
    gbearer_emulator.fault({"clock_skew": 120})
    oauth(gbearer_emulator, "invalid_grant", "Something new.")
    assert "clock is 1" in refusal(BadCredentials, gbearer_emulator, credentials=key(gbearer_emulator))


def test_domain_wide_delegation_that_is_not_granted(gbearer_emulator: Emulator) -> None:
    client_id = json.loads(gbearer_emulator.key_file.read_text())["client_id"]
    scope = PREFIX + "bigquery"
    text = refusal(Denied, gbearer_emulator, credentials=key(gbearer_emulator), subject=ADA, scopes=(scope,))
    assert f"add {client_id} with exactly the scopes {scope}" in text
    assert "admin.google.com" in text
    text = refusal(Denied, gbearer_emulator, credentials=user(gbearer_emulator), subject=ADA, impersonate=(TARGET,))
    assert f"{TARGET} may not act for {ADA}" in text
    assert Denied.code == 5


def test_a_subject_that_does_not_exist(gbearer_emulator: Emulator) -> None:
    given = {"credentials": key(gbearer_emulator), "subject": "nobody@example.com"}
    assert "there is no user nobody@example.com" in refusal(BadCredentials, gbearer_emulator, **given)


def test_a_scope_that_google_does_not_know(gbearer_emulator: Emulator) -> None:
    text = refusal(UsageError, gbearer_emulator, credentials=key(gbearer_emulator), scopes=("nonsense://x",))
    assert "nonsense://x" in text


# The token endpoint: a person.


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ({"error_description": "Token has been expired or revoked."}, "has ended"),
        ({"error_description": "Bad Request"}, "has ended"),
        ({"error_description": "reauth related error (x)", "error_subtype": "invalid_rapt"}, "needs reauthentication"),
        ({"error_description": "reauth related error (y)", "error_subtype": "rapt_required"}, "needs reauthentication"),
        ({"error_description": "reauth related error (rapt_required)"}, "needs reauthentication"),
    ],
)
@pytest.mark.parametrize("name", ["user.json", "impersonated.json"])
def test_a_login_that_has_ended(gbearer_emulator: Emulator, name: str, error: dict[str, str], says: str) -> None:
    gbearer_emulator.fault({"oauth_error": {"error": "invalid_grant", **error}, "match": {"path": "/token"}})
    text = refusal(LoginRequired, gbearer_emulator, credentials=str(gbearer_emulator.dir / name))
    assert says in text
    assert LOGIN in text
    assert LoginRequired.code == 6
    assert served(gbearer_emulator) == [("token", 400)]


def test_a_client_that_was_deleted_or_has_another_secret(gbearer_emulator: Emulator) -> None:
    document = json.loads(gbearer_emulator.user_file.read_text())
    for change in ({"client_id": "emulator-other.apps.googleusercontent.com"}, {"client_secret": "emulator-secret-x"}):
        text = refusal(BadCredentials, gbearer_emulator, credentials=json.dumps(document | change))
        assert "OAuth client" in text
        assert served(gbearer_emulator)[-1] == ("token", 401)


def test_a_scope_that_the_login_does_not_have(gbearer_emulator: Emulator) -> None:
    scope = PREFIX + "bigquery"
    text = refusal(UsageError, gbearer_emulator, credentials=user(gbearer_emulator), scopes=(scope,))
    assert f"{LOGIN} --scopes=openid,{CLOUD},{scope}" in text


# IAM Credentials.


@pytest.mark.parametrize(("name", "member"), [("key.json", f"serviceAccount:{ROBOT}"), ("user.json", f"user:{ADA}")])
@pytest.mark.parametrize(("kind", "role"), [("access", CREATOR), ("id", OPENID)])
def test_a_missing_role_is_named_with_the_command_that_grants_it(
    gbearer_emulator: Emulator, name: str, member: str, kind: str, role: str
) -> None:
    text = refusal(
        Denied,
        gbearer_emulator,
        credentials=str(gbearer_emulator.dir / name),
        kind=kind,
        audience=AUDIENCE if kind == "id" else None,
        impersonate=(TARGET2,),
    )
    assert f"fix: {GRANT} {TARGET2} --member={member} --role={role}" in text


def test_who_asks_is_looked_up_when_nobody_says_and_the_token_stays_out_of_the_url(gbearer_emulator: Emulator) -> None:
    made = mint(gbearer_emulator, credentials=user(gbearer_emulator))
    gbearer_emulator.reset()
    env = {"CLOUDSDK_AUTH_ACCESS_TOKEN": made.value}
    text = refusal(Denied, gbearer_emulator, env=env, source="env", impersonate=(TARGET2,))
    assert f"--member=user:{ADA} " in text
    asked = gbearer_emulator.log()[-1]
    assert (asked["method"], asked["path"], asked["query"]) == ("POST", "/tokeninfo", "")
    gbearer_emulator.fault({"drop": True, "count": 3, "match": {"path": "/tokeninfo"}})
    text = refusal(Denied, gbearer_emulator, env=env, source="env", impersonate=(TARGET2,))
    assert "--member=user:YOUR_EMAIL " in text


def test_each_link_of_a_chain_is_named(gbearer_emulator: Emulator) -> None:
    text = refusal(Denied, gbearer_emulator, credentials=user(gbearer_emulator), impersonate=(TARGET, TARGET2))
    assert f"{ADA} -> {TARGET} -> {TARGET2}" in text
    assert f"{GRANT} {TARGET} --member=user:{ADA} --role={CREATOR}" in text
    assert f"{GRANT} {TARGET2} --member=serviceAccount:{TARGET} --role={CREATOR}" in text
    options: dict[str, Any] = {"kind": "id", "audience": AUDIENCE, "impersonate": (MIDDLE, TARGET)}
    text = refusal(Denied, gbearer_emulator, credentials=user(gbearer_emulator), **options)
    assert f"{GRANT} {MIDDLE} --member=user:{ADA} --role={CREATOR}" in text
    assert f"{GRANT} {TARGET} --member=serviceAccount:{MIDDLE} --role={OPENID}" in text


def test_an_account_that_does_not_exist(gbearer_emulator: Emulator) -> None:
    nobody = TARGET.replace("target", "nobody")
    text = refusal(UsageError, gbearer_emulator, credentials=key(gbearer_emulator), impersonate=(nobody,))
    assert f"there is no service account {nobody}" in text
    document = json.loads(gbearer_emulator.impersonated_file.read_text())
    url = document["service_account_impersonation_url"].replace("target@", "nobody@")
    changed = json.dumps(document | {"service_account_impersonation_url": url})
    assert nobody in refusal(BadCredentials, gbearer_emulator, credentials=changed)


def test_a_lifetime_beyond_the_policy(gbearer_emulator: Emulator) -> None:
    given = {"credentials": key(gbearer_emulator), "impersonate": (TARGET,), "lifetime": 7200}
    text = refusal(UsageError, gbearer_emulator, **given)
    assert "7200 s" in text
    assert "constraints/iam.allowServiceAccountCredentialLifetimeExtension" in text


def test_a_token_with_too_narrow_a_scope(gbearer_emulator: Emulator) -> None:
    made = mint(gbearer_emulator, credentials=user(gbearer_emulator), scopes=(PREFIX + "compute",))
    env = {"CLOUDSDK_AUTH_ACCESS_TOKEN": made.value}
    text = refusal(Denied, gbearer_emulator, env=env, source="env", impersonate=(TARGET,))
    assert "cloud-platform" in text
    assert GRANT not in text  # no role would help
    detail = {"reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
    body = {"error": {"code": 403, "message": "Too little.", "status": "PERMISSION_DENIED", "details": [detail]}}
    gbearer_emulator.fault({"status": 403, "body": json.dumps(body), "match": {"path": "/v1/projects"}})
    text = refusal(LoginRequired, gbearer_emulator, credentials=user(gbearer_emulator), impersonate=(TARGET,))
    assert f"{LOGIN} --scopes={CLOUD}" in text


def test_an_api_that_is_not_enabled(gbearer_emulator: Emulator) -> None:
    body = {"error": {"code": 403, "message": "IAM Service Account Credentials API has not been used in project 42",
                      "status": "PERMISSION_DENIED", "details": [
                          {"@type": "type.googleapis.com/google.rpc.Help"},
                          {"reason": "SERVICE_DISABLED", "metadata": {"consumer": "projects/42"}}]}}  # fmt: skip
    gbearer_emulator.fault({"status": 403, "body": json.dumps(body), "match": {"path": "/v1/projects"}})
    text = refusal(Denied, gbearer_emulator, credentials=key(gbearer_emulator), impersonate=(TARGET,))
    assert "fix: gcloud services enable iamcredentials.googleapis.com --project=42" in text


def test_a_base_token_that_is_refused_carries_the_refusal_along(gbearer_emulator: Emulator) -> None:
    with pytest.raises(Error) as caught:
        mint(gbearer_emulator, env={"CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.stale"}, source="env", impersonate=(TARGET,))
    assert isinstance(caught.value, BadCredentials)
    assert isinstance(caught.value.__cause__, Refused)
    assert caught.value.__cause__.status == 401


# The metadata server.


def test_a_machine_without_a_service_account(gbearer_emulator: Emulator) -> None:
    for options in ({}, {"kind": "id", "audience": AUDIENCE}):
        gbearer_emulator.fault({"status": 404, "match": {"path": "/computeMetadata"}})
        text = refusal(CredentialsNotFound, gbearer_emulator, **options)
        assert "set-service-account" in text
    gbearer_emulator.fault({"status": 403, "match": {"path": "/computeMetadata"}})
    assert "workload identity" in refusal(Denied, gbearer_emulator)


# Everybody.

WAYS: list[tuple[str, dict[str, Any], str]] = [
    ("key.json", {}, "/token"),
    ("key.json", {"kind": "id", "audience": AUDIENCE}, "/token"),
    ("user.json", {}, "/token"),
    ("key.json", {"impersonate": (TARGET,)}, "/v1/projects"),
    ("key.json", {"impersonate": (TARGET,), "kind": "id", "audience": AUDIENCE}, "/v1/projects"),
    ("key.json", {"impersonate": (ROBOT,), "subject": ADA}, "/v1/projects"),
    ("", {}, "/computeMetadata/v1/instance/service-accounts/default/token"),
    ("", {"kind": "id", "audience": AUDIENCE}, "/computeMetadata/v1/instance/service-accounts/default/identity"),
]
TOKEN = "ya29.c.secret-that-was-cut"
ANSWERS: list[dict[str, Any]] = [
    {"html": True, "status": 200},
    {"html": True, "status": 403},
    {"empty": True},
    {"no_token": True},
    {"garbage": True},
    {"half_body": True, "count": 9},
    {"redirect": "https://elsewhere.example/?code=hidden"},
    {"drop": True, "count": 9},
    {"reset": True, "count": 9},
    {"status": 503, "count": 9},
    {"status": 502, "html": True, "count": 9},
    {"status": 429, "count": 9},
    {"status": 418},
    {"body": "[]"},
    {"body": "null"},
    {"body": '"text"'},
    {"body": f'{{"access_token": "{TOKEN}", "token": "{TOKEN}", "accessToken": "{TOKEN}", "expires_in": "soon"'},
    {"body": '{"access_token": "", "id_token": "", "token": "", "accessToken": ""}'},
    {"body": '{"access_token": 5, "id_token": 5, "token": 5, "accessToken": 5, "expires_in": 3599}'},
    {"body": '{"access_token": "a b", "id_token": "a b", "token": "a.b.c", "accessToken": "a b"}'},
    {"body": '{"access_token": "x\\r\\nX-Evil: 1", "id_token": "x\\ny", "token": "x\\ny", "accessToken": "x\\ny",'
             ' "expires_in": 3599, "expireTime": "2999-01-01T00:00:00Z"}'},
    {"body": '{"access_token": "ya29.x", "accessToken": "ya29.x", "expires_in": 0,'
             ' "expireTime": "2001-01-01T00:00:00Z"}'},
    {"body": '{"access_token": "ya29.x", "accessToken": "ya29.x", "expires_in": "soon", "expireTime": "soon"}'},
    {"body": '{"access_token": "ya29.x", "accessToken": "ya29.x", "expires_in": 1e300, "expireTime": 5}'},
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "path"), WAYS)
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: json.dumps(answer)[:40])
def test_an_answer_that_is_none(
    gbearer_emulator: Emulator, name: str, options: dict[str, Any], path: str, answer: dict[str, Any]
) -> None:
    gbearer_emulator.fault({**answer, "match": {"path": path}})
    given: dict[str, Any] = {"credentials": str(gbearer_emulator.dir / name)} if name else {}
    with pytest.raises(Error) as caught:
        mint(gbearer_emulator, tries=1, **given, **options)
    assert type(caught.value) is Unreachable, caught.value
    assert caught.value.code == 7
    text = str(caught.value)
    assert caught.value.fix
    for secret in (TOKEN, "hidden", "ya29.x", "X-Evil: 1\n"):
        assert secret not in text.replace("<secret>", "")
    if "body" in answer or "no_token" in answer:
        assert "the body begins" in text or "what it gave" in text


def test_an_id_token_for_another_audience_is_not_passed_on(gbearer_emulator: Emulator) -> None:
    other = mint(gbearer_emulator, credentials=key(gbearer_emulator), kind="id", audience="https://other.run.app")
    for given, path, name in (
        ({"credentials": key(gbearer_emulator)}, "/token", "id_token"),
        ({"credentials": key(gbearer_emulator), "impersonate": (TARGET,)}, "/v1/projects", "token"),
    ):
        gbearer_emulator.fault({"body": json.dumps({name: other.value}), "match": {"path": path}})
        text = refusal(Unreachable, gbearer_emulator, kind="id", audience=AUDIENCE, **given)
        assert "https://other.run.app" in text


def test_what_a_server_repeats_of_our_secrets_is_blotted_out(gbearer_emulator: Emulator) -> None:
    document = json.loads(gbearer_emulator.user_file.read_text())
    assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJyb2JvdCJ9.c2lnbmF0dXJl"
    for echoed in (document["refresh_token"], assertion, f"client_secret={document['client_secret']}", "ya29.c.abc"):
        for code in ("invalid_grant", "invalid_client", "invalid_request", "strange"):
            for name in ("key.json", "user.json"):
                oauth(gbearer_emulator, code, f"you sent {echoed} to us\r\nX-Evil: 1\x1b[31m")
                with pytest.raises(Error) as caught:
                    mint(gbearer_emulator, credentials=str(gbearer_emulator.dir / name))
                text = str(caught.value)
                assert echoed not in text
                assert "you sent" in text
                assert all(line.isprintable() for line in text.split("\n"))
