"""Who may act as whom when federated: the default world, roles and their permissions, pools.json, the control hooks."""

import json
from pathlib import Path

import pytest
from urllib3.response import BaseHTTPResponse

from emulator.federated import EVERYBODY, POOL, PRINCIPAL, SUBJECT, federated_token, who
from emulator.hands import CLOUD, LONG, MIDDLE, TARGET, TARGET2, api_error, call, claims_of, good
from gbearer import emulator
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials

SUB = {"google.subject": "assertion.sub"}
USER = "roles/iam.workloadIdentityUser"
CREATOR = "roles/iam.serviceAccountTokenCreator"


def acting(
    em: Emulator, token: str, target: str, verb: str = "generateAccessToken", delegates: list[str] | None = None
) -> BaseHTTPResponse:
    """A call of IAM Credentials in the name of `token`."""
    bodies: dict[str, dict[str, object]] = {
        "generateAccessToken": {"scope": [CLOUD]},
        "generateIdToken": {"audience": "https://x.example", "includeEmail": True},
        "signBlob": {"payload": "eA=="},
        "signJwt": {"payload": "{}"},
    }
    body = {**bodies[verb], **({"delegates": delegates} if delegates else {})}
    return call(em, "POST", f"/v1/projects/-/serviceAccounts/{target}:{verb}", token=token, body=body)


@pytest.mark.parametrize("target", [TARGET, LONG])
def test_a_federated_caller_gets_tokens_of_an_account_directly(em: Emulator, target: str) -> None:
    token = federated_token(em)
    assert who(em, good(acting(em, token, target))["accessToken"])["email"] == target
    claims = claims_of(em, good(acting(em, token, target, "generateIdToken"))["token"])
    assert (claims["email"], claims["aud"]) == (target, "https://x.example")
    callers = {entry["principal"] for entry in em.log() if "/serviceAccounts/" in entry["path"]}
    assert callers == {f"{PRINCIPAL}/{SUBJECT}"}


def test_the_iam_scope_is_enough_and_a_smaller_one_is_not(em: Emulator) -> None:
    good(acting(em, federated_token(em, scope="https://www.googleapis.com/auth/iam"), TARGET))
    answer = acting(em, federated_token(em, scope="https://www.googleapis.com/auth/devstorage.read_only"), TARGET)
    assert api_error(answer) == (403, "PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT")


