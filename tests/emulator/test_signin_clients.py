"""Google's own libraries sign in: google-auth-oauthlib by the loopback flow, google-auth with a workforce session."""

import json
import threading
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

import pytest
from google.auth import external_account_authorized_user
from google.auth.exceptions import OAuthError
from google.auth.transport.requests import Request
from google_auth_oauthlib.flow import InstalledAppFlow  # type: ignore[import-untyped]

from emulator.hands import ADA, CLOUD, EMAIL_SCOPE, call, good
from emulator.visitor import IDP, PRINCIPAL
from gbearer.emulator import Emulator

SCOPES = ["openid", EMAIL_SCOPE, CLOUD]


class Browser(webbrowser.BaseBrowser):
    """A browser in whose hands the emulator's pages are gone through; it does not keep the program waiting."""

    def __init__(self, em: Emulator, decision: str = "allow") -> None:
        super().__init__("emulator")
        self.em, self.decision = em, decision

    def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
        """Go to `url`, and at the end to where it leads."""
        del new, autoraise

        def visit() -> None:
            with urllib.request.urlopen(self.em.sign_in(url, decision=self.decision)) as answer:
                answer.read()

        threading.Thread(target=visit, daemon=True).start()
        return True


def flow(em: Emulator, monkeypatch: pytest.MonkeyPatch, decision: str = "allow") -> Any:
    for name, value in em.env.items():
        monkeypatch.setenv(name, value)
    webbrowser.register("emulator", None, Browser(em, decision), preferred=True)
    return InstalledAppFlow.from_client_secrets_file(str(em.client_file), SCOPES)


def test_google_auth_oauthlib_signs_in_and_its_credentials_refresh(
    em: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = flow(em, monkeypatch).run_local_server(
        host="127.0.0.1", port=0, browser="emulator", timeout_seconds=30, open_browser=True
    )
    assert good(call(em, "GET", "/v1/protected", token=credentials.token))["caller"]["email"] == ADA
    assert credentials.refresh_token.startswith("emulator-1//0")
    assert set(credentials.granted_scopes) == set(SCOPES)
    former = credentials.token
    credentials.refresh(Request())
    assert credentials.token != former
    asked = next(entry for entry in em.log() if entry["path"] == "/o/oauth2/auth")
    assert "code_challenge_method=S256" in asked["query"]


def test_google_auth_oauthlib_is_told_that_consent_was_cancelled(em: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="access_denied"):
        flow(em, monkeypatch, "deny").run_local_server(
            host="127.0.0.1", port=0, browser="emulator", timeout_seconds=30, open_browser=True
        )


def test_google_auth_keeps_the_rotated_token_of_a_workforce_session(em: Emulator) -> None:
    credentials = external_account_authorized_user.Credentials.from_file(str(em.workforce_user_file))
    first = credentials.refresh_token
    for _ in range(3):
        credentials.refresh(Request())
        caller = good(call(em, "GET", "/v1/protected", token=credentials.token))["caller"]
        assert caller["principal"] == f"{PRINCIPAL}/{ADA}"
    assert credentials.refresh_token != first
    assert credentials.audience == f"//iam.googleapis.com/{IDP}"
    former = external_account_authorized_user.Credentials.from_file(str(em.workforce_user_file))
    with pytest.raises(OAuthError, match="session revoked"):
        former.refresh(Request())
    with pytest.raises(OAuthError, match="revoked"):
        credentials.refresh(Request())


def test_google_auth_takes_the_login_config_for_no_credential(em: Emulator, tmp_path: Path) -> None:
    document = json.loads(em.login_config_file.read_text())
    (tmp_path / "x.json").write_text(json.dumps(document))
    with pytest.raises(Exception, match="token"):
        external_account_authorized_user.Credentials.from_info(document).refresh(Request())
