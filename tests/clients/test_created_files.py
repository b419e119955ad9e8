"""Files that the real `gcloud iam ... create-cred-config` writes work here byte for byte, in every variant of it.

Two addresses in them cannot be had on loopback, and no test here goes there: AWS's metadata service is moved by its own
variable, AWS_EC2_METADATA_SERVICE_ENDPOINT; for Azure's there is none, so the file is read, checked and exchanged as
it is, and only the connection to 169.254.169.254 is made elsewhere (`Moved`). That one connection is not run.
"""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from aws_servers import Account, imds
from aws_servers.http import Reply, Request, serve
from clients.hands import LONG, POOL, PRINCIPAL, TARGET, TYPE, asked, caller, gbearer, gcloud, inherited, printed
from gbearer import exchange, sources
from gbearer.emulator import Emulator
from gbearer.model import Ask, Token
from gbearer.sources import Look
from gbearer.transport import Answer, Transport

pytestmark = [pytest.mark.program("gcloud"), pytest.mark.slow]
COUNTING = """#!/bin/sh
echo run >> {count}
[ -z "$GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE" ] || cp {answer} "$GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE"
cat {answer}
"""


class Ground(NamedTuple):
    """Where things lie: the emulator's directory and address, and a folder of this variant alone."""

    dir: Path
    url: str
    folder: Path

    def program(self) -> Path:
        """A program that prints a subject token, and notes that it ran."""
        path, answer = self.folder / "give", self.dir / "subject" / "executable.json"
        path.write_text(COUNTING.format(count=self.folder / "count", answer=answer))
        path.chmod(0o700)
        return path


def _x509(at: Ground, name: str) -> list[str]:
    paths = (at.dir / "x509" / f"{name}{part}.pem" for part in ("cert", "key"))
    return [
        f"--credential-cert-{option}={path}" for option, path in zip(("path", "private-key-path"), paths, strict=True)
    ]


VARIANTS: dict[str, tuple[str, Callable[[Ground], list[str]]]] = {
    "file": ("oidc", lambda at: [f"--credential-source-file={at.dir}/subject/oidc.jwt"]),
    "file, text": (
        "oidc",
        lambda at: [f"--credential-source-file={at.dir}/subject/oidc.jwt", "--credential-source-type=text"],
    ),
    "file, JSON": (
        "oidc",
        lambda at: [
            f"--credential-source-file={at.dir}/subject/oidc.json",
            "--credential-source-type=json",
            "--credential-source-field-name=id_token",
        ],
    ),
    "file, id_token": (
        "oidc",
        lambda at: [f"--credential-source-file={at.dir}/subject/oidc.jwt", f"--subject-token-type={TYPE}id_token"],
    ),
    "file, SAML": (
        "saml",
        lambda at: [f"--credential-source-file={at.dir}/subject/saml.txt", f"--subject-token-type={TYPE}saml2"],
    ),
    "URL": ("oidc", lambda at: [f"--credential-source-url={at.url}/subject-token/oidc"]),
    "URL, headers, JSON": (
        "oidc",
        lambda at: [
            f"--credential-source-url={at.url}/subject-token/oidc?format=json",
            "--credential-source-headers=Metadata=True,X-Other=a b",
            "--credential-source-type=json",
            "--credential-source-field-name=access_token",
        ],
    ),
    "executable": ("oidc", lambda at: [f"--executable-command={at.program()}"]),
    "executable, timeout, output file": (
        "oidc",
        lambda at: [
            f"--executable-command={at.program()} --for gbearer",
            "--executable-timeout-millis=9000",
            f"--executable-output-file={at.folder}/answer.json",
        ],
    ),
    "X.509": (
        "x509",
        lambda at: [
            *_x509(at, ""),
            f"--credential-cert-configuration-output-file={at.folder}/certificates.json",
        ],
    ),
    "X.509, gcloud's own place": ("x509", lambda at: _x509(at, "")),
    "X.509, trust chain": (
        "x509",
        lambda at: [
            *_x509(at, "chained-"),
            f"--credential-cert-trust-chain-path={at.dir}/x509/chain.pem",
            f"--credential-cert-configuration-output-file={at.folder}/certificates.json",
        ],
    ),
    "AWS": ("aws", lambda _: ["--aws"]),
    "AWS, IMDSv2": ("aws", lambda _: ["--aws", "--enable-imdsv2"]),
    "Azure": ("azure", lambda _: ["--azure", "--app-id-uri=api://emulator-app"]),
    "Azure, no app": ("azure-usual", lambda _: ["--azure"]),
}
ACTING = {
    "": [],
    "acting": [f"--service-account={TARGET}"],
    "acting for two hours": [f"--service-account={LONG}", "--service-account-token-lifetime-seconds=7200"],
}
ONE_OF_EACH = ("file", "URL", "executable", "X.509", "AWS", "Azure", "file, SAML")
CASES = (
    [(name, "") for name in VARIANTS]
    + [(name, "acting for two hours") for name in ONE_OF_EACH]
    + [("file", "acting"), ("AWS, IMDSv2", "acting")]
)
ELSEWHERE = ("Azure", "Azure, no app")
HERE = [case for case in CASES if case[0] not in ELSEWHERE]


