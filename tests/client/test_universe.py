"""Calls in another universe: its API hosts are known, and no token goes from one cloud to the other."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gbearer import cli
from gbearer.client import Client
from gbearer.emulator import Emulator
from gbearer.errors import BadCredentials, UsageError

OTHER = "emulator-universe.example"
THERE = f"https://pubsub.{OTHER}/v1/protected"
HERE = "https://pubsub.googleapis.com/v1/protected"
NAMED = {"GOOGLE_CLOUD_UNIVERSE_DOMAIN": OTHER}


def client(em: Emulator, env: Mapping[str, str], file: str = "key-universe.json", **more: str) -> Client:
    return Client(credentials=str(em.dir / file), env={**env, **more})


@pytest.mark.parametrize("more", [{}, NAMED])
def test_a_host_of_the_credentials_universe_gets_an_access_token(
    em: Emulator, env: dict[str, str], more: dict[str, str]
) -> None:
    answer = client(em, env, **more).request("GET", THERE)
    assert answer.status == 200, answer.data
    assert [(line["host"], line["status"]) for line in em.log()] == [(f"pubsub.{OTHER}", 200)]


@pytest.mark.parametrize("more", [{}, NAMED])
@pytest.mark.parametrize("auth", ["auto", "access"])
def test_its_token_is_not_sent_to_google(em: Emulator, env: dict[str, str], auth: str, more: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=rf"universe {OTHER}, and pubsub\.googleapis\.com is of googleapis\.com"):
        client(em, env, **more).request("GET", HERE, auth=auth)
    assert em.log() == []


def test_nor_an_id_token_that_nobody_asked_for_by_its_audience(em: Emulator, env: dict[str, str]) -> None:
    there = client(em, env, **NAMED)
    with pytest.raises(UsageError, match=r"service\.run\.app is of googleapis\.com"):
        there.request("GET", "https://service.run.app/")
    assert [line["host"] for line in em.log() if "run.app" in line["host"]] == []
    em.reset()
    there.request("GET", "https://service.run.app/", audience="https://service.run.app")
    assert em.log()[-1]["host"] == "service.run.app"


def test_a_google_credential_is_not_sent_there(em: Emulator, env: dict[str, str]) -> None:
    """To what is known to be another universe's: the emulator's own, and what the environment names."""
    for auth in ("auto", "access"):
        with pytest.raises(UsageError, match=rf"universe googleapis\.com, and pubsub\.{OTHER} is of {OTHER}"):
            client(em, env, "key.json").request("GET", THERE, auth=auth)
        em.reset()
    with pytest.raises(BadCredentials, match=r"googleapis\.com, and GOOGLE_CLOUD_UNIVERSE_DOMAIN names"):
        client(em, env, "key.json", **NAMED).request("GET", THERE)
    assert em.log() == []


def test_a_host_of_neither_says_what_would_do(em: Emulator, env: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        client(em, env).request("GET", "https://storage.third.example/x")
    assert f"*.{OTHER} for a credential of that universe" in caught.value.why


def test_without_a_credential_an_unknown_host_is_what_is_said(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not tell which token it wants"):
        Client(credentials=str(tmp_path / "none.json"), env=env).request("GET", "https://storage.third.example/x")


def test_with_an_emulator_a_host_of_no_known_universe_is_not_called(em: Emulator, env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="is not called while"):
        client(em, env).request("GET", "https://storage.third.example/x", auth="access")


def test_the_universe_costs_nothing_once_there_is_a_token(
    em: Emulator, env: dict[str, str], traffic: Callable[[], list[str]]
) -> None:
    there = client(em, env)
    for _ in range(3):
        assert there.request("GET", THERE).status == 200
    assert len(em.log()) == 3
    assert all("127.0.0.1" in line for line in traffic() if line.startswith("connect"))


def run(env: Mapping[str, str], *argv: str) -> tuple[int, str, str]:
    given, out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(3))
    code = cli.main(list(argv), stdin=given, stdout=out, stderr=err, env=dict(env))
    texts = []
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode())
    return code, texts[0], texts[1]


def test_the_command_line_does_the_same(em: Emulator, env: dict[str, str]) -> None:
    key = ("--credentials", str(em.universe_key_file))
    code, out, err = run(env, "request", "--fail", "GET", THERE, *key)
    assert (code, err) == (0, ""), err
    assert "emulator-universe.iam.gserviceaccount.com" in out
    em.reset()
    for command in (("request", "GET", HERE, *key), ("curl", *key, "--", "-sS", f"{em.url}/v1/protected", HERE)):
        code, out, err = run(env, *command)
        assert (code, out) == (2, ""), err
    code, out, err = run(env, "request", "GET", THERE)
    assert (code, out) == (2, "")
    code, out, err = run({**env, **NAMED}, "request", "GET", THERE)
    assert (code, out) == (4, "")
    assert f"GOOGLE_CLOUD_UNIVERSE_DOMAIN names {OTHER}" in err
    assert em.log() == []


def test_curl_refuses_before_it_runs(em: Emulator, env: dict[str, str]) -> None:
    real = {name: value for name, value in env.items() if name != "GBEARER_EMULATOR_HOST"}
    key = ("--credentials", str(em.universe_key_file))
    code, out, err = run({**real, "PATH": "/usr/bin:/bin"}, "curl", *key, "--", "-sS", HERE)
    assert (code, out) == (2, ""), err
    assert "pubsub.googleapis.com is of googleapis.com" in err


def test_whoami_names_the_universe_where_it_is_another(em: Emulator, env: dict[str, str]) -> None:
    code, out, _ = run(env, "whoami", "--credentials", str(em.universe_key_file))
    assert code == 0
    assert f"universe    {OTHER}\n" in out
    assert em.log() == []  # Google's tokeninfo is not told a token of another cloud
    code, out, _ = run(env, "whoami", "--credentials", str(em.key_file))
    assert code == 0
    assert "universe" not in out.replace(OTHER, "")


def test_whoami_asks_the_token_service_of_a_workforce_login(em: Emulator, env: dict[str, str]) -> None:
    code, out, err = run(env, "whoami", "--credentials", str(em.workforce_user_file))
    assert code == 0, err
    assert "principal://iam.googleapis.com/locations/global/workforcePools/" in out
    assert [line["path"] for line in em.log()] == ["/v1/oauthtoken", "/v1/introspect"]


def test_preflight_takes_a_universe_that_is_named(em: Emulator, env: dict[str, str], tmp_path: Path) -> None:
    text = (em.dir / "external-file.json").read_text().replace("sts.googleapis.com", f"sts.{OTHER}")
    path = tmp_path / "there.json"
    path.write_text(text.replace('"universe_domain": "googleapis.com"', f'"universe_domain": "{OTHER}"'))
    code, _, _ = run(env, "preflight", str(path))
    assert code == 4
    code, said, err = run({**env, **NAMED}, "preflight", str(path))
    assert code == 0, said + err
    assert f"sts.{OTHER}" in said
