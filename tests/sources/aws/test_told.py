"""What a person is told: whoami on AWS, and Google's refusals of an AWS identity, with its ARN and the command."""

import io
import json

import pytest

from aws_servers.scenes import ASSUMED, ROLES, scene
from gbearer import cli
from sources.aws.hands import POOL, PROVIDER, SUBJECTS, TARGET, Place

IRSA = "EKS, IRSA web identity"
EVERYBODY = f"principalSet://iam.googleapis.com/{POOL}/*"


def run(place: Place, env: dict[str, str], *argv: str, provider: str = PROVIDER) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command line with `--source aws`."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    command = [*argv, "--source", "aws", "--provider", provider]
    code = cli.main(command, stdout=out, stderr=err, env=place.env | env)
    for stream in (out, err):
        stream.seek(0)
    return code, out.read(), err.read()


def test_whoami_tells_source_account_arn_and_subject_with_its_length(place: Place) -> None:
    with scene(IRSA, place.sts, place.home) as here:
        code, text, _ = run(place, here.env, "whoami")
        assert code == 0
        code, document, _ = run(place, here.env, "whoami", "--format", "json")
        assert code == 0
    arn = f"{ASSUMED}pod/cart"
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for expected in (
        "AWS source web identity (AWS_WEB_IDENTITY_TOKEN_FILE)",
        "AWS account 123456789012",
        f"AWS ARN {arn}",
        f"subject {arn} ({len(arn)} of 127 bytes)",
        f"aws role {ASSUMED}pod",
        f"expected principal {SUBJECTS}{arn}",
        "absent AWS environment keys: AWS_ACCESS_KEY_ID is not set",
    ):
        assert expected in lines
    told = json.loads(document)["federation"]
    assert (told["AWS_ARN"], told["AWS_account"]) == (arn, "123456789012")


def test_whoami_names_the_identity_that_google_will_know(place: Place) -> None:
    """What is expected here is what the emulator, which maps by Google's rule, then calls the caller."""
    with scene(IRSA, place.sts, place.home) as here:
        _, document, _ = run(place, here.env, "whoami", "--format", "json", "--refresh")
    assert json.loads(document)["federation"]["expected_principal"] == SUBJECTS + place.caller()


def test_no_right_to_impersonate_prints_the_binding_of_the_role(place: Place) -> None:
    place.em.unbind(TARGET, EVERYBODY)
    group = f"principalSet://iam.googleapis.com/{POOL}/attribute.aws_role/{ASSUMED}pod"
    with scene(IRSA, place.sts, place.home) as here:
        for command in (["token"], ["id-token", "--audience", "https://x.run.app"]):
            code, out, err = run(place, here.env, *command, "--impersonate", TARGET)
            assert (code, out) == (5, "")
            assert f"gcloud iam service-accounts add-iam-policy-binding {TARGET} " in err
            assert "--role=roles/iam.workloadIdentityUser" in err
            assert f"--member={group}" in err
            assert f"--member={SUBJECTS}{ASSUMED}pod/cart" in err
        place.em.bind(TARGET, group)  # what the line says is what helps
        assert run(place, here.env, "token", "--impersonate", TARGET)[0] == 0


def test_a_subject_that_is_too_long_tells_both_lengths(place: Place) -> None:
    names = {"AWS_ROLE_ARN": f"{ROLES}{'r' * 50}", "AWS_ROLE_SESSION_NAME": "s" * 60}
    arn = f"{ASSUMED}{'r' * 50}/{'s' * 60}"
    with scene(IRSA, place.sts, place.home) as here:
        code, out, err = run(place, here.env | names, "token")
    assert (code, out) == (4, "")
    assert f"it has {len(arn)} bytes, and Google takes 127" in err
    assert arn in err
    assert place.sts.actions() == ["AssumeRoleWithWebIdentity", "GetCallerIdentity"]  # nobody is asked twice


def test_a_condition_that_turns_the_role_away_shows_the_role(place: Place) -> None:
    condition = "attribute.aws_role == 'arn:aws:sts::123456789012:assumed-role/other'"
    place.em.provider("aws-condition", {"aws": {"accountId": "123456789012"}, "attributeCondition": condition})
    with scene(IRSA, place.sts, place.home) as here:
        code, out, err = run(place, here.env, "token", provider=f"{POOL}/providers/aws-condition")
    assert (code, out) == (5, "")
    assert f"{ASSUMED}pod/cart" in err
    assert "attributeCondition" in err


def test_another_account_than_the_provider_s(place: Place) -> None:
    place.em.provider("aws-other", {"aws": {"accountId": "999999999999"}})
    with scene(IRSA, place.sts, place.home) as here:
        code, out, err = run(place, here.env, "token", provider=f"{POOL}/providers/aws-other")
    assert code in (4, 5)
    assert out == ""
    assert "123456789012" in err
    assert "gcloud iam workload-identity-pools providers describe aws-other" in err


def test_nothing_secret_is_said_however_much_is_said(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    with scene(IRSA, place.sts, place.home) as here:
        run(place, here.env, "token", "-vv")
    err = capfd.readouterr().err
    token = (place.home / "token").read_text()
    secrets = [token, *(part for pair in place.sts.account.secrets().values() for part in pair if part)]
    assert "web identity (AWS_WEB_IDENTITY_TOKEN_FILE) in us-east-2" in err
    assert not [secret for secret in secrets if secret in err]