class Made(NamedTuple):
    """A file of gcloud's, as it was when gcloud had written it, and gcloud's own folder."""

    path: Path
    content: bytes
    config: Path

    @property
    def folder(self) -> Path:
        return self.path.parent


Files = Mapping[tuple[str, str], Made]


@pytest.fixture(scope="session")
def created(google: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Every file, written by gcloud itself; two gclouds at a time."""
    root = tmp_path_factory.mktemp("created")

    def make(number: int, case: tuple[str, str]) -> Made:
        folder = root / str(number)
        folder.mkdir()
        provider, options = VARIANTS[case[0]]
        path, config = folder / "credentials.json", folder / "gcloud"
        gcloud(
            {"HOME": str(folder)}, config, "iam", "workload-identity-pools", "create-cred-config",
            f"{POOL}/providers/{provider}", *options(Ground(google.dir, google.url, folder)), *ACTING[case[1]],
            f"--output-file={path}",
        )  # fmt: skip
        return Made(path, path.read_bytes(), config)

    with ThreadPoolExecutor(2) as workers:
        return dict(zip(CASES, workers.map(make, range(len(CASES)), CASES), strict=True))


def account_of(acting: str) -> str:
    """Whom a file acts as."""
    return {"": "", "acting": TARGET, "acting for two hours": LONG}[acting]


@pytest.mark.parametrize(("name", "acting"), HERE, ids=[", ".join(filter(None, case)) for case in HERE])
def test_a_file_of_gclouds_gives_tokens_that_are_accepted(
    em: Emulator, env: dict[str, str], aws_env: dict[str, str], created: Files, name: str, acting: str
) -> None:
    made = created[name, acting]
    env |= {"CLOUDSDK_CONFIG": str(made.config)} | (aws_env if name.startswith("AWS") else {})
    account = account_of(acting)
    told = json.loads(printed(env, "token", "--credentials", str(made.path), "--format", "json"))
    took = caller(em, told["access_token"])
    assert took["email"] == account if account else str(took["principal"]).startswith(PRINCIPAL)
    if acting == "acting for two hours":
        assert 7100 < told["expires_in"] <= 7200
    exchanged = asked(em, "/v1/token")
    assert [entry["host"] for entry in exchanged] == [urlsplit(json.loads(made.content)["token_url"]).netloc]

    audience = f"{em.url}/functions/hello"
    as_whom = () if account else ("--impersonate", TARGET)
    token = printed(env, "id-token", "--credentials", str(made.path), "--audience", audience, *as_whom)
    assert caller(em, token, "/functions/hello")["email"] == (account or TARGET)
    assert len(asked(em, "/v1/token")) == 1, "one federated token served both"
    assert made.path.read_bytes() == made.content


def test_the_output_file_of_a_program_is_read_before_it_is_run_again(
    em: Emulator, env: dict[str, str], created: Files
) -> None:
    made = created["executable, timeout, output file", ""]
    (made.folder / "answer.json").unlink(missing_ok=True)
    (made.folder / "count").unlink(missing_ok=True)
    env["GBEARER_CACHE"] = "off"
    for _ in range(3):
        caller(em, printed(env, "token", "--credentials", str(made.path)))
    assert len(asked(em, "/v1/token")) == 3
    assert (made.folder / "count").read_text() == "run\n"


@pytest.mark.parametrize("name", ["AWS", "AWS, IMDSv2"])
def test_an_aws_file_of_gclouds_on_an_instance(
    em: Emulator, env: dict[str, str], aws_account: Account, created: Files, name: str
) -> None:
    """The metadata service that the file names, moved by AWS's own variable; always by version 2."""
    keys = aws_account.role("instance", "i-0123456789abcdef0")
    with imds(keys) as node:
        token = printed(
            env | {"AWS_EC2_METADATA_SERVICE_ENDPOINT": node.url}, "token", "--credentials", str(created[name, ""].path)
        )
        assert node.paths()[0] == "PUT /latest/api/token"
    assert caller(em, token)["principal"] == PRINCIPAL + keys.arn


def azure(em: Emulator, provider: str) -> Callable[[Request], Reply]:
    """Azure's metadata service: a managed identity's token for the resource that is asked for."""

    def handle(request: Request) -> Reply:
        query = parse_qs(request.query)
        if request.headers.get("metadata", "").lower() != "true" or "x-forwarded-for" in request.headers:
            return Reply(
                400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
            )
        if request.path != "/metadata/identity/oauth2/token" or query.get("api-version") != ["2018-02-01"]:
            return Reply(404, {"error": "not_found"})
        token = em.subject_token(provider, {"aud": query["resource"][0], "sub": "managed-identity"})
        ends = str(int(time.time()) + 3600)
        return Reply(200, {"access_token": token, "expires_on": ends, "token_type": "Bearer"})

    return handle


def moved(env: Mapping[str, str], here: str) -> Transport:
    """A transport on which Azure's metadata service, which no variable can move, is at `here`."""

    class Moved(Transport):
        def send(self, method: str, url: str, **options: Any) -> Answer:
            return super().send(method, url.replace("http://169.254.169.254", here), **options)

    return Moved(env)


def mint(env: Mapping[str, str], way: Transport, ask: Ask) -> Token:
    """A token by the real road, on a transport of the test's own."""
    source = sources.locate(ask, Look(env), way)
    beneath = exchange.needs_base(ask)
    base = None if beneath is None else exchange.token(beneath, source, way, None, time.time)
    return exchange.token(ask, source, way, base, time.time)


AZURE = [case for case in CASES if case[0] in ELSEWHERE]


@pytest.mark.parametrize(("name", "acting"), AZURE, ids=[", ".join(filter(None, case)) for case in AZURE])
def test_an_azure_file_of_gclouds(em: Emulator, env: dict[str, str], created: Files, name: str, acting: str) -> None:
    issuer = "https://sts.windows.net/8d1f7a34-0000-4000-8000-000000000000/"
    mapping = {"google.subject": "assertion.sub"}
    em.provider("azure-usual", {"oidc": {"issuerUri": issuer}, "attributeMapping": mapping})
    made, account = created[name, acting], account_of(acting)
    with serve() as metadata:
        metadata.handle = azure(em, VARIANTS[name][0])
        way = moved(env, metadata.url)
        given: dict[str, Any] = {"credentials": str(made.path)} | ({"impersonate": (account,)} if account else {})
        token = mint(env, way, Ask(**given))
        took = caller(em, token.value)
        assert took["email"] == account if account else took["principal"] == f"{PRINCIPAL}managed-identity"
        audience = f"{em.url}/functions/hello"
        given |= {"impersonate": (account or TARGET,), "kind": "id", "audience": audience}
        identity = mint(env, way, Ask(**given))
        assert caller(em, identity.value, "/functions/hello")["email"] == (account or TARGET)
        assert {request.path for request in metadata.requests} == {"/metadata/identity/oauth2/token"}
    assert made.path.read_bytes() == made.content


def test_a_workforce_file_of_gclouds(em: Emulator, env: dict[str, str], tmp_path: Path) -> None:
    """The other command that writes such files: for people of a workforce, with the project that is charged."""
    provider = "locations/global/workforcePools/emulator-workforce/providers/oidc"
    subject, path = tmp_path / "token", tmp_path / "workforce.json"
    subject.write_text(em.subject_token(provider))
    gcloud(
        inherited(), tmp_path / "gcloud", "iam", "workforce-pools", "create-cred-config", provider,
        f"--credential-source-file={subject}", "--workforce-pool-user-project=123456789012", f"--output-file={path}",
        f"--subject-token-type={TYPE}id_token",
    )  # fmt: skip
    took = caller(em, printed(env, "token", "--credentials", str(path)))
    assert str(took["principal"]).startswith("principal://iam.googleapis.com/locations/global/workforcePools/")


def test_preflight_finds_nothing_wrong_with_what_gcloud_wrote(env: dict[str, str], created: Files) -> None:
    for case in CASES:
        if case[0] != "Azure, no app":
            made = created[case]
            done = gbearer(env | {"CLOUDSDK_CONFIG": str(made.config)}, "preflight", str(made.path))
            assert done.code == 0, (case, done)
