"""Profiles, assumed roles and SSO: what cannot work is told with the profile, the file and the next command."""

import pytest

from aws_servers import ACCOUNT
from aws_servers.scenes import EXTERNAL_ID, ROLES, scene
from gbearer.errors import BadCredentials, Denied, LoginRequired, Unreachable, UsageError
from sources.aws.hands import Place


def test_an_external_id_that_is_missing_or_wrong(place: Place) -> None:
    with scene("profile that assumes a role", place.sts, place.home) as here:
        config = place.home / ".aws/config"
        config.write_text(config.read_text().replace(EXTERNAL_ID, "another"))
        text = place.refusal(Denied, here.env)
    assert "profile work" in text
    assert "may not call sts:AssumeRole" in text


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("ExpiredToken", BadCredentials, "have expired"),
        ("InvalidClientTokenId", BadCredentials, "does not accept the keys"),
        ("RequestExpired", BadCredentials, "because of its time"),
    ],
)
def test_what_sts_says_about_the_keys_beneath_a_role(place: Place, code: str, kind: type, says: str) -> None:
    place.sts.fails = (403, code, "The message of AWS")
    with scene("profile that assumes a role", place.sts, place.home) as here:
        text = place.refusal(kind, here.env)
    assert says in text
    assert "profile work" in text or "time" in text
    assert "The message of AWS" in text


def test_an_sts_that_is_down_or_not_there(place: Place) -> None:
    with scene("profile that assumes a role", place.sts, place.home) as here:
        place.sts.fails = (503, "ServiceUnavailable", "later")
        assert "cannot answer now" in place.refusal(Unreachable, here.env)
        gone = here.env | {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9"}
        text = place.refusal(Unreachable, gone)
        assert "profile work" in text
        assert "AWS_ENDPOINT_URL_STS" in text


@pytest.mark.parametrize("name", ["SSO", "SSO with a session"])
def test_a_session_of_sso_that_has_ended(place: Place, name: str) -> None:
    with scene(name, place.sts, place.home) as here:
        assert here.portal is not None
        session = "company" if "session" in name else ""
        here.portal.token = "another one by now"
        assert "aws sso login --profile work" in place.refusal(LoginRequired, here.env)
        here.portal.sign_in(place.home, session=session, hours=-1)
        assert "aws sso login --profile work" in place.refusal(LoginRequired, here.env)
        for file in (place.home / ".aws/sso/cache").iterdir():
            file.unlink()
        assert "aws sso login --profile work" in place.refusal(LoginRequired, here.env)


def test_a_role_of_sso_that_is_not_assigned(place: Place) -> None:
    with scene("SSO", place.sts, place.home) as here:
        assert here.portal is not None
        here.portal.role = "Other"
        text = place.refusal(Denied, here.env)
    assert "Admin" in text
    assert ACCOUNT in text
    assert ".aws/config" in text


def test_a_profile_with_an_mfa_device_is_refused_and_never_prompts(place: Place) -> None:
    with scene("profile that assumes a role", place.sts, place.home) as here:
        config = place.home / ".aws/config"
        config.write_text(config.read_text() + f"mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/ada\n")
        text = place.refusal(BadCredentials, here.env)
    assert "mfa_serial" in text
    assert "profile work" in text
    assert "aws configure export-credentials --profile work --format env" in text
    assert place.sts.actions() == []


CONFIGS = {
    "no source": ("[profile work]\nrole_arn = {role}\n", "neither source_profile nor credential_source"),
    "source that is not there": ("[profile work]\nrole_arn = {role}\nsource_profile = gone\n", "'gone'"),
    "circle": (
        "[profile b]\nrole_arn = {role}\nsource_profile = work\n[profile work]\nrole_arn = {role}\nsource_profile=b\n",
        "circle",
    ),
    "odd credential_source": ("[profile work]\nrole_arn = {role}\ncredential_source = Moon\n", "'Moon'"),
    "container that is not there": (
        "[profile work]\nrole_arn = {role}\ncredential_source = EcsContainer\n",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ),
    "aws login": ("[profile work]\nlogin_session = arn:aws:iam::{account}:user/ada\n", "credential_process"),
    "half a key": ("[profile work]\nregion = us-east-2\naws_access_key_id = AKIA1\n", "aws_secret_access_key"),
    "half of sso": ("[profile work]\nregion = us-east-2\nsso_role_name = Admin\n", "sso_start_url"),
    "session that is not there": (
        "[profile work]\nregion = us-east-2\nsso_session = gone\nsso_role_name = A\nsso_account_id = 1\n",
        "gone",
    ),
    "no configuration": ("hello\n", "no file of AWS's configuration"),
    "two of a name": ("[profile work]\na = 1\n[profile work]\nb = 2\n", "no file of AWS's configuration"),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_a_profile_that_cannot_work(place: Place, what: str) -> None:
    config, says = CONFIGS[what]
    path = place.home / ".aws" / "config"
    path.parent.mkdir()
    path.write_text(config.format(role=f"{ROLES}x", account=ACCOUNT))
    text = place.refusal(BadCredentials, {"AWS_PROFILE": "work"})
    assert says in text
    assert "config" in text
    assert place.sts.actions() == []


def test_a_profile_that_is_in_neither_file(place: Place) -> None:
    text = place.refusal(UsageError, {"AWS_PROFILE": "nobody"})
    assert "nobody" in text
    assert ".aws/config" in text
