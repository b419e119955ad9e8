"""Credential access boundaries: what is taken, what is said of one that is wrong, and the one for a bucket."""

import json
from typing import Any

import pytest

from gbearer import boundary
from gbearer.errors import UsageError

BUCKET = "//storage.googleapis.com/projects/_/buckets/my-bucket"
VIEWER = "inRole:roles/storage.objectViewer"
RULE = {"availableResource": BUCKET, "availablePermissions": [VIEWER]}
IN_FOLDER = {**RULE, "availabilityCondition": {"expression": "resource.name.startsWith('x')", "title": "Folder"}}


def rules(*given: object) -> str:
    return json.dumps({"accessBoundaryRules": given})


def wrong(text: str) -> UsageError:
    """The error for a boundary that is none: it has the file's name, a cause and a remedy."""
    with pytest.raises(UsageError) as caught:
        boundary.canonical(text, "b.json")
    assert caught.value.message.startswith("b.json is")
    assert caught.value.why
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        rules(RULE, IN_FOLDER),
        json.dumps({"accessBoundary": {"accessBoundaryRules": [RULE, IN_FOLDER]}}, indent=4),
        "\ufeff" + rules(RULE, {**IN_FOLDER, "availabilityCondition": IN_FOLDER["availabilityCondition"]}),
        json.dumps(
            {
                "access_boundary": {
                    "access_boundary_rules": [
                        {
                            "available_permissions": [VIEWER],
                            "available_resource": BUCKET,
                            "availability_condition": None,
                        },
                        {
                            "availability_condition": {
                                "description": "",
                                "title": "Folder",
                                "expression": "resource.name.startsWith('x')",
                            },
                            "available_permissions": [VIEWER],
                            "available_resource": BUCKET,
                        },
                    ]
                }
            }
        ),
    ],
    ids=["bare", "as on Google's page", "with a byte order mark", "underscores"],
)
def test_every_spelling_of_one_boundary_is_the_same(text: str) -> None:
    made = boundary.canonical(text, "b.json")
    assert json.loads(made) == {"accessBoundary": {"accessBoundaryRules": [RULE, IN_FOLDER]}}
    assert made == boundary.canonical(rules(RULE, IN_FOLDER), "elsewhere")
    assert boundary.canonical(made, "again") == made
    assert " " not in made.replace("'x')", "")
    assert made.isascii()


@pytest.mark.parametrize(
    "name",
    [
        VIEWER,
        "inRole:roles/storage.legacyBucketReader",
        "inRole:projects/my-project/roles/Readers",
        "inRole:projects/example.com:my-project/roles/Readers",
        "inRole:organizations/123/roles/my.readers_1",
    ],
)
def test_predefined_and_custom_roles(name: str) -> None:
    made = boundary.canonical(rules({**RULE, "availablePermissions": [name]}), "b.json")
    assert json.loads(made)["accessBoundary"]["accessBoundaryRules"][0]["availablePermissions"] == [name]


@pytest.mark.parametrize(
    ("text", "why", "fix"),
    [
        ("", "it is empty", "accessBoundaryRules"),
        ("  \n", "it is empty", "accessBoundaryRules"),
        ('{\n  "accessBoundaryRules": [,]\n}', "line 2, column 27", "accessBoundaryRules"),
        ("{", "line 1, column 2", "accessBoundaryRules"),
        ("[" * 100_000, "nested too deeply", "accessBoundaryRules"),
        (rules(RULE)[:-1] + ', "x": ' + "9" * 5000 + "}", "thousands of digits", "accessBoundaryRules"),
        ("null", "it is null, not an object", "accessBoundaryRules"),
        ("3", "it is a number, not an object", "accessBoundaryRules"),
        ("[]", "it is a bare list", "accessBoundaryRules"),
        ("{}", "it has no rules", "accessBoundaryRules"),
        (rules(), "it has no rules", "accessBoundaryRules"),
        (rules(*[RULE] * 11), "it has 11 rules, and Google takes 10", "join rules"),
        ('{"accessBoundaryRules": {}}', "accessBoundaryRules is an object, not a list", "accessBoundaryRules"),
        ('{"accessBoundary": []}', "accessBoundary: it is a list, not an object", "accessBoundaryRules"),
        (json.dumps({"accessBoundaryRule": [RULE]}), "no field 'accessBoundaryRule'", "write accessBoundaryRules"),
        (json.dumps({"type": "service_account"}), "no field 'type'", "drop 'type'"),
        (
            json.dumps({"accessBoundary": {"accessBoundaryRules": [RULE]}, "accessBoundaryRules": [RULE]}),
            "stands beside",
            "move accessBoundaryRules",
        ),
        (rules(RULE, "x"), "rule 2: it is text, not an object", "accessBoundaryRules"),
        (rules({}), "rule 1: availableResource is missing", f'"availableResource": "{BUCKET[:-9]}BUCKET"'),
        (rules({"availableResource": BUCKET}), "rule 1: availablePermissions is missing", VIEWER),
        (rules({**RULE, "resource": "x"}), "rule 1: there is no field 'resource'", "in rule 1"),
        (rules({**RULE, "available_resource": BUCKET}), "availableResource is there in two spellings", "keep one"),
        (
            '{"accessBoundaryRules": [{"availableResource": "a", "availableResource": "b"}]}',
            "rule 1: 'availableResource' is there twice",
            "keep one",
        ),
        ('{"accessBoundaryRules": [], "accessBoundaryRules": []}', "'accessBoundaryRules' is there twice", "keep one"),
    ],
)
def test_a_file_that_is_no_boundary(text: str, why: str, fix: str) -> None:
    error = wrong(text)
    assert why in error.why
    assert fix.replace("in rule 1", "") in error.fix


