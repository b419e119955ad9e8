"""Boundary tokens: how one is got and what is refused, what it may do in storage, and that nothing else takes it."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import google.auth.downscoped
import google.auth.transport.requests
import pytest
from google.oauth2 import service_account

from emulator.bounded import (
    BUCKET,
    OTHER_BUCKET,
    RESOURCE,
    ROLE,
    bounded,
    denial,
    downscope,
    insert,
    listing,
    object_path,
    read,
    rule,
    storage,
    under,
)
from emulator.federated import TYPE, exchange, federated_token, introspected
from emulator.hands import (
    CLOUD,
    ROBOT,
    TARGET,
    access_token,
    api_error,
    call,
    good,
    id_token,
    oauth_error,
    user_file,
    user_token,
)
from gbearer import emulator
from gbearer.emulator import Emulator

A = "customer-a/invoice.txt"
B = "customer-b/invoice.txt"
HOST = "sts.googleapis.com"


# --- the exchange


def test_an_access_token_becomes_a_boundary_token_without_a_life_of_its_own(em: Emulator) -> None:
    answer = downscope(em, access_token(em), {"accessBoundaryRules": [rule()]})
    got = good(answer)
    assert got["access_token"].startswith("ya29.dr.")
    assert {name: got[name] for name in got if name != "access_token"} == {
        "issued_token_type": f"{TYPE}access_token",
        "token_type": "Bearer",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    entry = em.log()[-1]
    assert (entry["principal"], entry["boundary"], entry["host"]) == (ROBOT, [BUCKET], HOST)
    assert got["access_token"] not in json.dumps(em.log())


@pytest.mark.parametrize("encode", [str, quote, lambda text: quote(text, safe="")], ids=["once", "twice", "wholly"])
def test_options_may_be_encoded_once_more(em: Emulator, encode: Callable[[str], str]) -> None:
    options = encode(json.dumps({"accessBoundary": {"accessBoundaryRules": [rule(expression=under("customer-a/"))]}}))
    token = good(downscope(em, access_token(em), None, {"options": options}))["access_token"]
    assert (read(em, token, A), read(em, token, B)) == (200, 403)


def test_a_boundary_near_the_limit_passes_although_encoding_makes_it_longer(em: Emulator) -> None:
    expression = under("customer-a/")
    boundary = {"accessBoundaryRules": [rule(expression=expression)]}
    room = 2048 - len(json.dumps(boundary, separators=(",", ":"))) - len(',"title":""')
    boundary["accessBoundaryRules"][0]["availabilityCondition"]["title"] = "t" * room
    options = quote(json.dumps({"accessBoundary": boundary}), safe="")
    assert good(downscope(em, access_token(em), None, {"options": options}))
    boundary["accessBoundaryRules"][0]["availabilityCondition"]["title"] += "t"
    status, error, said = oauth_error(downscope(em, access_token(em), boundary))
    assert (status, error) == (400, "invalid_request")
    assert "more than 2048 characters" in said


@pytest.mark.parametrize("source", [access_token, user_token, federated_token], ids=["account", "user", "federated"])
def test_each_kind_of_access_token_can_be_a_source(em: Emulator, source: Callable[[Emulator], str]) -> None:
    token = bounded(em, source(em), rule())
    assert (read(em, token, A), read(em, token, A, OTHER_BUCKET)) == (200, 403)


def test_it_ends_when_its_source_ends(em: Emulator) -> None:
    answer = call(
        em, "POST", f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken", token=access_token(em),
        body={"scope": [CLOUD], "lifetime": "600s"},
    )  # fmt: skip
    source = good(answer)["accessToken"]
    token = bounded(em, source, rule())
    em.fault({"clock_skew": 590})
    assert read(em, token, A) == 200
    em.fault({"clock_skew": 610})
    assert read(em, token, A) == 401
    assert oauth_error(downscope(em, source, {"accessBoundaryRules": [rule()]})) == (
        400, "invalid_grant", "The subject token has expired."
    )  # fmt: skip


def test_revoking_the_users_consent_ends_boundary_tokens_too(em: Emulator) -> None:
    token = bounded(em, user_token(em), rule())
    assert read(em, token, A) == 200
    refused = call(em, "POST", "/revoke", form={"token": token})
    assert oauth_error(refused) == (400, "invalid_token", "Token is not revocable.")
    assert read(em, token, A) == 200
    good(call(em, "POST", "/revoke", form={"token": user_file(em)["refresh_token"]}))
    assert read(em, token, A) == 401


def test_it_outlives_a_restart_with_its_boundary(tmp_path: Any) -> None:
    with emulator.running(dir=tmp_path / "dir") as first:
        token = bounded(first, access_token(first), rule(expression=under("customer-a/")))
    with emulator.running(dir=tmp_path / "dir") as second:
        assert (read(second, token, A), read(second, token, B)) == (200, 403)
        assert second.log()[0]["principal"] == ROBOT


@pytest.mark.parametrize("source", ["", "junk", "ya29.c.unknown", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"])
def test_a_source_that_is_no_access_token_is_refused(em: Emulator, source: str) -> None:
    status, error, _ = oauth_error(downscope(em, source, {"accessBoundaryRules": [rule()]}))
    assert (status, error) == (400, "invalid_grant" if source else "invalid_request")


def test_an_id_token_and_a_boundary_token_are_no_sources(em: Emulator) -> None:
    for source in (id_token(em, "https://x.example"), bounded(em, access_token(em), rule())):
        assert oauth_error(downscope(em, source, {"accessBoundaryRules": [rule()]}))[:2] == (400, "invalid_grant")


@pytest.mark.parametrize("name", ["audience", "scope"])
def test_audience_and_scope_must_be_absent(em: Emulator, name: str) -> None:
    answer = downscope(em, access_token(em), {"accessBoundaryRules": [rule()]}, {name: CLOUD})
    status, error, said = oauth_error(answer)
    assert (status, error) == (400, "invalid_request")
    assert f'"{name}"' in said


def test_a_boundary_is_for_access_tokens_alone(em: Emulator) -> None:
    options = json.dumps({"accessBoundary": {"accessBoundaryRules": [rule()]}})
    status, error, said = oauth_error(exchange(em, em.subject_token(), changes={"options": options}))
    assert (status, error) == (400, "invalid_request")
    assert "accessBoundary" in said


@pytest.mark.parametrize("options", ["", "{}", '{"accessBoundary"', "[]", "null", "[" * 3000], ids=str)
def test_options_without_a_boundary_are_refused(em: Emulator, options: str) -> None:
    answer = downscope(em, access_token(em), None, {"options": options})
    assert oauth_error(answer)[:2] == (400, "invalid_request")


def changed(**fields: object) -> dict[str, Any]:
    """One rule, changed; a field of None is left out."""
    return {name: value for name, value in {**rule(), **fields}.items() if value is not None}


def conditioned(condition: object) -> dict[str, Any]:
    """A rule with a condition."""
    return changed(availabilityCondition=condition)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "between 1 and 10 rules"),
        ([rule()] * 11, "between 1 and 10 rules"),
        ({}, "between 1 and 10 rules"),
        (None, "between 1 and 10 rules"),
        ([rule(), "rule"], "accessBoundaryRules[1]: an object"),
        ([changed(availableResource=None)], "availableResource"),
        ([changed(availableResource=f"gs://{BUCKET}")], "availableResource"),
        ([changed(availableResource=f"//storage.googleapis.com/projects/p/buckets/{BUCKET}")], "projects/_/buckets"),
        ([changed(availableResource=f"{RESOURCE}{BUCKET}/objects/x")], "availableResource"),
        ([changed(availableResource="//bigquery.googleapis.com/projects/p/datasets/d")], "availableResource"),
        ([changed(availableResource=7)], "availableResource"),
        ([changed(availablePermissions=None)], "availablePermissions"),
        ([changed(availablePermissions=[])], "availablePermissions"),
        ([changed(availablePermissions="inRole:roles/storage.objectViewer")], "availablePermissions"),
        ([changed(availablePermissions=["roles/storage.objectViewer"])], "inRole:roles/ROLE"),
        ([changed(availablePermissions=["storage.objects.get"])], "inRole:roles/ROLE"),
        ([changed(availablePermissions=["inRole:roles/storage.objectReader"])], "none of Cloud Storage's"),
        ([changed(availablePermissions=["inRole:roles/owner"])], "none of Cloud Storage's"),
        ([changed(availablePermissions=["inRole:projects/p/roles/mine"])], "custom role projects/p/roles/mine"),
        ([changed(availablePermissions=["inRole:organizations/1/roles/mine"])], "custom role"),
        ([changed(availablePermissions=[ROLE + "objectViewer", 7])], "inRole:roles/ROLE"),
        ([changed(available_resource="x")], "unknown name 'available_resource'"),
        ([conditioned("resource.name == 'x'")], "an object is needed"),
        ([conditioned({})], "an expression is needed"),
        ([conditioned({"title": "t"})], "an expression is needed"),
        ([conditioned({"expression": 7})], "text"),
        ([conditioned({"expression": "resource.name == 'x'", "text": "x"})], "unknown name 'text'"),
    ],
)
def test_a_rule_that_is_not_understood_is_refused_by_its_name(em: Emulator, rules: object, said: str) -> None:
    status, error, text = oauth_error(downscope(em, access_token(em), {"accessBoundaryRules": rules}))
    assert (status, error) == (400, "invalid_request")
    assert said in text


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("true", "'resource' or 'api'"),
        ("resource.name", "in place of the end"),
        ("resource.labels == 'x'", "'name' or 'type' or 'service'"),
        ("resource.name.matches('x')", "'startsWith' or 'endsWith'"),
        ("resource.name.extract('x/{y}') == 'x'", "'startsWith' or 'endsWith'"),
        ("resource.name.startsWith(7)", "cannot be read"),
        ("resource.name.startsWith('x'", "')' is wanted in place of the end"),
        ("resource.name.startsWith('x') resource", "was not expected"),
        ("resource.name == 'x' &&", "in place of the end"),
        ("resource.name in ['x']", "cannot be read"),
        ("resource.name < 'x'", "cannot be read"),
        ("request.time < timestamp('2030-01-01T00:00:00Z')", "cannot be read"),
        ("request.path == 'x'", "'resource' or 'api'"),
        ("api.getAttribute('storage.googleapis.com/objectListPrefix').startsWith('x')", "',' is wanted"),
        ("api.getAttribute('storage.googleapis.com/prefix', '') == 'x'", "unknown"),
        ("api.getAttribute(resource.name, '') == 'x'", "a string is wanted"),
        ("resource.name == 'x", "cannot be read"),
        (r"resource.name == '\q'", "escape"),
        (r"resource.name == '\ud800'", "no character"),
        ("(" * 40 + "resource.name == 'x'" + ")" * 40, "nested"),
        ("!" * 900 + "(resource.name == 'x')", "nested"),
    ],
)
def test_an_expression_beyond_the_documented_forms_is_refused(em: Emulator, expression: str, said: str) -> None:
    boundary = {"accessBoundaryRules": [rule(), rule(expression=expression)]}
    status, error, text = oauth_error(downscope(em, access_token(em), boundary))
    assert (status, error) == (400, "invalid_request")
    assert text.startswith("Invalid value for options.accessBoundary.accessBoundaryRules[1].availabilityCondition.")
    assert said in text


# --- what it may do

GET, LIST, CREATE, REPLACE, DELETE, BUCKET_GET, BUCKETS = "get", "list", "create", "replace", "delete", "bucket", "all"
READER = {GET, LIST}
EVERYTHING = {GET, LIST, CREATE, REPLACE, DELETE}
WRITER = {LIST, CREATE, REPLACE, DELETE, BUCKET_GET}


def done(em: Emulator, token: str) -> set[str]:
    """What the token may do in the bucket, by trying each; every refusal must be of storage's form."""
    answers = {
        GET: storage(em, "GET", object_path(A), token),
        LIST: storage(em, "GET", f"/storage/v1/b/{BUCKET}/o", token),
        CREATE: insert(em, token, "made.txt"),
        REPLACE: insert(em, token, "top.txt"),
        BUCKET_GET: storage(em, "GET", f"/storage/v1/b/{BUCKET}", token),
        BUCKETS: storage(em, "GET", "/storage/v1/b", token),
        DELETE: storage(em, "DELETE", object_path(B), token),
    }
    assert {denial(answer)[0] for answer in answers.values() if answer.status >= 300} <= {403}
    return {name for name, answer in answers.items() if answer.status < 300}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("objectViewer", READER),
        ("objectCreator", {CREATE}),
        ("objectUser", EVERYTHING),
        ("objectAdmin", EVERYTHING),
        ("admin", EVERYTHING | {BUCKET_GET}),
        ("legacyBucketReader", {LIST, BUCKET_GET}),
        ("legacyBucketWriter", WRITER),
        ("legacyBucketOwner", WRITER),
        ("legacyObjectReader", {GET}),
        ("legacyObjectOwner", {GET}),
        ("bucketViewer", {BUCKET_GET}),
    ],
)
def test_a_role_allows_what_it_says_and_no_more(em: Emulator, role: str, allowed: set[str]) -> None:
    source = access_token(em)
    assert done(em, bounded(em, source, rule(role))) == allowed
    em.reset()
    assert done(em, source) == EVERYTHING | {BUCKET_GET, BUCKETS}


