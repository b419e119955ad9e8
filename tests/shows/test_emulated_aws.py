"""With nothing but an emulator: its own AWS identity is known to its STS and to its AWS, and no other AWS is asked."""

import json
from collections.abc import Callable
from pathlib import Path

from gbearer.emulator import Emulator
from shows.conftest import Run

PROVIDER = "projects/123456789012/locations/global/workloadIdentityPools/emulator-pool/providers/aws"
ROLE = "arn:aws:iam::123456789012:role/emulator-role"


def variables(file: Path) -> dict[str, str]:
    """The exports of a shell file."""
    lines = (line.removeprefix("export ") for line in file.read_text().splitlines() if line.startswith("export "))
    return dict(line.split("=", 1) for line in lines)


def test_the_emulators_own_aws_identity(
    run: Run, env: dict[str, str], em: Emulator, traffic: Callable[[], list[str]]
) -> None:
    aws = env | variables(em.dir / "aws.sh")
    file = str(em.dir / "external-aws-impersonated.json")
    done = run("token", "--credentials", file, "--expect-role", ROLE, env=aws)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(run("whoami", "--credentials", file, "--format", "json", env=aws).stdout)
    assert "assumed-role/emulator-role/emulator-session" in json.dumps(told)
    other = run("token", "--credentials", file, "--expect-role", f"{ROLE}-2", env=aws)
    assert (other.returncode, other.stdout) == (5, "")
    assert "emulator-role" in other.stderr
    assert not any("amazonaws" in line for line in traffic())
    assert sum(line["host"].endswith("amazonaws.com") for line in em.log()) >= 2


def test_keys_that_this_aws_does_not_know(run: Run, env: dict[str, str], em: Emulator) -> None:
    aws = env | variables(em.dir / "aws.sh")
    for wrong in ({"AWS_SECRET_ACCESS_KEY": "wrong"}, {"AWS_ACCESS_KEY_ID": "AKIAUNKNOWN"}, {"AWS_SESSION_TOKEN": "x"}):
        done = run("token", "--source", "aws", "--provider", PROVIDER, "--expect-role", ROLE, env=aws | wrong)
        assert (done.returncode, done.stdout) == (4, ""), done.stderr
        assert "AWS_ACCESS_KEY_ID" in done.stderr