@pytest.mark.parametrize("verb", ["signBlob", "signJwt"])
def test_a_workload_identity_user_may_not_sign(em: Emulator, verb: str) -> None:
    answer = acting(em, federated_token(em), TARGET, verb)
    assert api_error(answer) == (403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")
    assert answer.json()["error"]["details"][0]["metadata"] == {"permission": f"iam.serviceAccounts.{verb}"}
    em.bind(TARGET, EVERYBODY, role=CREATOR)
    good(acting(em, federated_token(em), TARGET, verb))


@pytest.mark.parametrize("verb", ["generateAccessToken", "generateIdToken"])
def test_without_a_binding_there_is_no_right(em: Emulator, verb: str) -> None:
    answer = acting(em, federated_token(em), MIDDLE, verb)
    assert api_error(answer) == (403, "PERMISSION_DENIED", "IAM_PERMISSION_DENIED")


@pytest.mark.parametrize(
    "member",
    [
        f"{PRINCIPAL}/{SUBJECT}",
        EVERYBODY,
        f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/emulator/allowed",
    ],
)
def test_a_principal_and_the_sets_it_is_in_can_be_bound(em: Emulator, member: str) -> None:
    claims = {"repository": "emulator/allowed"}
    token = federated_token(em, claims, "oidc-condition")
    assert acting(em, token, MIDDLE).status == 403
    em.bind(MIDDLE, member)
    good(acting(em, token, MIDDLE))
    em.unbind(MIDDLE, member)
    assert acting(em, token, MIDDLE).status == 403


@pytest.mark.parametrize(
    "member",
    [
        f"{PRINCIPAL}/{SUBJECT}x",
        EVERYBODY.replace("emulator-pool", "other-pool"),
        f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/other",
        f"principalSet://iam.googleapis.com/{POOL}/group/red",
        f"user:{SUBJECT}",
    ],
)
def test_somebody_elses_binding_is_no_right(em: Emulator, member: str) -> None:
    em.bind(MIDDLE, member)
    token = federated_token(em, {"repository": "emulator/allowed"}, "oidc-condition")
    assert acting(em, token, MIDDLE).status == 403


def test_groups_can_be_bound(em: Emulator) -> None:
    mapping = {"google.subject": "assertion.sub", "google.groups": "assertion.groups"}
    em.provider("groups", {"oidc": {"issuerUri": "https://issuer.emulator.example"}, "attributeMapping": mapping})
    em.bind(MIDDLE, f"principalSet://iam.googleapis.com/{POOL}/group/red")
    good(acting(em, federated_token(em, {"groups": ["red", "blue"]}, "groups"), MIDDLE))
    assert acting(em, federated_token(em, {"groups": ["blue"]}, "groups"), MIDDLE).status == 403


def test_a_reset_takes_bindings_and_providers_back(em: Emulator) -> None:
    em.bind(MIDDLE, EVERYBODY)
    em.unbind(TARGET, EVERYBODY)
    em.provider("extra", {"aws": {"accountId": "123456789012"}})
    token = federated_token(em)
    good(acting(em, token, MIDDLE))
    assert acting(em, token, TARGET).status == 403
    em.reset()
    assert acting(em, token, MIDDLE).status == 403
    good(acting(em, token, TARGET))
    with pytest.raises(KeyError):
        em.subject_token("extra")


def test_a_chain_needs_the_right_of_delegation_at_its_start(em: Emulator) -> None:
    token = federated_token(em)
    em.bind(MIDDLE, EVERYBODY)
    answer = acting(em, token, TARGET2, delegates=[MIDDLE])
    metadata = answer.json()["error"]["details"][0]["metadata"]
    assert metadata == {"permission": "iam.serviceAccounts.implicitDelegation"}
    em.bind(MIDDLE, EVERYBODY, role=CREATOR)
    good(acting(em, token, TARGET2, delegates=[f"projects/-/serviceAccounts/{MIDDLE}"]))


def test_an_id_token_creator_gets_id_tokens_only(em: Emulator) -> None:
    em.bind(MIDDLE, EVERYBODY, role="roles/iam.serviceAccountOpenIdTokenCreator")
    token = federated_token(em)
    good(acting(em, token, MIDDLE, "generateIdToken"))
    assert acting(em, token, MIDDLE).status == 403


def test_bindings_providers_and_subject_tokens_over_http(em: Emulator) -> None:
    binding = {"serviceAccount": MIDDLE, "role": USER, "members": [EVERYBODY]}
    good(call(em, "POST", "/_emulator/bindings", body={"add": [binding]}))
    token = federated_token(em)
    good(acting(em, token, MIDDLE))
    good(call(em, "POST", "/_emulator/bindings", body={"remove": [binding]}))
    assert acting(em, token, MIDDLE).status == 403
    mapping = {"google.subject": "assertion.sub"}
    provider = {"oidc": {"issuerUri": "https://i.example"}, "attributeMapping": mapping}
    made = good(call(em, "POST", "/_emulator/providers", body={"name": "posted", "provider": provider}))
    assert made["audience"] == f"//iam.googleapis.com/{POOL}/providers/posted"
    subject = good(call(em, "POST", "/_emulator/subject-token", body={"provider": "posted", "claims": {"sub": "s"}}))
    assert subject["token"].count(".") == 2
    assert who(em, federated_token(em, {"sub": "s"}, "posted"))["sub"] == "s"
    assert [entry["path"] for entry in em.log() if entry["path"].startswith("/_emulator")] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("bindings", {}),
        ("bindings", []),
        ("bindings", {"add": [{"serviceAccount": MIDDLE, "members": ["robot@x.example"]}]}),
        ("bindings", {"add": [{"serviceAccount": MIDDLE, "members": []}]}),
        ("bindings", {"add": [{"serviceAccount": "middle", "members": [EVERYBODY]}]}),
        ("bindings", {"add": [{"serviceAccount": MIDDLE, "role": "roles/owner", "members": [EVERYBODY]}]}),
        ("bindings", {"grant": []}),
        ("providers", {"provider": {}}),
        ("providers", {"name": "x-y", "provider": {}}),
        ("providers", {"name": "Upper", "provider": {"aws": {"accountId": "123456789012"}}}),
        ("providers", {"name": "xy", "provider": {"aws": {"accountId": "12"}}}),
        ("providers", {"name": "xy", "provider": {"aws": {"accountId": "123456789012"}, "oidc": {}}}),
        ("providers", {"name": "xy", "provider": {"oidc": {"issuerUri": "https://i.example"}}}),
        ("providers", {"name": "xy", "provider": {"oidc": {}, "attributeMapping": SUB}}),
        ("providers", {"name": "xy", "provider": {"saml": {}, "attributeMapping": {"google.subject": "assertion."}}}),
        ("providers", {"name": "xy", "provider": {"saml": {}, "attributeMapping": {**SUB, "x": "'x'"}}}),
        ("subject-token", {"provider": "nobody"}),
        ("subject-token", {"provider": "aws"}),
    ],
)  # fmt: skip
def test_a_change_that_is_not_understood_changes_nothing(em: Emulator, path: str, body: object) -> None:
    answer = call(em, "POST", f"/_emulator/{path}", body=body)
    assert answer.status == 400
    assert answer.json()["error"]
    assert acting(em, federated_token(em), MIDDLE).status == 403


def test_pools_json_is_read_at_the_start_and_never_overwritten(tmp_path: Path) -> None:
    with emulator.running(dir=tmp_path) as em:
        pools = json.loads((em.dir / "pools.json").read_text())
    mapping = {"google.subject": "'team:' + assertion.team"}
    own = {"oidc": {"issuerUri": "https://own.example", "allowedAudiences": ["mine"]}, "attributeMapping": mapping}
    pools["workloadIdentityPools"]["emulator-pool"]["providers"]["own"] = own
    pools["bindings"] = [{"serviceAccount": MIDDLE, "members": [f"{PRINCIPAL}/team:red"]}]
    text = json.dumps(pools)
    (tmp_path / "pools.json").write_text(text)
    with emulator.running(dir=tmp_path) as em:
        token = federated_token(em, {"team": "red"}, "own")
        assert who(em, token)["sub"] == "team:red"
        good(acting(em, token, MIDDLE))
        assert acting(em, token, TARGET).status == 403
    assert (tmp_path / "pools.json").read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"pools": {}}',
        '{"bindings": [7]}',
        '{"workloadIdentityPools": {"p": {}}}',
        '{"aws": {"url": "http://a"}}',
    ],
)
def test_a_pools_json_that_is_not_understood(tmp_path: Path, text: str) -> None:
    (tmp_path / "pools.json").write_text(text)
    with pytest.raises(BadCredentials) as caught, emulator.running(dir=tmp_path):
        pass
    assert str(tmp_path / "pools.json") in caught.value.message


def test_somebody_elses_external_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "external-aws.json"
    path.write_text('{"type": "external_account", "audience": "//iam.googleapis.com/projects/1"}')
    with pytest.raises(BadCredentials, match=r"external-aws\.json"), emulator.running(dir=tmp_path):
        pass
    assert "projects/1" in path.read_text()