@pytest.mark.parametrize(
    ("value", "why", "fix"),
    [
        (3, "is a number, not text", f"{BUCKET[:-9]}BUCKET"),
        ("", "is no bucket's full name", "BUCKET"),
        ("my-bucket", "is no bucket's full name", f"{BUCKET[:-9]}BUCKET"),
        ("gs://my-bucket", "is no bucket's full name", BUCKET),
        ("gs://my-bucket/", "is no bucket's full name", BUCKET),
        ("//storage.googleapis.com/my-bucket", "is no bucket's full name", BUCKET),
        ("//storage.googleapis.com/projects/my-project/buckets/my-bucket", "is no bucket's full name", BUCKET),
        ("//cloudresourcemanager.googleapis.com/projects/p", "is a project: only buckets", "BUCKET"),
        ("//storage.googleapis.com/projects/p", "is a project: only buckets", "BUCKET"),
        (f"{BUCKET}/objects/a/b.txt", "is an object", "startsWith('projects/_/buckets/my-bucket/objects/a/b.txt')"),
        (f"{BUCKET}/objects/it's", "is an object", "objects/it\\'s')"),
        (f"{BUCKET[:-9]}My-Bucket", "have no capitals", BUCKET),
        (f"{BUCKET[:-9]}b", "3 to 63 characters", "BUCKET"),
        (f"{BUCKET[:-9]}-bucket", "begin and end with", "BUCKET"),
        (f"{BUCKET[:-9]}my*", "begin and end with", "BUCKET"),
    ],
)
def test_a_resource_that_is_no_bucket(value: object, why: str, fix: str) -> None:
    error = wrong(rules(RULE, {**RULE, "availableResource": value}))
    assert error.why.startswith("rule 2: availableResource ")
    assert why in error.why
    assert error.fix.startswith("in rule 2 write ")
    assert fix in error.fix


@pytest.mark.parametrize(
    ("value", "why", "fix"),
    [
        (VIEWER, "is text, not a list", f'["{VIEWER}"]'),
        ([], "is empty", f'["{VIEWER}"]'),
        ([3], "holds a number, not text", VIEWER),
        (["roles/storage.objectViewer"], "without inRole:", f'"{VIEWER}"'),
        (["projects/p/roles/R"], "without inRole:", '"inRole:projects/p/roles/R"'),
        (["storage.objects.get"], "the permission 'storage.objects.get', and takes roles alone", VIEWER),
        (["objectViewer"], "'objectViewer', which is no role", VIEWER),
        (["inRole:objectViewer"], "which is no role", VIEWER),
        (["inRole:roles/viewer"], "which is no role", VIEWER),
        (["inRole:roles/"], "which is no role", VIEWER),
        ([VIEWER, "inRole:roles/storage.x y"], "which is no role", VIEWER),
    ],
)
def test_permissions_that_are_no_roles(value: object, why: str, fix: str) -> None:
    error = wrong(rules({**RULE, "availablePermissions": value}))
    assert error.why.startswith("rule 1: availablePermissions ")
    assert why in error.why
    assert fix in error.fix


@pytest.mark.parametrize(
    ("value", "why", "fix"),
    [
        ("x == 'y'", "is text, not an object", '{"expression": "..."}'),
        ([1], "it is a list, not an object", "accessBoundaryRules"),
        ({}, "has no expression", '"expression": '),
        ({"expression": " "}, "has no expression", '"expression": '),
        ({"expression": 1}, "expression is a number, not text", "expression as text"),
        ({"expression": "true", "title": 1}, "title is a number, not text", "title as text"),
        ({"expression": "true", "titel": "x"}, "no field 'titel'", "write title"),
    ],
)
def test_a_condition_that_is_none(value: object, why: str, fix: str) -> None:
    error = wrong(rules(RULE, RULE, {**RULE, "availabilityCondition": value}))
    assert error.why.startswith("rule 3: availabilityCondition")
    assert why in error.why
    assert fix in error.fix


def test_everything_that_is_wrong_is_said_at_once() -> None:
    error = wrong(rules({**RULE, "availableResource": "gs://my-bucket"}, RULE, {**RULE, "availablePermissions": []}))
    assert "rule 1: availableResource" in error.why
    assert "rule 3: availablePermissions" in error.why
    assert "rule 2" not in error.why


