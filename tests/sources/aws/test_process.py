"""credential_process: no stdin, an end to its time and its output, and an error that names profile and program."""

import sys
import time
from collections.abc import Mapping

import pytest

from gbearer.errors import BadCredentials
from sources.aws.hands import Place

PROGRAMS = {
    "fails": ("import sys; sys.stderr.write('no such vault\\n'); sys.exit(3)", "status 3", "no such vault"),
    "prints rubbish": ("print('hello')", "not JSON", ""),
    "prints a list": ("print('[]')", "no JSON object", ""),
    "prints nothing": ("", "not JSON", ""),
    "speaks another version": ("print('{\"Version\": 2}')", "version 2", "only version 1"),
    "forgets the keys": ("print('{\"Version\": 1}')", "AccessKeyId", "SecretAccessKey"),
    "asks a person": ("input('code: ')", "status 1", "EOF"),
    "never stops": ("print('x' * 3_000_000)", "more than a mebibyte", ""),
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_credential_process_that_goes_wrong(place: Place, what: str) -> None:
    code, *says = PROGRAMS[what]
    text = place.refusal(BadCredentials, process(place, code))
    assert "profile work" in text
    assert "aws configure export-credentials --profile work" in text
    for each in says:
        assert each in text


def process(place: Place, code: str) -> Mapping[str, str]:
    script = place.home / "give.py"
    script.write_text(code)
    config = place.home / ".aws" / "config"
    config.parent.mkdir(exist_ok=True)
    config.write_text(f"[profile work]\nregion = us-east-2\ncredential_process = {sys.executable} {script}\n")
    return {"AWS_PROFILE": "work"}


@pytest.mark.slow
def test_a_credential_process_that_hangs_is_ended(place: Place) -> None:
    marker = place.home / "alive"
    code = f"import time, pathlib\nfor _ in range(600):\n pathlib.Path({str(marker)!r}).touch()\n time.sleep(.1)"
    begun = time.monotonic()
    text = place.refusal(BadCredentials, process(place, code))
    assert 14 < time.monotonic() - begun < 25
    assert "within 15 s" in text
    touched = marker.stat().st_mtime
    time.sleep(0.5)
    assert marker.stat().st_mtime == touched  # nobody is left behind


def test_a_credential_process_that_is_not_there(place: Place) -> None:
    env = process(place, "")
    config = place.home / ".aws/config"
    config.write_text("[profile work]\nregion = us-east-2\ncredential_process = /nowhere/give --secret hush\n")
    text = place.refusal(BadCredentials, env)
    assert "/nowhere/give" in text
    assert "no such file" in text
    assert "hush" not in text