def test_the_scope_of_the_source_still_counts(em: Emulator) -> None:
    narrow = access_token(em, "https://www.googleapis.com/auth/devstorage.read_only")
    assert done(em, bounded(em, narrow, rule("objectAdmin"))) == READER
    elsewhere = access_token(em, "https://www.googleapis.com/auth/userinfo.email")
    assert done(em, bounded(em, elsewhere, rule("objectAdmin"))) == set()


def test_one_bucket_and_one_prefix_are_allowed_and_nothing_else(em: Emulator) -> None:
    token = bounded(em, access_token(em), rule(expression=under("customer-a/")))
    assert [read(em, token, name) for name in (A, "customer-a/2026/report.csv", "customer-a/none")] == [200, 200, 404]
    assert [read(em, token, name) for name in (B, "customer-ab/note.txt", "top.txt", "customer-a", "none")] == [403] * 5
    assert read(em, token, A, OTHER_BUCKET) == 403
    assert [listing(em, token, prefix) for prefix in ("customer-a/", "customer-a/2026")] == [200, 200]
    assert [listing(em, token, prefix) for prefix in (None, "", "customer-a", "customer-b/", "customer-ab/")] == [
        403
    ] * 5
    assert listing(em, token, "customer-a/", OTHER_BUCKET) == 403
    assert insert(em, token, "customer-a/new.txt").status == 403
    message = f"{ROBOT} does not have storage.objects.get access to the Google Cloud Storage object. Permission "
    message += "'storage.objects.get' denied on resource (or it may not exist)."
    assert denial(storage(em, "GET", object_path(B), token)) == (403, message)


