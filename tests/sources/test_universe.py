"""Universes: read from every kind of credential, agreed with the environment, and no way for a file to choose hosts."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aws_servers.http import Reply, Request, Served, serve
from gbearer import claims, endpoints, sources
from gbearer.broker import Broker
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, Denied, Error, Unreachable, UsageError
from gbearer.model import Ask
from gbearer.sources import Look
from gbearer.transport import Transport
from sources.external.hands import document as federation
from sources.hands import IMPERSONATED, KEY, TARGET, USER, find, refusal, write

OTHER = "apis.example"
NAMED = {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": OTHER}
EMULATED = "emulator-universe.example"
DOMAIN = "emulator-project.emulator-universe.iam.gserviceaccount.com"
AUDIENCE = "https://service.run.emulator-universe.example"
KEY_THERE = KEY | {"universe_domain": OTHER}
BENEATH = IMPERSONATED | {
    "universe_domain": OTHER,
    "source_credentials": KEY,
    "service_account_impersonation_url": f"https://iamcredentials.{OTHER}/v1/projects/-/serviceAccounts/"
    f"{TARGET}:generateAccessToken",
}
WORKFORCE = {
    "type": "external_account_authorized_user",
    "universe_domain": OTHER,
    "refresh_token": "1//made-up",
    "token_url": f"https://sts.{OTHER}/v1/oauthtoken",
    "token_info_url": f"https://sts.{OTHER}/v1/introspect",
    "client_id": "client",
    "client_secret": "secret",
}


def federated(token_file: Path, universe: str = OTHER) -> dict[str, object]:
    token_file.write_text("a-subject-token")
    source = {"file": str(token_file)}
    return federation(
        source, universe_domain=universe, token_url=f"https://sts.{universe}/v1/token", token_info_url=None
    )


def every_kind(folder: Path) -> dict[str, dict[str, object]]:
    """A file of each kind that sends a secret to hosts of its universe."""
    return {"impersonated": {**BENEATH}, "workforce": {**WORKFORCE}, "federated": federated(folder / "subject")}


@pytest.mark.parametrize("kind", ["impersonated", "workforce", "federated"])
def test_another_universe_is_the_users_to_name_and_not_the_files(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "c.json", every_kind(tmp_path)[kind])
    text = refusal(BadCredentials, {}, credentials=path)
    assert f"universe_domain in {path} names {OTHER}" in text
    assert f"export GOOGLE_CLOUD_UNIVERSE_DOMAIN={OTHER}" in text
    assert find(NAMED, credentials=path)[0].universe == OTHER
    assert find({}, credentials=path, trust_config=True)[0].universe == OTHER


@pytest.mark.parametrize("kind", ["impersonated", "workforce", "federated"])
def test_a_universe_does_not_cover_hosts_that_are_not_its_services(tmp_path: Path, kind: str) -> None:
    document = every_kind(tmp_path)[kind]
    for field in ("token_url", "token_info_url", "service_account_impersonation_url"):
        for wrong in (
            f"https://evil.example/{OTHER}",
            f"https://storage.{OTHER}/x",
            f"https://sts.{OTHER}.evil.example/",
        ):
            if field in document:
                path = write(tmp_path / "c.json", document | {field: wrong})
                assert field in refusal(BadCredentials, NAMED, credentials=path)


def test_googles_own_hosts_are_none_of_another_universes(tmp_path: Path) -> None:
    path = write(tmp_path / "c.json", WORKFORCE | {"token_url": "https://sts.googleapis.com/v1/oauthtoken"})
    assert "token_url" in refusal(BadCredentials, NAMED, credentials=path)


@pytest.mark.parametrize("options", [{}, {"kind": "jwt"}])
def test_a_key_alone_sends_nothing_anywhere_and_needs_no_leave(tmp_path: Path, options: dict[str, Any]) -> None:
    source, _ = find({}, credentials=write(tmp_path / "k.json", KEY_THERE), **options)
    assert (source.universe, source.principal) == (OTHER, KEY["client_email"])


BOUNDARY = json.dumps(
    {
        "accessBoundaryRules": [
            {
                "availableResource": "//storage.googleapis.com/projects/_/buckets/b",
                "availablePermissions": ["inRole:roles/storage.objectViewer"],
            }
        ]
    }
)


@pytest.mark.parametrize(
    "options",
    [{"impersonate": (TARGET,)}, {"kind": "id", "audience": "https://a.example"}, {"boundary": BOUNDARY}],
)
def test_a_key_that_would_be_spoken_for_there_does(tmp_path: Path, options: dict[str, Any]) -> None:
    path = write(tmp_path / "k.json", KEY_THERE)
    assert f"names {OTHER}" in refusal(BadCredentials, {}, credentials=path, **options)
    assert find(NAMED, credentials=path, **options)[0].universe == OTHER


@pytest.mark.parametrize("token_uri", ["https://oauth2.apis.example/token", "https://oauth2.googleapis.com/token"])
def test_the_token_uri_of_a_key_is_its_universes_or_googles(tmp_path: Path, token_uri: str) -> None:
    path = write(tmp_path / "k.json", KEY_THERE | {"token_uri": token_uri})
    assert find({}, credentials=path)[0].universe == OTHER
    evil = write(tmp_path / "e.json", KEY_THERE | {"token_uri": "https://evil.example/token"})
    assert "token_uri" in refusal(BadCredentials, {}, credentials=evil)


def test_people_of_google_are_in_no_other_universe(tmp_path: Path) -> None:
    path = write(tmp_path / "u.json", USER | {"universe_domain": OTHER})
    for env in ({}, NAMED):
        assert "where there are no such logins" in refusal(BadCredentials, env, credentials=path)


def test_a_file_has_one_universe(tmp_path: Path) -> None:
    two = BENEATH | {"source_credentials": KEY | {"universe_domain": "third.example"}}
    assert "third.example" in refusal(BadCredentials, NAMED, credentials=write(tmp_path / "i.json", two))
    inner = {name: value for name, value in BENEATH.items() if name != "universe_domain"}
    path = write(tmp_path / "j.json", inner | {"source_credentials": KEY_THERE})
    assert find(NAMED, credentials=path)[0].universe == OTHER


@pytest.mark.parametrize("bad", ["Apis.Example", "localhost", "a b.example", "apis.example/", "x.y:443", "", 5])
def test_a_universe_is_a_domain(tmp_path: Path, bad: object) -> None:
    path = write(tmp_path / "k.json", KEY | {"universe_domain": bad})
    if bad == "":
        assert find({}, credentials=path)[0].universe == "googleapis.com"
    else:
        assert "universe_domain" in refusal(BadCredentials, {}, credentials=path)


@pytest.mark.parametrize("document", [KEY, USER, IMPERSONATED, KEY | {"universe_domain": "googleapis.com"}])
def test_a_credential_of_another_universe_than_the_environment_names(tmp_path: Path, document: dict[str, Any]) -> None:
    path = write(tmp_path / "c.json", document)
    text = refusal(BadCredentials, NAMED, credentials=path, trust_config=True)
    assert f"of the universe googleapis.com, and GOOGLE_CLOUD_UNIVERSE_DOMAIN names {OTHER}" in text
    assert path in text
    assert "unset GOOGLE_CLOUD_UNIVERSE_DOMAIN" in text


def test_the_other_way_round(tmp_path: Path) -> None:
    path = write(tmp_path / "k.json", KEY_THERE)
    for named in ("googleapis.com", "third.example"):
        text = refusal(BadCredentials, {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": named}, credentials=path)
        assert f"of the universe {OTHER}, and GOOGLE_CLOUD_UNIVERSE_DOMAIN names {named}" in text
        assert f"universe_domain in {path}" in text


def test_the_variable_has_to_be_a_domain(tmp_path: Path) -> None:
    path = write(tmp_path / "k.json", KEY)
    for bad in ("https://apis.example", "apis", "a b"):
        refusal(UsageError, {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": bad}, credentials=path)
    assert find({"GOOGLE_CLOUD_UNIVERSE_DOMAIN": ""}, credentials=path)[0].universe == "googleapis.com"


def test_there_is_no_delegation_by_people_elsewhere(tmp_path: Path) -> None:
    for document in (KEY_THERE, BENEATH):
        path = write(tmp_path / "k.json", document)
        text = refusal(UsageError, NAMED, credentials=path, subject="ada@example.com")
        assert f"no domain-wide delegation in the universe {OTHER}" in text


def test_a_ready_made_token_is_of_the_universe_that_is_named() -> None:
    env = {"CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.x", **NAMED}
    assert find(env, source="env")[0].universe == OTHER


def test_a_provider_without_a_file_is_spoken_to_in_the_universe_that_is_named() -> None:
    provider = "projects/1/locations/global/workloadIdentityPools/pool/providers/prov"
    env = {"GITLAB_OIDC_TOKEN": "a.b.c", **NAMED}
    source, _ = find(env, source="gitlab", provider=provider)
    assert source.federation is not None
    assert (source.universe, source.federation.token_url) == (OTHER, f"https://sts.{OTHER}/v1/token")


class TestWithAnEmulator:
    """While an emulator is set, no host of any universe is spoken to but through it."""

    @pytest.mark.parametrize("trust", [True, False])
    def test_a_real_universe_is_refused(self, tmp_path: Path, trust: bool) -> None:
        marked = KEY_THERE | {"private_key_id": "emulator-1"}
        env = {"GBEARER_EMULATOR_HOST": "127.0.0.1:9"}
        for document in (marked, WORKFORCE | {"refresh_token": "emulator-1//0"}):
            path = write(tmp_path / "k.json", document)
            text = refusal(BadCredentials, env, credentials=path, trust_config=trust)
            assert f"of the real universe {OTHER}" in text

    def test_what_is_named_and_what_is_the_emulators_goes_there(self) -> None:
        env = {"GBEARER_EMULATOR_HOST": "127.0.0.1:9"}
        for host, led in (
            (f"storage.{EMULATED}", True),
            (f"iamcredentials.{EMULATED}", True),
            (f"a.b.c.{EMULATED}", True),
            (f"storage.{OTHER}", False),
            (f"evil-{EMULATED}", False),
            ("emulator-universe", False),
        ):
            url = endpoints.parse(f"https://{host}/x")
            assert (endpoints.route(url, env).host == "127.0.0.1") is led, host
        assert endpoints.route(endpoints.parse(f"https://sts.{OTHER}/v1/token"), env | NAMED).host == "127.0.0.1"
        assert endpoints.route(endpoints.parse(f"https://sts.{OTHER}/v1/token"), NAMED).host == f"sts.{OTHER}"


def broker(em: Emulator, **more: str) -> Broker:
    return Broker({"GBEARER_EMULATOR_HOST": em.host, "HOME": "/nowhere", "GBEARER_CACHE": "off", **more})


IN_UNIVERSE = {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": EMULATED}


def test_a_keys_access_token_is_a_jwt_of_its_own_and_needs_no_network(
    gbearer_emulator: Emulator, traffic: Callable[[], list[str]]
) -> None:
    token = broker(gbearer_emulator).get(Ask(credentials=str(gbearer_emulator.dir / "key-universe.json")))
    told = claims.claims(token.value)
    assert (told["scope"], told.get("aud")) == ("https://www.googleapis.com/auth/cloud-platform", None)
    assert token.principal == f"robot@{DOMAIN}"
    assert token.kind == "access"
    assert 3500 < token.expires_in() <= 3600
    assert gbearer_emulator.log() == []
    assert traffic() == []


def test_it_acts_as_another_account_by_the_iam_credentials_of_its_universe(gbearer_emulator: Emulator) -> None:
    path = str(gbearer_emulator.dir / "key-universe.json")
    ask = Ask(credentials=path, impersonate=(f"target@{DOMAIN}",))
    assert broker(gbearer_emulator, **IN_UNIVERSE).get(ask).principal == f"target@{DOMAIN}"
    assert [(line["host"], line["status"]) for line in gbearer_emulator.log()] == [(f"iamcredentials.{EMULATED}", 200)]


@pytest.mark.parametrize("chain", [(), (f"target@{DOMAIN}",)])
def test_its_id_tokens_are_made_there_too(gbearer_emulator: Emulator, chain: tuple[str, ...]) -> None:
    path = str(gbearer_emulator.dir / "key-universe.json")
    ask = Ask("id", credentials=path, audience=AUDIENCE, impersonate=chain)
    token = broker(gbearer_emulator, **IN_UNIVERSE).get(ask)
    assert (token.audience, token.principal) == (AUDIENCE, chain[-1] if chain else f"robot@{DOMAIN}")
    assert [line["host"] for line in gbearer_emulator.log()] == [f"iamcredentials.{EMULATED}"]


def test_a_role_that_is_missing_there_is_told_as_elsewhere(gbearer_emulator: Emulator) -> None:
    denied = {"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "Permission denied"}}
    gbearer_emulator.fault({"match": {"host": f"iamcredentials.{EMULATED}"}, "status": 403, "body": json.dumps(denied)})
    ask = Ask("id", credentials=str(gbearer_emulator.dir / "key-universe.json"), audience=AUDIENCE)
    with pytest.raises(Error) as caught:
        broker(gbearer_emulator, **IN_UNIVERSE).get(ask)
    assert isinstance(caught.value, Denied)
    assert f"robot@{DOMAIN} may not get ID tokens of robot@{DOMAIN}" in caught.value.message
    assert "add-iam-policy-binding" in caught.value.fix


class Machine:
    """A metadata server of any universe, and IAM Credentials beside it."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.universe: Reply = Reply(200, EMULATED)
        served.handle = self._handle

    def _handle(self, request: Request) -> Reply:
        if request.path.endswith("/universe/universe-domain"):
            return self.universe
        if request.path.endswith("/token"):
            return Reply(200, {"access_token": "ya29.machine", "expires_in": 3600, "token_type": "Bearer"})
        if request.path.endswith(":generateAccessToken"):
            return Reply(200, {"accessToken": "ya29.there", "expireTime": "2099-01-01T00:00:00Z"})
        return Reply(200, {"email": "vm@x.iam.gserviceaccount.com", "scopes": [], "aliases": ["default"]})

    def asked(self) -> int:
        return sum(1 for path in self.served.paths() if "universe" in path)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with serve() as served:
        yield Machine(served)


