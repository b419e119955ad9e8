"""ID tokens: every kind of credential for every kind of audience, each verified by google-auth's own verifier.

The verifier is `google.oauth2.id_token.verify_token` with google-auth's own transport, which fetches the emulator's
certificates from its URL. Besides signature, issuer, audience and times, each token has to say whose it is.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import google.auth.transport.requests
import google.oauth2.id_token
import pytest
import requests

from aws_servers.http import Reply, Request, serve
from clients.hands import DEFAULT, POOL, ROBOT, TARGET, asked, gbearer, printed
from gbearer.emulator import Emulator

AUDIENCES = {
    "Cloud Run": "https://hello-7f3k2m5qza-ew.a.run.app",
    "Cloud Functions": "https://europe-west1-emulator-project.cloudfunctions.net/get_range",
    "client id": "123456789012-abc123.apps.googleusercontent.com",
}
ACT = ("--impersonate", TARGET)
_GITHUB_CLAIMS = {"sub": "repo:shop/cart:ref:refs/heads/main", "repository": "shop/cart"}
_GITLAB_CLAIMS = {"sub": "project_path:shop/cart:ref_type:branch:ref:main", "project_path": "shop/cart"}


class Given(NamedTuple):
    """What a program is given: options and variables; whose its ID tokens are; how often STS is asked for one."""

    options: tuple[str, ...]
    variables: dict[str, str]
    email: str
    exchanges: int = 0


def _file(name: str, *options: str, email: str = TARGET, exchanges: int = 0) -> Callable[..., Given]:
    """A file of the emulator's directory."""

    def given(em: Emulator, **_: Any) -> Given:
        return Given(("--credentials", str(em.dir / name), *options), {}, email, exchanges)

    return given


def _metadata(em: Emulator, **_: Any) -> Given:
    return Given(("--source", "metadata"), {"GCE_METADATA_HOST": em.host}, DEFAULT)


def _aws(em: Emulator, aws_env: dict[str, str], options: tuple[str, ...], **_: Any) -> Given:
    del em
    return Given(options, aws_env, TARGET, 1)


def _aws_file(em: Emulator, **more: Any) -> Given:
    return _aws(em, options=("--credentials", str(em.dir / "external-aws-impersonated.json")), **more)


def _aws_direct(em: Emulator, **more: Any) -> Given:
    return _aws(em, options=("--credentials", str(em.dir / "external-aws.json"), *ACT), **more)


def _aws_named(em: Emulator, **more: Any) -> Given:
    return _aws(em, options=("--source", "aws", "--provider", f"{POOL}/providers/aws", *ACT), **more)


def _ambient(name: str, variables: Callable[[Emulator, str], dict[str, str]]) -> Callable[..., Given]:
    """A platform that vouches, without a file."""

    def given(em: Emulator, platform: str, **_: Any) -> Given:
        options = ("--source", name, "--provider", f"{POOL}/providers/{name}", *ACT)
        return Given(options, variables(em, platform), TARGET, 1)

    return given


def _github(_: Emulator, platform: str) -> dict[str, str]:
    return {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{platform}/github?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "what-the-runner-gave-this-job",
    }


def _gitlab(em: Emulator, _: str) -> dict[str, str]:
    return {"GITLAB_OIDC_TOKEN": em.subject_token("gitlab", _GITLAB_CLAIMS)}


def _azure(_: Emulator, platform: str) -> dict[str, str]:
    return {
        "IDENTITY_ENDPOINT": f"{platform}/azure",
        "IDENTITY_HEADER": "what-app-service-gave-this-app",
        "GBEARER_AZURE_RESOURCE": "api://emulator-app",
    }


CREDENTIALS: dict[str, Callable[..., Given]] = {
    "key": _file("key.json", email=ROBOT),
    "key, impersonating": _file("key.json", *ACT),
    "metadata": _metadata,
    "user, impersonating": _file("user.json", *ACT),
    "impersonated file": _file("impersonated.json"),
    **{
        f"federated {kind}, {how}": _file(f"external-{kind}{name}.json", *options, exchanges=1)
        for kind in ("file", "url", "executable", "x509", "saml")
        for how, name, options in (("file that impersonates", "-impersonated", ()), ("with --impersonate", "", ACT))
    },
    "federated aws, file that impersonates": _aws_file,
    "federated aws, with --impersonate": _aws_direct,
    "AWS without a file": _aws_named,
    "GitHub Actions": _ambient("github", _github),
    "GitLab": _ambient("gitlab", _gitlab),
    "Azure managed identity": _ambient("azure", _azure),
}