def test_rules_add_up(em: Emulator) -> None:
    token = bounded(
        em, access_token(em),
        rule(expression=under("customer-a/")), rule(expression=under("public/")), rule("objectCreator", OTHER_BUCKET),
    )  # fmt: skip
    assert [read(em, token, name) for name in (A, "public/hello.txt", B)] == [200, 200, 403]
    assert insert(em, token, "new.txt", bucket=OTHER_BUCKET).status == 200
    assert read(em, token, "new.txt", OTHER_BUCKET) == 403


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        (f"resource.name == 'projects/_/buckets/{BUCKET}/objects/{A}'", {A}),
        (f"'projects/_/buckets/{BUCKET}/objects/{A}' == resource.name", {A}),
        (f'resource.name != "projects/_/buckets/{BUCKET}/objects/{A}"', {B, "top.txt"}),
        ("resource.name.endsWith('invoice.txt')", {A, B}),
        ("!resource.name.endsWith('invoice.txt')", {"top.txt"}),
        ("resource.type == 'storage.googleapis.com/Object'", {A, B, "top.txt"}),
        ("resource.type == 'storage.googleapis.com/Bucket'", set()),
        ("resource.service == 'storage.googleapis.com' && resource.name.endsWith('top.txt')", {"top.txt"}),
        ("resource.name.endsWith('x') || resource.name.endsWith('txt') && !resource.name.endsWith('p.txt')", {A, B}),
        (
            "(resource.name.endsWith('a') || resource.name.endsWith('txt')) && resource.name.endsWith('p.txt')",
            {"top.txt"},
        ),
        (rf"resource.name == 'projects/_/buckets/{BUCKET}/objects/customer\x2da\u002finvoice\056txt'", {A}),
        (r"resource.name.endsWith(r'\x74.txt')", set()),
        ("api.getAttribute('storage.googleapis.com/objectListPrefix', 'none') == 'none'", {A, B, "top.txt"}),
        ("api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('customer')", set()),
    ],
)
def test_expressions_mean_what_they_say(em: Emulator, expression: str, allowed: set[str]) -> None:
    token = bounded(em, access_token(em), rule(expression=expression))
    assert {name for name in (A, B, "top.txt") if read(em, token, name) == 200} == allowed


