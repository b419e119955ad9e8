"""Signing in to a workforce pool: by its login config, kept with new refresh tokens, ended by logout."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.conftest import Ended
from gbearer.emulator import Emulator
from login.conftest import ADA, Login, visit

Begin = Callable[..., Login]
Done = Callable[..., Ended]


@pytest.fixture
def files(em: Emulator) -> list[str]:
    return ["--login-config", str(em.dir / "login-config.json"), "--client-file", str(em.dir / "client.json")]


@pytest.fixture
def whole(login: Begin, em: Emulator, files: list[str]) -> Callable[..., Ended]:
    def do(*argv: str) -> Ended:
        begun = login(*(argv or files))
        visit(em.sign_in(begun.url, account=ADA))
        return begun.end()

    return do


def kept(home: Path) -> dict[str, Any]:
    (path,) = (home / ".config/gbearer/emulator-logins").glob("*.json")
    info: dict[str, Any] = json.loads(path.read_text())
    return info


def test_a_workforce_sign_in_ends_in_a_token_that_works(
    login: Begin, em: Emulator, files: list[str], spawn: Done, own_environment: Path
) -> None:
    begun = login(*files)
    url = urlsplit(begun.url)
    asked = parse_qs(url.query)
    assert (url.netloc, url.path) == (em.host, "/authorize")
    provider = "locations/global/workforcePools/emulator-workforce/providers/emulator-idp"
    assert asked["provider_name"] == [provider]
    assert asked["code_challenge_method"] == ["S256"]
    page = visit(em.sign_in(begun.url, account=ADA))
    ended = begun.end()
    assert (ended.code, page.status) == (0, 200), ended.err
    info = kept(own_environment)
    assert info["type"] == "external_account_authorized_user"
    assert str(info["account"]).startswith("principal://")
    assert ended.out == f"signed in as {info['account']}\n"
    assert spawn("request", "GET", f"{em.url}/v1/protected").code == 0
    assert str(info["account"]) in spawn("whoami").out
    posted = [line for line in em.log() if line["grant_type"] == "authorization_code"]
    assert [(line["path"], line["query"], line["status"]) for line in posted] == [("/v1/oauthtoken", "", 200)]


def test_every_refresh_brings_a_new_refresh_token_which_is_kept(
    whole: Callable[..., Ended], spawn: Done, own_environment: Path
) -> None:
    assert whole().code == 0
    seen = [kept(own_environment)["refresh_token"]]
    tokens = set()
    for _ in range(3):
        ended = spawn("token", "--refresh")
        assert ended.code == 0, ended.err
        tokens.add(ended.out)
        seen.append(kept(own_environment)["refresh_token"])
    assert len(set(seen)) == 4
    assert len(tokens) == 3
    assert spawn("token").out in tokens  # what was cached is this login's still, though its file has changed


def test_signing_in_anew_needs_the_account_only(
    whole: Callable[..., Ended], login: Begin, em: Emulator, own_environment: Path
) -> None:
    assert whole().code == 0
    account = str(kept(own_environment)["account"])
    begun = login("--account", account)
    assert "provider_name=" in begun.url
    visit(em.sign_in(begun.url, account=ADA))
    assert begun.end().code == 0


def test_an_ended_session_is_6_with_the_command_to_run(
    whole: Callable[..., Ended], spawn: Done, em: Emulator, own_environment: Path
) -> None:
    assert whole().code == 0
    account = str(kept(own_environment)["account"])
    em.require_reauth(account)
    ended = spawn("token")
    assert (ended.code, ended.out) == (6, "")
    assert f"gbearer login --account {account}" in ended.err
    assert whole("--account", account).code == 0
    assert spawn("token").code == 0


def test_logout_revokes_at_the_token_service(
    whole: Callable[..., Ended], spawn: Done, em: Emulator, own_environment: Path
) -> None:
    assert whole().code == 0
    refresh_token = kept(own_environment)["refresh_token"]
    ended = spawn("logout")
    assert (ended.code, "signed out: principal://" in ended.out) == (0, True), ended.err
    (revoked,) = [line for line in em.log() if "revoke" in line["path"]]
    assert (revoked["method"], revoked["query"], revoked["status"]) == ("POST", "", 200)
    assert refresh_token not in json.dumps(em.log())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "external_account"}, "is no login config"),
        ({"auth_url": "https://evil.example/authorize"}, "auth_url"),
        ({"auth_url": "https://auth.cloud.google.evil.example/"}, "auth_url"),
        ({"token_url": "https://evil.example/v1/oauthtoken"}, "token_url"),
        ({"token_info_url": "https://evil.example/v1/introspect"}, "token_info_url"),
        ({"audience": "//iam.googleapis.com/projects/1/locations/global"}, "names no provider of a workforce pool"),
        ({"audience": None}, "audience is missing"),
        ({"universe_domain": "evil.example"}, "evil.example"),
    ],
)
def test_a_login_config_that_names_somebody_else_is_4(
    spawn: Done, em: Emulator, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    config = json.loads((em.dir / "login-config.json").read_text()) | change
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    em.reset()
    ended = spawn("login", "--login-config", str(path), "--client-file", str(em.dir / "client.json"))
    assert (ended.code, ended.out) == (4, "")
    assert words in ended.err
    assert em.log() == []


@pytest.mark.parametrize(
    ("web", "host", "words"),
    [
        ("evil.example", "auth.evil.example", "that evil.example belongs to the universe"),
        ("cloud.emulator-universe.example.evil.example", "auth.cloud.emulator-universe.example.evil.example", "alone"),
        ("evilemulator-universe.example", "auth.evilemulator-universe.example", "alone says"),
        ("console.emulator-universe.example", "auth.evil.example", "no sign-in page of Google's"),
        ("console.emulator-universe.example", "auth.console.emulator-universe.example", ""),
        ("", "auth.cloud.emulator-universe.example", ""),
    ],
)
def test_where_a_person_gives_the_password_is_inside_the_universe_that_was_named(
    login: Begin, em: Emulator, tmp_path: Path, web: str, host: str, words: str
) -> None:
    universe = "emulator-universe.example"
    config = json.loads((em.dir / "login-config.json").read_text())
    config |= {
        "universe_domain": universe, "universe_cloud_web_domain": web, "auth_url": f"https://{host}/authorize",
        "token_url": f"https://sts.{universe}/v1/oauthtoken",
        "token_info_url": f"https://sts.{universe}/v1/introspect",
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    client = str(em.dir / "client.json")
    begun = login("--login-config", str(path), "--client-file", client, GOOGLE_CLOUD_UNIVERSE_DOMAIN=universe)
    if not words:
        assert urlsplit(begun.url).path == "/authorize"
        return
    ended = begun.end()
    assert (ended.code, ended.out) == (4, "")
    assert f"names https://{host}\n" in ended.err
    assert words in ended.err


def test_somebody_new_of_a_pool_signs_in_with_what_that_pools_login_knows(
    whole: Callable[..., Ended], login: Begin, signed_in: Done, spawn: Done, em: Emulator, own_environment: Path
) -> None:
    assert whole().code == 0
    account = str(kept(own_environment)["account"])
    alone = spawn("login", "--account", ADA)
    assert (alone.code, "needs an OAuth client of your own" in alone.err) == (6, True)  # a pool's is none for Google
    signed_in()
    begun = login("--account", f"{account}-of-another-name")
    assert "provider_name=" in begun.url
    visit(em.sign_in(begun.url, account=ADA))
    ended = begun.end()
    assert (ended.code, f"error: {account} has signed in, not {account}-of" in ended.err) == (5, True)


def test_a_client_file_is_no_login_config(spawn: Done, em: Emulator) -> None:
    client = str(em.dir / "client.json")
    ended = spawn("login", "--login-config", client, "--client-file", client)
    assert (ended.code, "--client-file takes it" in ended.err) == (4, True)
