"""Federation by the real road: every file of the emulator, one right and no more calls than it takes, every refusal."""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from exchange.hands import AUDIENCE, CLOUD, LONG, MIDDLE, ROBOT, TARGET, TARGET2, call, mint, refusal, served
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, Denied, UsageError
from gbearer.model import Ask
from sources.external.hands import platform

POOL = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
TYPE = "urn:ietf:params:oauth:token-type:"
ALLOW = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1", "PATH": os.environ["PATH"]}
KINDS = {
    "file": [],
    "url": [("oidc", 200)],
    "executable": [],
    "saml": [],
    "x509": [],
}
"""Each kind of file, and the requests before the exchange."""
STS, ACT, SPEAK = ("token", 200), ("generateAccessToken", 200), ("generateIdToken", 200)


@pytest.fixture
def em(gbearer_emulator: Emulator) -> Emulator:
    return gbearer_emulator


def file(em: Emulator, kind: str, *, acting: bool = False) -> dict[str, Any]:
    name = f"external-{kind}{'-impersonated' if acting else ''}.json"
    return {"credentials": str(em.dir / name), "env": ALLOW}


def federation(em: Emulator, tmp_path: Path, token: str | None = None, **more: object) -> dict[str, Any]:
    """Options for a federation file whose subject token is `token`; `more` are its fields, None leaves one out."""
    (tmp_path / "token").write_text(em.subject_token() if token is None else token)
    document = json.loads((em.dir / "external-file.json").read_text())
    document |= {"credential_source": {"file": str(tmp_path / "token")}, **more}
    path = tmp_path / "federation.json"
    path.write_text(json.dumps({name: value for name, value in document.items() if value is not None}))
    return {"credentials": str(path)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_federated_token_is_accepted_as_it_is(em: Emulator, kind: str) -> None:
    token = mint(em, **file(em, kind))
    assert served(em) == [*KINDS[kind], STS]
    entry = em.log()[-1]
    assert (entry["grant_type"], entry["scope"]) == ("urn:ietf:params:oauth:grant-type:token-exchange", CLOUD)
    assert token.scopes == (CLOUD,)
    status, body = call(em, f"/v1/protected?scope={CLOUD}", token)
    assert status == 200
    assert body["caller"]["principal"].startswith(f"principal://iam.googleapis.com/{POOL}/subject/")
    assert entry["principal"] == body["caller"]["principal"]


@pytest.mark.parametrize("kind", KINDS)
def test_acting_as_the_account_in_the_file(em: Emulator, kind: str) -> None:
    token = mint(em, **file(em, kind, acting=True))
    assert served(em) == [*KINDS[kind], STS, ACT]
    assert token.principal == TARGET
    assert call(em, "/v1/protected", token)[1]["caller"]["email"] == TARGET


@pytest.mark.parametrize("kind", KINDS)
def test_an_id_token_takes_one_right_and_one_call_more(em: Emulator, kind: str) -> None:
    """The federated token asks for the ID token itself: no access token of the account in between."""
    audience = f"{em.url}/functions/hello"
    token = mint(em, kind="id", audience=audience, **file(em, kind, acting=True))
    assert served(em) == [*KINDS[kind], STS, SPEAK]
    assert token.principal == TARGET
    assert call(em, "/functions/hello", token)[0] == 200


@pytest.mark.parametrize("kind", ["access", "id"])
def test_acting_as_the_account_of_the_option(em: Emulator, kind: str) -> None:
    audience = AUDIENCE if kind == "id" else None
    token = mint(em, kind=kind, impersonate=(TARGET,), audience=audience, **file(em, "file"))
    assert token.principal == TARGET
    assert served(em) == [STS, SPEAK if kind == "id" else ACT]


def test_one_federated_token_serves_every_audience_and_account(em: Emulator, tmp_path: Path) -> None:
    env = {"GBEARER_EMULATOR_HOST": em.host, "GBEARER_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    path = str(em.dir / "external-file-impersonated.json")

    def get(**options: Any) -> None:
        Broker(env).get(Ask(credentials=path, **options))  # a broker of its own: what is shared is on disk

    get()
    assert served(em) == [STS, ACT]
    get(kind="id", audience="https://one.example")
    get(kind="id", audience="https://two.example")
    get(scopes=("https://www.googleapis.com/auth/devstorage.read_only",))
    assert served(em) == [STS, ACT, SPEAK, SPEAK, ACT]
    get()
    assert len(em.log()) == 5


def test_a_rotated_subject_token_changes_nothing_and_another_subject_everything(em: Emulator, tmp_path: Path) -> None:
    env = {"GBEARER_EMULATOR_HOST": em.host, "GBEARER_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    values = []
    for claims in ({}, {"jti": "second"}, {"sub": "another"}):
        options = federation(em, tmp_path, em.subject_token(claims=claims))
        values.append(Broker(env).get(Ask(**options)).value)
    assert values[0] == values[1] != values[2]
    assert served(em) == [STS, STS]


def test_the_lifetime_is_the_files_unless_one_is_asked_for(em: Emulator, tmp_path: Path) -> None:
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{LONG}:generateAccessToken"
    acting: dict[str, Any] = {
        "service_account_impersonation_url": url,
        "service_account_impersonation": {"token_lifetime_seconds": 7200},
        "quota_project_id": "charged",
    }
    options = federation(em, tmp_path, **acting)
    assert 7190 < mint(em, **options).expires_in() <= 7200
    assert 890 < mint(em, lifetime=900, **options).expires_in() <= 900
    env = {"GBEARER_EMULATOR_HOST": em.host, "GBEARER_CACHE": "off", "HOME": "/nowhere"}
    assert Broker(env).get(Ask(**options)).quota_project == "charged"


def test_the_files_lifetime_is_not_for_another_account(em: Emulator, tmp_path: Path) -> None:
    options = federation(em, tmp_path, service_account_impersonation={"token_lifetime_seconds": 900})
    assert 3500 < mint(em, impersonate=(TARGET,), **options).expires_in() <= 3600


def test_a_lifetime_needs_an_account(em: Emulator) -> None:
    assert "add --impersonate" in refusal(UsageError, em, lifetime=900, **file(em, "file"))
    assert served(em) == []


def test_scopes_go_to_the_token_service(em: Emulator) -> None:
    scope = "https://www.googleapis.com/auth/devstorage.read_only"
    assert mint(em, scopes=(scope,), **file(em, "file")).scopes == (scope,)
    assert em.log()[-1]["scope"] == scope


def test_a_workforce_says_whom_to_charge(em: Emulator, tmp_path: Path) -> None:
    audience = "//iam.googleapis.com/locations/global/workforcePools/emulator-workforce/providers/oidc"
    token = em.subject_token(claims={"aud": f"https:{audience}"})
    options = federation(em, tmp_path, token, audience=audience, workforce_pool_user_project="my-project")
    mint(em, **options)
    assert em.log()[-1]["user_project"] == "my-project"
    options = federation(em, tmp_path, token, audience=audience, workforce_pool_user_project="emulator-denied")
    text = refusal(Denied, em, **options)
    assert "emulator-denied" in text
    assert "serviceUsageConsumer" in text


def test_an_oauth_client_is_told_by_basic_and_replaces_the_project(em: Emulator, tmp_path: Path) -> None:
    client = json.loads(em.user_file.read_text())
    audience = "//iam.googleapis.com/locations/global/workforcePools/emulator-workforce/providers/oidc"
    options = federation(
        em,
        tmp_path,
        em.subject_token(claims={"aud": f"https:{audience}"}),
        audience=audience,
        workforce_pool_user_project="my-project",
        client_id=client["client_id"],
        client_secret=client["client_secret"],
    )
    mint(em, **options)
    assert "user_project" not in em.log()[-1]
    wrong = json.loads(Path(options["credentials"]).read_text()) | {"client_secret": "wrong"}
    Path(options["credentials"]).write_text(json.dumps(wrong))
    assert "check client_id and client_secret" in refusal(BadCredentials, em, **options)


def provider(name: str) -> str:
    return f"//iam.googleapis.com/{POOL}/providers/{name}"


def test_a_provider_that_is_disabled_or_not_there(em: Emulator, tmp_path: Path) -> None:
    for name in ("oidc-disabled", "nobody"):
        text = refusal(BadCredentials, em, **federation(em, tmp_path, audience=provider(name)))
        assert f"describe {name} --workload-identity-pool=emulator-pool --location=global" in text
        assert "--project=123456789012" in text


def test_a_condition_that_turns_away(em: Emulator, tmp_path: Path) -> None:
    audience = provider("oidc-condition")
    for repository, good in (("emulator/allowed", True), ("emulator/Allowed", False)):
        token = em.subject_token("oidc-condition", {"repository": repository})
        options = federation(em, tmp_path, token, audience=audience)
        if good:
            mint(em, **options)
            continue
        text = refusal(Denied, em, **options)
        assert "rejected by the attribute condition" in text
        assert "subject system:serviceaccount:default:emulator-workload" in text
        assert "attributeCondition" in text


def test_a_subject_that_is_too_long_tells_both_lengths(em: Emulator, tmp_path: Path) -> None:
    token = em.subject_token(claims={"sub": "s" * 140})
    text = refusal(BadCredentials, em, **federation(em, tmp_path, token))
    assert "it has 140 bytes, and Google takes 127" in text
    assert "attributeMapping" in text


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": "https://elsewhere.example"}, ["another issuer", "issuer https://elsewhere.example", "issuerUri"]),
        ({"aud": "https://elsewhere.example"}, ["another audience", "audience https://elsewhere", "allowedAudiences"]),
        ({"iat": 1, "exp": 3601}, ["has ended"]),
        ({"iat": 4102444800, "exp": 4102448400}, ["because of its time"]),
        ({"sub": None}, ["refuses the subject token"]),
    ],
    ids=["issuer", "audience", "ended", "future", "no subject"],
)
def test_a_subject_token_that_the_provider_does_not_take(
    em: Emulator, tmp_path: Path, claims: dict[str, object], said: list[str]
) -> None:
    text = refusal(BadCredentials, em, **federation(em, tmp_path, em.subject_token(claims=claims)))
    for part in said:
        assert part in text


@pytest.mark.parametrize(
    ("code", "text", "kind", "said"),
    [
        (
            "invalid_grant",
            "Error connecting to the given credential's issuer.",
            BadCredentials,
            "cannot fetch the keys of the issuer",
        ),
        (
            "invalid_request",
            'Invalid value for "audience". This value should be the full resource name of the Identity Provider.',
            BadCredentials,
            "names no provider that Google could know",
        ),
        (
            "FAILED_PRECONDITION",
            "Precondition check failed: constraints/iam.workloadIdentityPoolProviders",
            Denied,
            "a rule of the organisation forbids this provider",
        ),
        ("invalid_scope", "Bad scope.", UsageError, "correct --scope"),
    ],
)
def test_refusals_that_only_google_gives(em: Emulator, code: str, text: str, kind: Any, said: str) -> None:
    body = {"error": code, "error_description": text}
    em.fault({"match": {"path": "/v1/token"}, "status": 400, "body": json.dumps(body)})
    assert said in refusal(kind, em, **file(em, "file"))


@pytest.mark.parametrize("kind", ["access", "id"])
def test_the_right_that_is_missing_is_printed_and_is_enough(em: Emulator, kind: str) -> None:
    """The very line of the error, applied to the emulator, makes the same command work."""
    audience = {"audience": AUDIENCE} if kind == "id" else {}
    options = {"kind": kind, "impersonate": (ROBOT,), **audience, **file(em, "file")}
    text = refusal(Denied, em, **options)
    assert "this identity may not" in text
    line = next(each for each in text.splitlines() if "add-iam-policy-binding" in each)
    words = shlex.split(line.partition("fix: ")[2])
    assert words[:5] == ["gcloud", "iam", "service-accounts", "add-iam-policy-binding", ROBOT]
    given = dict(word.removeprefix("--").split("=", 1) for word in words[5:])
    assert given["role"] == "roles/iam.workloadIdentityUser"
    em.bind(ROBOT, given["member"], role=given["role"])
    assert mint(em, **options).principal == ROBOT


def test_a_github_repository_is_offered_as_a_set(em: Emulator, tmp_path: Path) -> None:
    token = em.subject_token("github", {"repository": "octo/repo", "repository_owner": "octo"})
    options = federation(em, tmp_path, token, audience=provider("github"))
    text = refusal(Denied, em, impersonate=(ROBOT,), **options)
    sets = re.findall(r"principalSet://\S+", text)
    assert sets[0] == f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/octo/repo"
    em.bind(ROBOT, sets[0])
    assert mint(em, impersonate=(ROBOT,), **options).principal == ROBOT


def test_a_chain_behind_a_federation_names_each_link(em: Emulator) -> None:
    text = refusal(Denied, em, impersonate=(MIDDLE, ROBOT), **file(em, "file"))
    assert f"add-iam-policy-binding {MIDDLE} --role=roles/iam.workloadIdentityUser" in text
    assert f"add-iam-policy-binding {ROBOT} --member=serviceAccount:{MIDDLE}" in text
    em.bind(MIDDLE, f"principalSet://iam.googleapis.com/{POOL}/*", role="roles/iam.serviceAccountTokenCreator")
    assert mint(em, impersonate=(MIDDLE, TARGET2), **file(em, "file")).principal == TARGET2


def test_what_a_federation_alone_cannot_give(em: Emulator) -> None:
    text = refusal(Denied, em, kind="id", audience=AUDIENCE, **file(em, "file"))
    assert "add --impersonate" in text
    assert "roles/iam.workloadIdentityUser" in text
    assert "key.json" in refusal(UsageError, em, kind="jwt", **file(em, "file"))
    assert "--impersonate" in refusal(UsageError, em, subject="ada@example.com", **file(em, "file"))
    assert served(em) == []


def test_a_certificate_of_strangers_is_not_accepted(em: Emulator, tmp_path: Path) -> None:
    """The proof is made by TLS: a self-made certificate with its own key gets no token."""
    from sources.external.test_certificate import KEY, LEAF, pem

    (tmp_path / "cert.pem").write_bytes(LEAF)
    (tmp_path / "key.pem").write_bytes(pem(KEY))
    workload = {"cert_path": str(tmp_path / "cert.pem"), "key_path": str(tmp_path / "key.pem")}
    (tmp_path / "config.json").write_text(json.dumps({"version": 1, "cert_configs": {"workload": workload}}))
    document = json.loads((em.dir / "external-x509.json").read_text())
    source = {"certificate": {"certificate_config_location": str(tmp_path / "config.json")}}
    (tmp_path / "fed.json").write_text(json.dumps({**document, "credential_source": source}))
    with pytest.raises(Exception, match=r"(?i)certificate|TLS"):
        mint(em, credentials=str(tmp_path / "fed.json"))
    assert ("token", 200) not in served(em)


def test_a_program_may_take_longer_than_a_request(em: Emulator, tmp_path: Path) -> None:
    """The time that a program takes is not taken from the exchange's own."""
    answer = em.dir / "subject" / "executable.json"
    source = {"executable": {"command": f"sh -c 'sleep 3.2; cat {answer}'", "timeout_millis": 9000}}
    options = federation(em, tmp_path, credential_source=source)
    assert mint(em, env=ALLOW, **options).kind == "access"


def test_a_mapping_that_wants_a_claim_which_is_not_there(em: Emulator) -> None:
    options = {"source": "gitlab", "provider": f"{POOL}/providers/gitlab", "impersonate": (TARGET,)}
    text = refusal(BadCredentials, em, env={"ID_TOKEN": em.subject_token("gitlab")}, **options)
    assert "project_path" in text
    assert "attributeMapping" in text


@pytest.mark.parametrize(
    ("source", "claims"),
    [("gitlab", {"project_path": "group/project"}), ("github", {"repository": "octo/repo"}), ("azure", {})],
)
def test_ambient_providers_without_a_file(em: Emulator, source: str, claims: dict[str, str]) -> None:
    token = em.subject_token(source, claims)
    with platform() as there:
        there.answer = 200, json.dumps({"value": token, "access_token": token}).encode()
        env = {
            "ID_TOKEN": token,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{there.url}/?x=y",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "secret",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": there.url,
        }
        options: dict[str, Any] = {"source": source, "provider": f"{POOL}/providers/{source}", "env": env}
        made = mint(em, impersonate=(TARGET,), **options)
        assert made.principal == TARGET
        assert served(em) == [STS, ACT]
        assert call(em, "/v1/protected", made)[0] == 200
        made = mint(em, kind="id", audience=f"{em.url}/functions/x", impersonate=(TARGET,), **options)
        assert call(em, "/functions/x", made)[0] == 200
