"""`--source gcloud` beside the real gcloud: the same identity in every state of its session, its files untouched."""

import datetime
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from emulator.hands import ADA, MIDDLE, ROBOT, TARGET, TARGET2, call, good
from gbearer import emulator
from gbearer.emulator import Emulator
from shows.conftest import Run, tokens_made
from shows.test_right_at_once import is_warm, modules
from sources.gcloud.hands import traces

pytestmark = [pytest.mark.slow, pytest.mark.program("gcloud")]
Gcloud = Callable[..., str]
PROJECT_POOL = (
    "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/emulator-pool"
)
WORKFORCE_POOL = "principal://iam.googleapis.com/locations/global/workforcePools/emulator-workforce"
TOKEN = ("token", "--source", "gcloud")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator of these tests: gcloud's session is set up against it once."""
    with emulator.running(dir=tmp_path_factory.mktemp("emulator") / "dir") as running:
        yield running


@pytest.fixture(scope="module")
def session(server: Emulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Both programs' environment: a person in `default`, a key in `robot`, the person as an account in `acting`."""
    folder = tmp_path_factory.mktemp("person")
    pointed = {name: value for name, value in server.env.items() if not name.startswith(("GOOGLE_", "GCE_"))}
    del pointed["CLOUDSDK_CORE_PROJECT"]
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "GBEARER_TEST_TRAFFIC")} | pointed
    env |= {
        "HOME": str(folder),
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "NO_GCE_CHECK": "true",
        "GBEARER_CACHE": str(folder / "cache"),
    }
    sign_in(server, env, folder)
    configurations = folder / "gcloud" / "configurations"
    for name in ("robot", "federated", "workforce"):
        (configurations / f"config_{name}").touch()
    ask(env | named("robot"), "auth", "activate-service-account", f"--key-file={server.key_file}")
    federated = server.dir / "clients" / "external-file.json"
    ask(env | named("federated"), "auth", "login", f"--cred-file={federated}")
    sign_in(server, env | named("workforce"), folder, f"--login-config={server.login_config_file}")
    with (configurations / "config_robot").open("a") as file:
        file.write("project = of-robot\n")  # `gcloud config set project` would ask Google whether it exists
    (configurations / "config_acting").write_text(
        f"[core]\naccount = {ADA}\n[auth]\nimpersonate_service_account = {TARGET}\n"
    )
    return env


def named(configuration: str) -> dict[str, str]:
    """The variable that makes a configuration the active one."""
    return {"CLOUDSDK_ACTIVE_CONFIG_NAME": configuration}


def outside(env: dict[str, str]) -> dict[str, str]:
    """The environment of gcloud itself: nothing of ours, and Google out of reach."""
    bare = {name: value for name, value in env.items() if not name.startswith(("GBEARER_EMULATOR", "PYTHONPATH"))}
    return bare | {"HTTPS_PROXY": "http://127.0.0.1:9"}  # nothing listens there


