"""The two programs that this project began with, each as one line."""

import json

import gbearer
from gbearer.emulator import Emulator
from shows.conftest import Run

URL = "https://europe-west1-emulator-project.cloudfunctions.net/get_range"


def test_default_credentials_print_project_and_token(run: Run) -> None:
    told = json.loads(run("whoami", "--format", "json").stdout)
    assert told["project"] == "emulator-project"
    assert run("token").stdout.startswith("ya29.")


def test_a_cloud_function_is_called_with_the_service_account(run: Run, em: Emulator) -> None:
    for url in (f"{em.url}/functions/get_range", URL):
        done = run("request", "POST", url, "--json", "{}", "-i", "--credentials", str(em.key_file))
        assert done.returncode == 0, done.stderr
        head, _, body = done.stdout.partition("\n\n")
        assert head.startswith("HTTP/1.1 200")
        answer = json.loads(body)
        assert answer["json"] == {}
        assert answer["headers"]["Content-Type"] == "application/json"
        assert answer["audience"] == url
        assert answer["caller"]["email"].startswith("robot@")


def test_the_same_in_python(env: dict[str, str], em: Emulator) -> None:
    client = gbearer.Client(credentials=em.key_file, env=env)
    assert client.project() == "emulator-project"
    assert client.token().value.startswith("ya29.")
    response = client.request("POST", f"{em.url}/functions/get_range", json={})
    assert response.status == 200
    assert response.json()["json"] == {}


def test_what_the_function_refuses(run: Run, em: Emulator) -> None:
    """A wrong audience, an access token, an expired and a tampered token; and no token at all."""
    url = f"{em.url}/functions/get_range"

    def status(*more: str) -> str:
        done = run("request", "POST", url, "--json", "{}", "-i", "--no-cache", *more)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[1]

    assert status() == "200"
    assert status("--audience", "https://other.example") == "401"
    assert status("--auth", "access") == "401"
    assert status("--auth", "none") in ("401", "403")
    token = run("id-token", "--audience", url).stdout.strip()
    tampered = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    assert status("--auth", "none", "--header", f"Authorization: Bearer {token}") == "200"
    assert status("--auth", "none", "--header", f"Authorization: Bearer {tampered}") == "401"
    em.fault({"clock_skew": 4000})
    assert status("--auth", "none", "--header", f"Authorization: Bearer {token}") == "401"
    assert run("request", "POST", url, "--fail", "--auth", "none").returncode == 22
