"""Google's own clients, unchanged, at the emulator's STS by the files in clients/: what they get is accepted there.

gcloud, google-auth for Python and google-auth-library for Node go where a file says. The last is fetched by npm into a
folder of the test run; where there is no node, no npm or no registry, its test is skipped and says which.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from clients.hands import CLOUD, PRINCIPAL, TARGET, asked, caller, gcloud, inherited
from gbearer.emulator import Emulator

pytestmark = pytest.mark.slow
KINDS = ("file", "url", "executable", "saml", "x509", "aws")
NAMES = [f"external-{kind}{acting}.json" for kind in KINDS for acting in ("", "-impersonated")]
LIBRARY = "google-auth-library@10"
GOOGLES, OTHERS = "storage.googleapis.com", "storage.emulator-universe.example"
PYTHON = """
import json, os, sys
import google.auth, google.auth.transport.requests
tokens = []
for path in sys.argv[2:]:
    os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = path
    credentials, _ = google.auth.default()  # given scopes, it would ask the resource manager for the project
    credentials = credentials.with_scopes([sys.argv[1]])
    credentials.refresh(google.auth.transport.requests.Request())
    tokens.append(credentials.token)
print(json.dumps(tokens))
"""
NODE = """
import { GoogleAuth } from "google-auth-library";
const tokens = [];
for (const keyFile of process.argv.slice(3)) {
  const client = await new GoogleAuth({ keyFile, scopes: [process.argv[2]] }).getClient();
  tokens.push((await client.getAccessToken()).token);
}
console.log(JSON.stringify(tokens));
"""
NODE_ELSEWHERE = """
import fs from "fs";
import { DownscopedClient, GdchClient, GoogleAuth } from "google-auth-library";
const [folder, emulator, cloud] = process.argv.slice(2);
const said = {};
for (const name of ["gdch.json", "gdch-tls.json"]) {
  const client = new GdchClient();
  client.fromJSON(JSON.parse(fs.readFileSync(`${folder}/${name}`)));
  const url = (name === "gdch.json" ? emulator : emulator.replace("http:", "https:")) + "/gdch/store";
  said[name] = (await client.createWithGdchAudience(url).request({ url })).data.caller.principal;
}
const access = { availablePermissions: ["inRole:roles/storage.objectViewer"] };
access.availableResource = "//storage.googleapis.com/projects/_/buckets/emulator-bucket";
const credentialAccessBoundary = { accessBoundary: { accessBoundaryRules: [access] } };
const keyFile = `${folder}/clients/external-file.json`;
const authClient = await new GoogleAuth({ keyFile, scopes: [cloud] }).getClient();
const client = new DownscopedClient({ authClient, credentialAccessBoundary });
const Sts = client.stsCredential.constructor;  // its endpoint is Google's, and nothing that is public changes it
client.stsCredential = new Sts({ tokenExchangeEndpoint: `${emulator}/v1/token` });
said.bounded = (await client.getAccessToken()).token;
const other = await new GoogleAuth({ keyFile: `${folder}/key-universe.json`, scopes: [cloud] }).getClient();
said.universe = (await other.getRequestHeaders("https://storage.emulator-universe.example/")).get("authorization");
console.log(JSON.stringify(said));
"""


@pytest.fixture
def client_env(em: Emulator, aws_env: dict[str, str]) -> dict[str, str]:
    """What a program of somebody else's gets: keys of AWS, leave to run programs, the emulator's authority; no more."""
    authority = str(em.dir / "ca.pem")
    trusted = ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE")
    return {**inherited(), **aws_env, "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"} | dict.fromkeys(
        trusted, authority
    )


def check(em: Emulator, tokens: dict[str, str]) -> None:
    """Each token is taken by the target, for the one that its file names; STS was asked once for each."""
    assert list(tokens) == NAMES
    for name, token in tokens.items():
        took = caller(em, token)
        if "-impersonated" in name:
            assert took["email"] == TARGET, name
        else:
            assert str(took["principal"]).startswith(PRINCIPAL), name
    assert [entry["status"] for entry in asked(em, "/v1/token")] == [200] * len(NAMES)
    assert len(asked(em, ":generateAccessToken")) == len(KINDS)


def printed(command: list[str], env: dict[str, str], em: Emulator) -> dict[str, str]:
    """The tokens that a program prints for all of the files, given behind the scope."""
    paths = [str(em.dir / "clients" / name) for name in NAMES]
    done = subprocess.run(
        [*command, CLOUD, *paths], env=env, capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(NAMES, json.loads(done.stdout), strict=True))


def test_google_auth(em: Emulator, client_env: dict[str, str], traffic: Callable[[], list[str]]) -> None:
    tokens = printed([sys.executable, "-c", PYTHON], client_env, em)
    assert any(em.host.partition(":")[2] in line for line in traffic()), "the guard saw it go to the emulator"
    check(em, tokens)


@pytest.mark.program("gcloud")
def test_gcloud_by_a_credential_file(em: Emulator, client_env: dict[str, str], tmp_path: Path) -> None:
    def token(name: str) -> str:
        file = {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(em.dir / "clients" / name)}
        return gcloud(client_env | em.env | file, tmp_path / name, "auth", "print-access-token")

    with ThreadPoolExecutor(2) as workers:
        check(em, dict(zip(NAMES, workers.map(token, NAMES), strict=True)))


@pytest.mark.program("gcloud")
def test_gcloud_signed_in_with_a_file(em: Emulator, client_env: dict[str, str], tmp_path: Path) -> None:
    """`auth login --cred-file` asks STS's introspection who it is; an ID token comes by way of impersonation."""
    audience = f"{em.url}/functions/hello"

    def run(*argv: str) -> str:
        return gcloud(client_env | em.env, tmp_path / "gcloud", *argv)

    run("auth", "login", f"--cred-file={em.dir}/clients/external-url.json")
    who = run("config", "get", "account")
    assert who.startswith(PRINCIPAL)
    assert len(asked(em, "/v1/introspect")) == 1
    assert caller(em, run("auth", "print-access-token"))["principal"] == who
    identity = run(
        "auth", "print-identity-token", f"--impersonate-service-account={TARGET}", f"--audiences={audience}",
        "--include-email",
    )  # fmt: skip
    assert caller(em, identity, "/functions/hello")["email"] == TARGET


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Node finds google-auth-library, or a skip that names what is missing."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed, so {LIBRARY} (Node) is not tried")
    folder = tmp_path_factory.mktemp("node")
    env = {name: value for name, value in os.environ.items() if not name.startswith("GBEARER_")}
    command = ["npm", "install", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=15000", LIBRARY]
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip(f"{LIBRARY} (Node) could not be installed by npm within a minute")
    if done.returncode != 0:
        pytest.skip(f"{LIBRARY} (Node) could not be installed by npm: {done.stderr.strip()[-200:]}")
    return folder


def test_google_auth_library_for_node(node_modules: Path, em: Emulator, client_env: dict[str, str]) -> None:
    script = node_modules / "tokens.mjs"
    script.write_text(NODE)
    check(em, printed(["node", str(script)], client_env, em))


def test_node_at_distributed_cloud_downscoping_and_in_another_universe(
    node_modules: Path, em: Emulator, client_env: dict[str, str]
) -> None:
    script = node_modules / "elsewhere.mjs"
    script.write_text(NODE_ELSEWHERE)
    done = subprocess.run(
        ["node", str(script), str(em.dir), em.url, CLOUD], env=client_env, capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    identity = "system:serviceaccount:emulator-project:emulator-workload"
    assert (said["gdch.json"], said["gdch-tls.json"]) == (identity, identity)

    def listed(bucket: str, host: str, authorization: str) -> int:
        headers = {"Host": host, "Authorization": authorization}
        return urllib3.request("GET", f"{em.url}/storage/v1/b/{bucket}/o", headers=headers, retries=False).status

    bounded = f"Bearer {said['bounded']}"
    assert [listed(bucket, GOOGLES, bounded) for bucket in ("emulator-bucket", "emulator-other")] == [200, 403]
    assert [listed("emulator-bucket", host, said["universe"]) for host in (OTHERS, GOOGLES)] == [200, 401]