def on_machine(machine: Machine, cache: str, **more: str) -> Broker:
    host = machine.served.url.removeprefix("http://")
    return Broker({"GBEARER_EMULATOR_HOST": host, "HOME": "/nowhere", "GBEARER_CACHE": cache, **more})


ON = Ask(source="metadata")


def test_a_machine_is_asked_for_its_universe_only_where_that_matters_and_once(machine: Machine, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    assert on_machine(machine, cache).get(ON).value == "ya29.machine"
    assert machine.asked() == 0
    acting = ON.replace(impersonate=(TARGET,))
    for _ in range(3):
        on_machine(machine, cache).get(acting.replace(refresh=True))
    hosts = {request.headers["host"] for request in machine.served.requests if "serviceAccounts" in request.path}
    assert hosts == {f"iamcredentials.{EMULATED}"}
    assert machine.asked() == 1
    assert on_machine(machine, cache).universe(ON) == EMULATED
    assert machine.asked() == 1


@pytest.mark.parametrize("reply", [Reply(404, "no"), Reply(403, "no"), Reply(200, ""), Reply(200, "googleapis.com\n")])
def test_a_machine_that_says_nothing_is_googles(machine: Machine, tmp_path: Path, reply: Reply) -> None:
    machine.universe = reply
    assert on_machine(machine, str(tmp_path / "cache")).universe(ON) == "googleapis.com"


def test_a_machine_that_says_nonsense_is_not_understood(machine: Machine, tmp_path: Path) -> None:
    machine.universe = Reply(200, "<html>log in</html>")
    with pytest.raises(Unreachable, match="not understood"):
        on_machine(machine, str(tmp_path / "cache")).universe(ON)


def test_a_machine_of_another_universe_than_the_environment_names(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(BadCredentials) as caught:
        on_machine(machine, str(tmp_path / "cache"), **NAMED).get(ON)
    assert f"of the universe {EMULATED}, and GOOGLE_CLOUD_UNIVERSE_DOMAIN names {OTHER}" in caught.value.message
    assert "metadata server" in caught.value.why


def test_a_machine_does_not_lead_a_token_past_the_emulator(machine: Machine, tmp_path: Path) -> None:
    machine.universe = Reply(200, "evil.example")
    with pytest.raises(BadCredentials, match=r"of the real universe evil\.example"):
        on_machine(machine, str(tmp_path / "cache")).get(ON.replace(impersonate=(TARGET,)))


def test_credentials_of_two_universes_share_no_token() -> None:
    look = Look({"HOME": "/nowhere"})
    found = [sources.locate(Ask(credentials=json.dumps(each)), look, Transport(look.env)) for each in (KEY, KEY_THERE)]
    assert found[0].fingerprint != found[1].fingerprint
