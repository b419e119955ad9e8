"""The real gcloud signs in at the emulator: as a user, for its ADC file, and through a workforce pool."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from emulator.hands import ADA, TARGET, call, good
from gbearer.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.program("gcloud")]
PRINCIPAL = "principal://iam.googleapis.com/locations/global/workforcePools/emulator-workforce/subject"
BROWSER = """#!{python}
import os, sys, urllib.request
if os.fork():
    os._exit(0)  # gcloud waits for the browser to be open, and then for what it brings
from gbearer.emulator.signin.follow import sign_in
urllib.request.urlopen(sign_in({url!r}, sys.argv[1], "grace@example.com", "allow", None)).read()
"""


@pytest.fixture
def env(em: Emulator, tmp_path: Path) -> dict[str, str]:
    """The variables of env.sh, with a configuration folder for each test; Google itself is out of reach."""
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "GBEARER_TEST_TRAFFIC")},
        **em.env,
        "CLOUDSDK_CONFIG": str(tmp_path / "gcloud"),
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing listens there
    }


def run(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        ["gcloud", *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def login(em: Emulator, env: dict[str, str], *arguments: str, account: str = ADA) -> str:
    """Without a browser: open the URL that gcloud prints, and paste the code that the page at the end shows."""
    command = ["gcloud", *arguments, "--no-launch-browser"]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as gcloud:
        assert gcloud.stdout is not None
        seen = ""
        for line in gcloud.stdout:
            seen += line
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+", line)
            if found:
                shown = urlsplit(em.sign_in(found[0], account))
                page = call(em, "GET", f"{shown.path}?{shown.query}").data.decode()
                code = parse_qs(shown.query)["code"][0]
                assert code in page
                seen += gcloud.communicate(code + "\n", timeout=90)[0]
                break
    assert gcloud.returncode == 0, seen
    return seen


def caller(em: Emulator, token: str) -> dict[str, str]:
    found: dict[str, str] = good(call(em, "GET", "/v1/protected", token=token))["caller"]
    return found


def grant_types(em: Emulator) -> list[str]:
    return [str(entry["grant_type"]) for entry in em.log() if entry["grant_type"]]


def test_gcloud_signs_in_with_a_browser_refreshes_and_reauthentication_stops_it(
    em: Emulator, env: dict[str, str], tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(BROWSER.format(python=sys.executable, url=em.url))
    browser.chmod(0o700)
    run({**env, "BROWSER": str(browser), "DISPLAY": ":99", "NO_GCE_CHECK": "true"}, "auth", "login")
    assert run(env, "config", "get", "account") == "grace@example.com"
    assert caller(em, run(env, "auth", "print-access-token"))["email"] == "grace@example.com"
    assert grant_types(em) == ["authorization_code"]
    (tmp_path / "gcloud" / "access_tokens.db").unlink()
    assert caller(em, run(env, "auth", "print-access-token"))["email"] == "grace@example.com"
    assert grant_types(em)[:2] == ["authorization_code", "refresh_token"]

    (tmp_path / "gcloud" / "access_tokens.db").unlink()
    assert em.require_reauth("grace@example.com") >= 1
    refused = subprocess.run(
        ["gcloud", "auth", "print-access-token"], env=env, capture_output=True, text=True, timeout=90, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert refused.returncode != 0
    assert "gcloud auth login" in refused.stderr


def test_gcloud_writes_an_adc_file_that_refreshes(em: Emulator, env: dict[str, str], tmp_path: Path) -> None:
    said = login(em, env, "auth", "application-default", "login")
    adc = json.loads((tmp_path / "gcloud" / "application_default_credentials.json").read_text())
    assert adc["type"] == "authorized_user"
    assert adc["refresh_token"].startswith("emulator-1//0")
    assert adc["quota_project_id"] == "emulator-project"
    assert "token_uri" not in adc
    assert caller(em, run(env, "auth", "application-default", "print-access-token"))["email"] == ADA
    assert "Credentials saved" in said


def test_gcloud_signs_in_through_a_workforce_pool(em: Emulator, env: dict[str, str], tmp_path: Path) -> None:
    config = f"--login-config={em.login_config_file}"
    login(em, env, "auth", "login", config, account="grace@example.com")
    assert run(env, "config", "get", "account") == f"{PRINCIPAL}/grace@example.com"
    assert caller(em, run(env, "auth", "print-access-token"))["principal"] == f"{PRINCIPAL}/grace@example.com"
    em.bind(TARGET, f"{PRINCIPAL}/grace@example.com")
    acting = run(env, "auth", "print-access-token", f"--impersonate-service-account={TARGET}")
    assert caller(em, acting)["email"] == TARGET

    login(em, env, "auth", "application-default", "login", config)
    adc = json.loads((tmp_path / "gcloud" / "application_default_credentials.json").read_text())
    assert adc["type"] == "external_account_authorized_user"
    assert caller(em, run(env, "auth", "application-default", "print-access-token"))["principal"].endswith(ADA)


def test_gcloud_fails_when_consent_is_cancelled_and_exchanges_nothing(
    em: Emulator, env: dict[str, str], tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    script = BROWSER.format(python=sys.executable, url=em.url).replace('"allow"', '"deny"')
    browser.write_text(script)
    browser.chmod(0o700)
    done = subprocess.run(
        ["gcloud", "auth", "login"], env={**env, "BROWSER": str(browser), "DISPLAY": ":99"}, capture_output=True,
        text=True, timeout=90, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Missing code parameter in response" in done.stderr  # gcloud's words for error=access_denied
    assert [entry["decision"] for entry in em.log() if "decision" in entry] == ["deny"]
    assert grant_types(em) == []
