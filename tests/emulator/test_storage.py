"""The storage target with ordinary tokens: objects got, listed, put and deleted, scopes, and Google's refusals."""

import base64
import hashlib
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from emulator.bounded import (
    BUCKET,
    OTHER_BUCKET,
    STORAGE,
    bounded,
    denial,
    insert,
    object_path,
    read,
    rule,
    storage,
)
from emulator.federated import federated_token
from emulator.hands import CLOUD, ROBOT, access_token, assertion, call, good, user_token
from gbearer.emulator import Emulator

A = "customer-a/invoice.txt"
SCOPE = "https://www.googleapis.com/auth/"
READS = ("devstorage.read_only", "devstorage.read_write", "devstorage.full_control", "cloud-platform")
WRITES = READS[1:]


def names(response: Any) -> list[str]:
    """The names in a listing."""
    return [item["name"] for item in good(response).get("items", [])]


def test_an_object_is_described_and_its_data_downloaded(em: Emulator) -> None:
    token = access_token(em)
    about = good(storage(em, "GET", object_path(A), token))
    assert (about["kind"], about["bucket"], about["name"]) == ("storage#object", BUCKET, A)
    assert about["id"] == f"{BUCKET}/{A}/{about['generation']}"
    assert about["selfLink"] == f"https://{STORAGE}/storage/v1/b/{BUCKET}/o/customer-a%2Finvoice.txt"
    paths = (object_path(A, query="alt=media"), f"/download{object_path(A, query='alt=media')}", f"/{BUCKET}/{A}")
    for path in paths:
        answer = storage(em, "GET", path, token)
        assert (answer.status, answer.data) == (200, b"An invoice for customer A.\n")
        assert answer.headers["Content-Type"] == about["contentType"] == "text/plain"
        assert len(answer.data) == int(about["size"])
        digest = base64.b64encode(hashlib.md5(answer.data, usedforsecurity=False).digest()).decode()
        assert (about["md5Hash"], answer.headers["x-goog-hash"]) == (digest, f"md5={digest}")
    assert em.log()[-1]["principal"] == ROBOT


@pytest.mark.parametrize(
    "host", ["", "www.googleapis.com", "storage.mtls.googleapis.com", "storage.us-east1.rep.googleapis.com"]
)
def test_the_json_api_answers_at_each_of_its_addresses(em: Emulator, host: str) -> None:
    answer = call(em, "GET", object_path(A, query="alt=media"), token=access_token(em), host=host)
    assert (answer.status, answer.data) == (200, b"An invoice for customer A.\n")
    assert call(em, "GET", object_path(A), host=host).status == 401


def test_a_listing_can_be_narrowed_folded_and_paged(em: Emulator) -> None:
    token, path = access_token(em), f"/storage/v1/b/{BUCKET}/o"
    everything = names(storage(em, "GET", path, token))
    assert everything == sorted(everything)
    assert {"customer-a/2026/report.csv", A, "customer-b/invoice.txt", "public/hello.txt", "top.txt"} <= set(everything)
    assert names(storage(em, "GET", f"{path}?prefix=customer-a/", token)) == ["customer-a/2026/report.csv", A]
    assert good(storage(em, "GET", f"{path}?prefix=none", token)) == {"kind": "storage#objects"}
    folded = good(storage(em, "GET", f"{path}?delimiter=/", token))
    assert folded["prefixes"] == ["customer-a/", "customer-ab/", "customer-b/", "public/"]
    assert [item["name"] for item in folded["items"]] == ["top.txt"]
    for extra, whole in (("", everything), ("&delimiter=/", [*folded["prefixes"], "top.txt"])):
        seen, page = [], ""
        while True:
            got = good(storage(em, "GET", f"{path}?maxResults=2{extra}&pageToken={page}", token))
            found = got.get("prefixes", []) + [item["name"] for item in got.get("items", [])]
            assert 1 <= len(found) <= 2
            seen += found
            if (page := got.get("nextPageToken", "")) == "":
                break
        assert seen == whole


@pytest.mark.parametrize("query", ["maxResults=0", "maxResults=x", "pageToken=*", "pageToken=_w=="])
def test_a_listing_that_makes_no_sense_is_refused(em: Emulator, query: str) -> None:
    assert denial(storage(em, "GET", f"/storage/v1/b/{BUCKET}/o?{query}", access_token(em)))[0] == 400