# --- where it is refused


@pytest.mark.parametrize(
    ("method", "path", "host"),
    [
        ("GET", "/v1/protected", ""),
        ("GET", "/bigquery/v2/projects", "bigquery.googleapis.com"),
        ("GET", "/v1/projects/emulator-project", "cloudresourcemanager.googleapis.com"),
        ("POST", f"/v1/projects/-/serviceAccounts/{TARGET}:generateAccessToken", "iamcredentials.googleapis.com"),
        ("POST", f"/v1/projects/-/serviceAccounts/{TARGET}:generateIdToken", "iamcredentials.googleapis.com"),
        ("GET", f"/v1/projects/-/serviceAccounts/{ROBOT}/allowedLocations", "iamcredentials.googleapis.com"),
    ],
)
def test_no_other_api_takes_it(em: Emulator, method: str, path: str, host: str) -> None:
    source = access_token(em)
    token = bounded(em, source, rule("admin"))
    body = {"scope": [CLOUD], "audience": "https://x.example"} if method == "POST" else None
    good(call(em, method, path, token=source, host=host, body=body))
    refused = call(em, method, path, token=token, host=host, body=body)
    assert api_error(refused) == (403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")


def test_nobody_is_told_about_it(em: Emulator) -> None:
    token = bounded(em, user_token(em), rule())
    assert call(em, "GET", "/v1/userinfo", token=token).status == 401
    assert oauth_error(call(em, "GET", f"/tokeninfo?access_token={token}")) == (400, "invalid_token", "Invalid Value")
    assert introspected(em, bounded(em, federated_token(em), rule())) == {"active": False}
    assert call(em, "GET", "/functions/f", token=token).status == 401


# --- a client that is not ours


class AtTheEmulator(google.auth.transport.requests.Request):
    """google-auth's own transport; what is for Google's hosts goes to the emulator, with the host's name."""

    def __init__(self, em: Emulator) -> None:
        super().__init__()
        self.url = em.url

    def __call__(
        self, url: Any, method: Any = "GET", body: Any = None, headers: Any = None, timeout: Any = 15, **kwargs: Any
    ) -> Any:
        _, _, host, path = url.split("/", 3)
        if host.endswith(".googleapis.com"):
            url, headers = f"{self.url}/{path}", {**(headers or {}), "Host": host}
        return super().__call__(url, method, body, headers, timeout, **kwargs)  # type: ignore[no-untyped-call]


def test_googles_library_downscopes_and_copes_without_expires_in(em: Emulator) -> None:
    condition = google.auth.downscoped.AvailabilityCondition(under("customer-a/"), "title", "description")
    one = google.auth.downscoped.AccessBoundaryRule(RESOURCE + BUCKET, [ROLE + "objectViewer"], condition)
    boundary = google.auth.downscoped.CredentialAccessBoundary([one])
    source = service_account.Credentials.from_service_account_file(str(em.key_file), scopes=[CLOUD])
    credentials = google.auth.downscoped.Credentials(source, boundary)
    request = AtTheEmulator(em)
    credentials.refresh(request)
    request.session.close()
    assert credentials.expiry == source.expiry
    assert credentials.valid
    assert credentials.token
    assert [read(em, credentials.token, name) for name in (A, B)] == [200, 403]
    assert listing(em, credentials.token, "customer-a/") == 200
    assert {entry["principal"] for entry in em.log()} == {ROBOT}
