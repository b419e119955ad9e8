"""A service identity of a Distributed Cloud, from the command line to a server on the premises that takes its token."""

import json
from pathlib import Path

import gbearer
from gbearer.emulator import Emulator
from shows.conftest import Run
from shows.test_right_at_once import is_warm

WHO = "system:serviceaccount:emulator-project:emulator-workload"


def called(run: Run, em: Emulator, url: str, *args: str) -> tuple[int, str]:
    done = run("request", "GET", url, "--credentials", str(em.gdch_file), *args)
    return done.returncode, done.stdout


def test_token_header_and_request_for_an_audience(run: Run, em: Emulator, env: dict[str, str]) -> None:
    audience = f"{em.url}/gdch/orders"
    given = ("--credentials", str(em.gdch_file), "--audience", audience)
    told = json.loads(run("token", *given, "--format", "json").stdout)
    assert (told["kind"], told["principal"], told["audience"]) == ("access", WHO, audience)
    assert 3500 < told["expires_in"] <= 3600
    value = run("token", *given).stdout.strip()
    assert value == told["access_token"]
    assert run("token", *given, "--format", "header").stdout == f"Authorization: Bearer {value}\n"
    header = run("header", *given).stdout
    assert header.startswith("Authorization: Bearer eyJ")
    code, body = called(run, em, audience, "--audience", audience)
    assert (code, json.loads(body)["caller"]["principal"]) == (0, WHO)
    code, _ = called(run, em, f"{em.url}/gdch/others", "--audience", audience, "--fail")
    assert code == 22, "a token is for one audience"
    client = gbearer.Client(credentials=str(em.gdch_file), audience=audience, env=env)
    assert client.request("GET", audience).status == 200


def test_its_endpoint_over_tls_is_believed_for_the_ca_in_the_file(run: Run, em: Emulator, tmp_path: Path) -> None:
    audience = f"{em.url}/gdch/orders"
    assert run("token", "--credentials", str(em.gdch_tls_file), "--audience", audience).returncode == 0
    info = json.loads(em.gdch_tls_file.read_text())
    del info["ca_cert_path"]
    (tmp_path / "gdch.json").write_text(json.dumps(info))
    done = run("token", "--credentials", str(tmp_path / "gdch.json"), "--audience", audience, "--refresh")
    assert (done.returncode, done.stdout) == (7, "")
    assert "is not trusted" in done.stderr


def test_google_cloud_is_never_sent_such_a_token(run: Run, em: Emulator) -> None:
    for url in ("https://storage.googleapis.com/storage/v1/b/emulator-bucket/o", f"{em.url}/v1/protected"):
        code, body = called(run, em, url)
        assert (code, body) == (2, "")
    assert em.log() == []


def test_whoami_tells_what_was_found_though_there_is_no_token_without_an_audience(run: Run, em: Emulator) -> None:
    done = run("whoami", "--credentials", str(em.gdch_file))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"service identity of a Distributed Cloud of {WHO}" in done.stderr
    assert "gbearer token --audience" in done.stderr


def test_it_is_remembered_like_everything_else(run: Run, em: Emulator, env: dict[str, str], settled: object) -> None:
    assert callable(settled)
    settled(em.gdch_tls_file, em.dir / "ca.pem")
    args = ("token", "--credentials", str(em.gdch_tls_file), "--audience", f"{em.url}/gdch/warm")
    first = run(*args)
    assert first.returncode == 0, first.stderr
    assert is_warm(env, *args)
    em.reset()
    assert run(*args).stdout == first.stdout
    assert em.log() == []