def test_an_object_is_put_replaced_and_deleted_and_reset_brings_the_first_day_back(em: Emulator) -> None:
    token, name = access_token(em), "new/ä b+c%.txt"
    made = good(insert(em, token, name, b"one"))
    assert (made["name"], made["size"], made["contentType"]) == (name, "3", "text/plain")
    again = good(insert(em, token, name, b"two!"))
    assert int(again["generation"]) > int(made["generation"])
    assert storage(em, "GET", object_path(name, query="alt=media"), token).data == b"two!"
    assert storage(em, "DELETE", object_path(name), token).status == 204
    assert denial(storage(em, "DELETE", object_path(name), token)) == (404, f"No such object: {BUCKET}/{name}")
    assert storage(em, "DELETE", object_path(A), token).status == 204
    good(insert(em, token, "kept.txt"))
    assert (read(em, token, A), read(em, token, "kept.txt")) == (404, 200)
    em.reset()
    assert (read(em, token, A), read(em, token, "kept.txt")) == (200, 404)


def test_the_xml_form_puts_and_deletes_too(em: Emulator) -> None:
    token, path = access_token(em), f"/{BUCKET}/folder/x.bin"
    body = bytes(range(256)) * 8192  # 2 MiB
    assert storage(em, "PUT", path, token, body, {"Content-Type": "application/x-mine"}).status == 200
    answer = storage(em, "GET", path, token)
    assert (answer.data, answer.headers["Content-Type"]) == (body, "application/x-mine")
    head = storage(em, "HEAD", path, token)
    assert (head.status, head.data, int(head.headers["Content-Length"])) == (200, b"", len(body))
    assert storage(em, "DELETE", path, token).status == 204
    assert storage(em, "GET", path, token).status == 404


def test_an_object_beyond_the_limit_is_refused(em: Emulator) -> None:
    answer = insert(em, access_token(em), "big", bytes(32 * 1024 * 1024 + 1))
    assert answer.status == 413
    assert read(em, access_token(em), "big") == 404


def test_buckets_are_described_and_listed(em: Emulator) -> None:
    token = access_token(em)
    bucket = good(storage(em, "GET", f"/storage/v1/b/{OTHER_BUCKET}", token))
    assert (bucket["kind"], bucket["name"], bucket["projectNumber"]) == ("storage#bucket", OTHER_BUCKET, "123456789012")
    assert names(storage(em, "GET", "/storage/v1/b?project=emulator-project", token)) == [BUCKET, OTHER_BUCKET]


def test_what_is_not_there_is_not_found(em: Emulator) -> None:
    token = access_token(em)
    assert denial(storage(em, "GET", object_path("none"), token)) == (404, f"No such object: {BUCKET}/none")
    missing = (404, "The specified bucket does not exist.")
    assert denial(storage(em, "GET", object_path("x", "nobodys"), token)) == missing
    assert denial(storage(em, "GET", "/storage/v1/b/nobodys", token)) == missing
    assert denial(storage(em, "GET", "/storage/v1/b/nobodys/o", token)) == missing
    assert denial(insert(em, token, "x", bucket="nobodys")) == missing
    for method, path in (
        ("GET", "/storage/v1/nothing"), ("PATCH", object_path(A)), ("GET", f"{object_path(A)}/acl"),
        ("POST", f"/storage/v1/b/{BUCKET}/o"), ("GET", f"/upload{object_path(A)}"),
        ("GET", f"/storage/v1/b/{BUCKET}/acl"),
    ):  # fmt: skip
        assert denial(storage(em, method, path, token))[0] == 404, path


@pytest.mark.parametrize(
    "query",
    [
        *("name=x", "uploadType=multipart&name=x", "uploadType=resumable&name=x", "uploadType=media"),
        *("uploadType=media&name=a%0Ab", f"uploadType=media&name={'n' * 1025}"),
    ],
)
def test_an_upload_that_is_not_understood_is_refused(em: Emulator, query: str) -> None:
    answer = storage(em, "POST", f"/upload/storage/v1/b/{BUCKET}/o?{query}", access_token(em), b"x")
    assert denial(answer)[0] == 400