def test_google_takes_2048_characters_as_they_are_sent() -> None:
    room = boundary.LONGEST - len(
        json.dumps({"accessBoundaryRules": [{**RULE, "availabilityCondition": {"expression": ""}}]})
    )

    def of(length: int) -> str:
        return rules({**RULE, "availabilityCondition": {"expression": "x" * length}})

    assert len(boundary.canonical(of(room), "b.json")) > 1900
    error = wrong(of(room + 1))
    assert error.message == "b.json is too long for a credential access boundary"
    assert "it has 2049 characters as JSON, and Google takes 2048" in error.why


def rule_of(made: str) -> dict[str, Any]:
    (rule,) = json.loads(made)["accessBoundary"]["accessBoundaryRules"]
    assert boundary.canonical(made, "made") == made
    found: dict[str, Any] = rule
    return found


@pytest.mark.parametrize(
    "role", ["objectViewer", "storage.objectViewer", "roles/storage.objectViewer", "roles/objectViewer", VIEWER]
)
def test_the_boundary_for_a_bucket_and_the_ways_to_name_a_role(role: str) -> None:
    assert rule_of(boundary.for_bucket("my-bucket", None, role)) == RULE


@pytest.mark.parametrize("role", ["projects/p/roles/Readers", "roles/storage.somethingNew", "organizations/1/roles/r"])
def test_a_role_in_full_need_not_be_known(role: str) -> None:
    assert rule_of(boundary.for_bucket("my-bucket", None, role))["availablePermissions"] == [f"inRole:{role}"]


@pytest.mark.parametrize("bucket", ["abc", "a-b_c.d", "1-2", "x" * 63, ".".join(["x" * 55] * 3), "example.com"])
def test_names_of_buckets(bucket: str) -> None:
    assert rule_of(boundary.for_bucket(bucket, None, "admin"))["availableResource"].endswith(f"/buckets/{bucket}")


def test_a_prefix_holds_for_names_and_for_lists() -> None:
    rule = rule_of(boundary.for_bucket("my-bucket", "reports/", "objectViewer"))
    assert rule["availabilityCondition"] == {
        "expression": "resource.name.startsWith('projects/_/buckets/my-bucket/objects/reports/') || "
        "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('reports/')"
    }


@pytest.mark.parametrize(
    ("prefix", "literal"),
    [
        ("it's/", "it\\'s/"),
        ('say "x"/', 'say "x"/'),
        ("back\\slash", "back\\\\slash"),
        ("\\'", "\\\\\\'"),
        ("') || true || ('", "\\') || true || (\\'"),
        ("日本/é", "日本/é"),
        ("a b/%20", "a b/%20"),
    ],
)
def test_a_prefix_with_quotes_stays_one_literal(prefix: str, literal: str) -> None:
    rule = rule_of(boundary.for_bucket("my-bucket", prefix, "objectViewer"))
    expression = rule["availabilityCondition"]["expression"]
    assert expression == (
        f"resource.name.startsWith('projects/_/buckets/my-bucket/objects/{literal}') || "
        f"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('{literal}')"
    )


@pytest.mark.parametrize(
    ("bucket", "prefix", "role", "said", "fix"),
    [
        ("", None, "admin", "it is empty", "--bucket BUCKET"),
        ("gs://my-bucket", None, "admin", "it is an address", "--bucket my-bucket"),
        ("gs://my-bucket/reports", None, "admin", "it is an address", "--bucket my-bucket"),
        ("My-Bucket", None, "admin", "no capitals", "--bucket my-bucket"),
        ("ab", None, "admin", "3 to 63 characters", "--bucket BUCKET"),
        ("x" * 64, None, "admin", "3 to 63 characters", "--bucket BUCKET"),
        ("a..b", None, "admin", "begin and end with", "--bucket BUCKET"),
        ("a'b", None, "admin", "begin and end with", "--bucket BUCKET"),
        ("my-bucket", "", "admin", "would be the whole bucket", "leave --prefix out"),
        ("my-bucket", "/reports/", "admin", "begin without a slash", "--prefix reports/"),
        ("my-bucket", "gs://my-bucket/reports/", "admin", "it is an address", "--prefix reports/"),
        ("my-bucket", "reports/*", "admin", "no pattern", "--prefix reports/"),
        ("my-bucket", "a\nb", "admin", "control character", "--prefix"),
        ("my-bucket", "\udc80", "admin", "control character", "--prefix"),
        ("my-bucket", "é" * 513, "admin", "1024 bytes", "shorter"),
        ("my-bucket", "'" * 400, "admin", "Google takes 2048", "divide"),
        ("my-bucket", None, "", "named short", "objectViewer"),
        ("my-bucket", None, "objectViewr", "named short", "--role objectViewer"),
        ("my-bucket", None, "viewer", "named short", "objectViewer"),
        ("my-bucket", None, "roles/viewer", "named short", "objectViewer"),
        ("my-bucket", None, "storage.objects.get", "named short", "--role"),
    ],
)
def test_a_bucket_a_prefix_or_a_role_that_is_none(
    bucket: str, prefix: str | None, role: str, said: str, fix: str
) -> None:
    with pytest.raises(UsageError) as caught:
        boundary.for_bucket(bucket, prefix, role)
    assert said in caught.value.why
    assert fix in caught.value.fix