def ask(env: dict[str, str], *arguments: str) -> str:
    """What gcloud prints."""
    done = subprocess.run(
        ["gcloud", *arguments], env=outside(env), capture_output=True, text=True, timeout=120, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sign_in(em: Emulator, env: dict[str, str], folder: Path, *arguments: str) -> None:
    """`gcloud auth login` with a browser: a program that hands the address to this test."""
    browser, asked = folder / "browser", folder / "asked"
    asked.unlink(missing_ok=True)
    browser.write_text(f'#!/bin/sh\necho "$1" >"{asked}.new" && mv "{asked}.new" "{asked}"\n')
    browser.chmod(0o755)
    more = {"BROWSER": f"{browser} %s", "DISPLAY": ":0", "OAUTHLIB_INSECURE_TRANSPORT": "1"}
    login = subprocess.Popen(
        ["gcloud", "auth", "login", *arguments], env=outside(env) | more, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not asked.exists():
            assert login.poll() is None, login.communicate()[0]
            assert time.monotonic() < until, "gcloud opens no browser"
            time.sleep(0.1)
        back = em.sign_in(asked.read_text().strip(), account=ADA)
        assert urllib3.request("GET", back, retries=False).status < 400
        told = login.communicate(timeout=60)[0]
    finally:
        if login.poll() is None:
            login.kill()
            login.wait()
    assert login.returncode == 0, told
    assert ADA in told


@pytest.fixture
def em(server: Emulator) -> Emulator:
    """The server with an empty log."""
    server.reset()
    return server


def caller(em: Emulator, token: str) -> str:
    """Whose token that is, as the target says that accepts it."""
    told = good(call(em, "POST", "/v1/protected", token=token, body={}))["caller"]
    return str(told.get("email") or told["principal"])


def told_of(em: Emulator, token: str) -> dict[str, object]:
    """What tokeninfo says of it, but for its end."""
    told = call(em, "GET", f"/tokeninfo?access_token={token}").json()
    told["scope"] = sorted(str(told.get("scope", "")).split())
    return {name: value for name, value in told.items() if name not in ("exp", "expires_in")}


def ours(run: Run, env: dict[str, str], *arguments: str) -> str:
    """The token that gbearer prints; gcloud's folder is as before, to the byte and to the nanosecond."""
    before = traces(Path(env["CLOUDSDK_CONFIG"]))
    done = run(*TOKEN, *arguments, env=env)
    assert done.returncode == 0, done.stderr
    assert traces(Path(env["CLOUDSDK_CONFIG"])) == before
    return str(done.stdout.strip())


STATES = [
    ("default", {}, (), ADA),
    ("robot", {}, (), ROBOT),
    ("acting", {}, (), TARGET),
    ("federated", {}, (), f"{PROJECT_POOL}/subject/system:serviceaccount:default:emulator-workload"),
    ("workforce", {}, (), f"{WORKFORCE_POOL}/subject/{ADA}"),
    ("robot", {"CLOUDSDK_CORE_ACCOUNT": ADA}, (), ADA),
    ("robot", {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": f"{MIDDLE},{TARGET2}"}, (), TARGET2),
    ("robot", {"CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": MIDDLE}, ("--impersonate", TARGET), TARGET),
    ("default", {}, ("--account", ROBOT), ROBOT),
]


@pytest.mark.parametrize(("configuration", "more", "options", "who"), STATES)
def test_the_identity_is_gclouds_in_every_state(
    em: Emulator, session: dict[str, str], run: Run, configuration: str, more: dict[str, str],
    options: tuple[str, ...], who: str,
) -> None:  # fmt: skip
    env = session | named(configuration) | more
    own = ours(run, env, *options)
    mine = caller(em, own)
    words = {"--impersonate": "--impersonate-service-account", "--account": "--account"}
    gclouds = ask(env, "auth", "print-access-token", *(words.get(word, word) for word in options))
    theirs = caller(em, gclouds)
    assert mine == theirs == who
    if "--impersonate" not in options:  # which asks for cloud-platform, as everywhere in gbearer
        assert told_of(em, own) == told_of(em, gclouds)


def test_whoami_says_which_account_of_which_configuration_and_file(session: dict[str, str], run: Run) -> None:
    env = session | named("robot")
    told = json.loads(run("whoami", "--source", "gcloud", "--format", "json", env=env).stdout)
    assert (told["principal"], told["project"]) == (ROBOT, "of-robot")
    chain = told["chain"][-1]["reason"]
    for word in (ROBOT, "configuration 'robot'", f"{env['CLOUDSDK_CONFIG']}/credentials.db"):
        assert word in chain


def test_warm_answers_load_nothing_and_change_at_once_with_the_session(
    em: Emulator, session: dict[str, str], run: Run, settled: Callable[..., None]
) -> None:
    folder = Path(session["CLOUDSDK_CONFIG"])

    def warmed() -> str:
        settled(*[path for path in folder.rglob("*") if path.is_file() and "logs" not in path.parts])
        first = ours(run, session)
        assert is_warm(session, *TOKEN)
        return first

    person = warmed()
    assert modules(session, *TOKEN) <= {"gbearer", "gbearer.__main__", "gbearer._version", "gbearer.warm", "_blake2"}
    ask(session, "auth", "list")  # which touches credentials.db and does not change it
    assert is_warm(session, *TOKEN)
    em.reset()
    assert ours(run, session) == person
    assert tokens_made(em) == 0

    other = session | named("robot")
    assert caller(em, ours(run, other)) == ROBOT
    assert ours(run, session) == person

    ask(session, "config", "configurations", "activate", "robot")
    robot = ours(run, session)
    assert caller(em, robot) == ROBOT

    robot = warmed()
    ask(session, "config", "set", "account", ADA)
    assert ours(run, session) == person
    ask(session, "config", "set", "account", ROBOT)
    assert ours(run, session) == robot

    warmed()
    ask(session, "auth", "revoke", ROBOT)
    ended = run(*TOKEN, env=session)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "gcloud" in ended.stderr
    assert ROBOT not in ended.stdout
    ask(session, "auth", "activate-service-account", f"--key-file={em.key_file}")
    assert caller(em, ours(run, session)) == ROBOT
    ask(session, "config", "configurations", "activate", "default")


def test_a_login_that_has_ended_is_renewed_with_gclouds_own_command(
    em: Emulator, session: dict[str, str], run: Run, tmp_path: Path
) -> None:
    env = session | {"GBEARER_CACHE": str(tmp_path / "cache")}
    em.require_reauth(ADA)
    ended = run(*TOKEN, env=env)
    assert (ended.returncode, ended.stdout) == (6, "")
    assert f"gcloud auth login {ADA}" in ended.stderr
    sign_in(em, session, tmp_path)
    assert caller(em, ours(run, env)) == ADA


def p12(em: Emulator, path: Path) -> None:
    """The key in the form that Google gave out before JSON."""
    key = json.loads(em.key_file.read_text())
    private = serialization.load_pem_private_key(key["private_key"].encode(), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, key["client_id"])])
    begins, ends = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2020, 2049))
    blank = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    dated = blank.serial_number(1).not_valid_before(begins).not_valid_after(ends)
    secret = serialization.BestAvailableEncryption(b"notasecret")
    signed = dated.sign(private, hashes.SHA256())
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"privatekey", private, signed, None, secret))


def test_gcloud_itself_is_asked_where_its_files_are_not_understood(
    em: Emulator, session: dict[str, str], run: Run, tmp_path: Path
) -> None:
    p12(em, tmp_path / "key.p12")
    env = outside(session) | {"CLOUDSDK_CONFIG": str(tmp_path / "gcloud"), "GBEARER_CACHE": str(tmp_path / "cache")}
    ask(env, "auth", "activate-service-account", ROBOT, f"--key-file={tmp_path / 'key.p12'}")
    first = run(*TOKEN, env=env)
    assert first.returncode == 0, first.stderr
    assert caller(em, first.stdout.strip()) == ROBOT
    again = run(*TOKEN, "--format", "json", env=env)
    told = json.loads(again.stdout)
    assert told["access_token"] == first.stdout.strip()
    assert 3000 < told["expires_in"] <= 3600
    refused = run(*TOKEN, env=env | {"GBEARER_EMULATOR_HOST": em.host})
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "it was not started" in refused.stderr