@pytest.fixture
def platform(em: Emulator) -> Iterator[str]:
    """A server that plays GitHub's token endpoint and Azure's, each of which wants its own secret."""

    def handle(request: Request) -> Reply:
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        if request.path == "/github":
            if request.headers.get("authorization") != "Bearer what-the-runner-gave-this-job":
                return Reply(401)
            return Reply(200, {"value": em.subject_token("github", _GITHUB_CLAIMS | {"aud": query["audience"]})})
        if request.headers.get("x-identity-header") != "what-app-service-gave-this-app":
            return Reply(401)
        token = em.subject_token("azure", {"aud": query["resource"], "sub": "managed-identity"})
        return Reply(200, {"access_token": token, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"})

    with serve() as served:
        served.handle = handle
        yield served.url


@pytest.fixture(scope="session")
def verifier() -> Iterator[google.auth.transport.requests.Request]:
    """google-auth's transport, as the ones who verify use it."""
    with requests.Session() as session:
        session.trust_env = False
        yield google.auth.transport.requests.Request(session)


def verified(em: Emulator, verifier: Any, token: str, audience: str) -> Mapping[str, Any]:
    """The claims, when Google's verifier takes the token for this audience."""
    claims: Mapping[str, Any] = google.oauth2.id_token.verify_token(
        token, verifier, audience=audience, certs_url=f"{em.url}/oauth2/v1/certs"
    )
    return claims


@pytest.mark.parametrize("audience", AUDIENCES.values(), ids=AUDIENCES)
@pytest.mark.parametrize("name", CREDENTIALS)
def test_an_id_token_is_verified_by_google_auth(
    em: Emulator, env: dict[str, str], aws_env: dict[str, str], platform: str, verifier: Any, name: str, audience: str
) -> None:
    given = CREDENTIALS[name](em, aws_env=aws_env, platform=platform)
    token = printed(env | given.variables, "id-token", "--audience", audience, *given.options)
    claims = verified(em, verifier, token, audience)
    assert claims["aud"] == audience
    assert claims["iss"] == "https://accounts.google.com"
    assert (claims["email"], claims["email_verified"]) == (given.email, True)
    assert 0 < claims["exp"] - time.time() <= 3600
    assert len(asked(em, "/v1/token")) == given.exchanges
    impersonated = asked(em, ":generateIdToken")
    assert [str(entry["path"]).split("/")[-1] for entry in impersonated] in ([], [f"{given.email}:generateIdToken"])
    if given.exchanges:
        assert len(impersonated) == 1, "one right: the federated identity asks for it itself"
        assert not asked(em, ":generateAccessToken")
    with pytest.raises(ValueError, match="audience"):
        verified(em, verifier, token, f"{audience}x")


def test_a_users_own_id_token_is_for_its_client_alone(em: Emulator, env: dict[str, str], verifier: Any) -> None:
    client = json.loads(em.user_file.read_text())["client_id"]
    token = printed(env, "id-token", "--credentials", str(em.user_file), "--audience", client)
    claims = verified(em, verifier, token, client)
    assert (claims["email"], claims["email_verified"]) == ("ada@example.com", True)


@pytest.mark.parametrize("audience", AUDIENCES.values(), ids=AUDIENCES)
def test_a_user_alone_is_told_what_is_fixed_and_what_to_add(em: Emulator, env: dict[str, str], audience: str) -> None:
    client = json.loads(em.user_file.read_text())["client_id"]
    done = gbearer(env, "id-token", "--credentials", str(em.user_file), "--audience", audience)
    assert (done.code, done.out) == (5, "")
    assert f"error: a user's credential gets no ID token for {audience}" in done.err
    assert client in done.err
    assert "IAP" in done.err, "what accepts the one that there is"
    assert "--impersonate SERVICE_ACCOUNT" in done.err
    assert em.log() == []


@pytest.mark.parametrize("kind", ["file", "url", "executable", "x509", "saml", "aws"])
def test_federation_alone_is_told_what_to_add(
    em: Emulator, env: dict[str, str], aws_env: dict[str, str], kind: str
) -> None:
    file = str(em.dir / f"external-{kind}.json")
    done = gbearer(env | aws_env, "id-token", "--credentials", file, "--audience", AUDIENCES["Cloud Run"])
    assert (done.code, done.out) == (5, "")
    assert file in done.err
    assert "--impersonate SERVICE_ACCOUNT" in done.err
    assert "roles/iam.workloadIdentityUser" in done.err
    assert em.log() == []