@pytest.mark.parametrize("scope", [*READS, "cloud-platform.read-only", "userinfo.email", "bigquery"])
def test_a_scope_for_storage_is_needed(em: Emulator, scope: str) -> None:
    token = access_token(em, SCOPE + scope)
    answers = {
        "read": storage(em, "GET", object_path(A), token),
        "list": storage(em, "GET", f"/storage/v1/b/{BUCKET}/o", token),
        "create": insert(em, token, "new.txt"),
        "delete": storage(em, "DELETE", object_path("top.txt"), token),
    }
    allowed = {name for name, answer in answers.items() if answer.status < 300}
    reading = {"read", "list"} if scope in (*READS, "cloud-platform.read-only") else set()
    assert allowed == reading | ({"create", "delete"} if scope in WRITES else set())
    for name in answers.keys() - allowed:
        assert denial(answers[name]) == (403, "Provided scope(s) are not authorized")
        assert 'error="insufficient_scope"' in answers[name].headers["WWW-Authenticate"]


def test_users_federated_identities_and_self_signed_jwts_are_let_in(em: Emulator) -> None:
    own = assertion(em, {"sub": ROBOT, "aud": f"https://{STORAGE}/"})
    narrow = assertion(em, {"sub": ROBOT, "aud": None, "scope": SCOPE + "devstorage.read_only"})
    for token in (user_token(em), federated_token(em), own, narrow):
        assert read(em, token, A) == 200
    assert read(em, assertion(em, {"sub": ROBOT, "aud": "https://bigquery.googleapis.com/"}), A) == 401
    assert insert(em, narrow, "new.txt").status == 403


def test_a_call_without_a_token_or_with_a_bad_one_is_told_so_in_storages_form(em: Emulator) -> None:
    status, message = denial(storage(em, "GET", object_path(A)))
    assert (status, message[:42]) == (401, "Anonymous caller does not have storage.obj")
    token = access_token(em)
    for value in ("junk", token[:-1], "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"):
        answer = storage(em, "GET", object_path(A), value)
        assert denial(answer) == (401, "Invalid Credentials")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert answer.json()["error"]["errors"][0]["reason"] == "authError"
    em.fault({"clock_skew": 3700})
    assert denial(storage(em, "GET", object_path(A), token)) == (401, "Invalid Credentials")


def test_a_project_that_may_not_be_charged_is_refused(em: Emulator) -> None:
    headers = {"x-goog-user-project": "emulator-denied"}
    answer = storage(em, "GET", object_path(A), access_token(em), headers=headers)
    assert denial(answer)[0] == 403


def xml(response: Any) -> tuple[int, str, str]:
    """Status, code and details of a refusal of the XML API."""
    assert response.headers["Content-Type"].startswith("application/xml")
    error = ElementTree.fromstring(response.data)
    assert error.tag == "Error"
    return response.status, error.findtext("Code", ""), error.findtext("Details", "")


def test_the_xml_form_refuses_in_xml(em: Emulator) -> None:
    token = access_token(em)
    path = f"/{BUCKET}/{A}"
    denied = xml(storage(em, "GET", path, bounded(em, token, rule("objectCreator"))))
    assert denied[:2] == (403, "AccessDenied")
    assert "does not have storage.objects.get access" in denied[2]
    assert xml(storage(em, "GET", path, "junk"))[:2] == (401, "AuthenticationRequired")
    assert xml(storage(em, "GET", path, access_token(em, SCOPE + "bigquery")))[:2] == (403, "AccessDenied")
    assert xml(storage(em, "GET", f"/{BUCKET}/a%26b%3C", token)) == (404, "NoSuchKey", f"No such object: {BUCKET}/a&b<")
    assert xml(storage(em, "GET", "/nobodys/x", token))[:2] == (404, "NoSuchBucket")
    assert xml(storage(em, "POST", path, token, b""))[:2] == (404, "InvalidURI")
    assert xml(storage(em, "GET", f"/{BUCKET}", token))[:2] == (404, "InvalidURI")


def test_a_role_that_creates_cannot_replace(em: Emulator) -> None:
    token = bounded(em, access_token(em, CLOUD), rule("objectCreator"))
    good(insert(em, token, "new.txt"))
    status, message = denial(insert(em, token, "new.txt", b"again"))
    assert status == 403
    assert "storage.objects.delete" in message
    assert storage(em, "PUT", f"/{BUCKET}/new.txt", token, b"again").status == 403
    assert storage(em, "GET", object_path("new.txt", query="alt=media"), access_token(em)).data == b"new"
