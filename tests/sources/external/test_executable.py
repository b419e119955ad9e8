"""Subject tokens from programs: what they are told, what they may answer, and every way in which they fail."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gbearer.errors import BadCredentials
from gbearer.sources import Look, Source
from sources.external.hands import IMPERSONATION, TARGET, TYPE, document, find, made_up, refusal, subject, write

ALLOW = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
TOKEN = made_up()
GOOD = {"version": 1, "success": True, "token_type": f"{TYPE}jwt", "id_token": TOKEN}


def source(tmp_path: Path, script: str, env: dict[str, str] | None = None, **more: Any) -> Source:
    """The source for a program that runs the Python `script`; `more` are fields of `executable`, or of the file."""
    program = tmp_path / "program.py"
    program.write_text(script)
    fields = {name: more.pop(name) for name in ("timeout_millis", "output_file") if name in more}
    command = more.pop("command", f"{sys.executable} -S {program}")
    content = document({"executable": {"command": command, **fields}}, **more)
    whole = {ALLOW: "1", "PATH": os.environ["PATH"], **(env or {})}
    return find(whole, credentials=write(tmp_path / "fed.json", content))[0]


def says(document: object) -> str:
    return f"print({json.dumps(document)!r})"


def test_the_token_that_a_program_prints(tmp_path: Path) -> None:
    assert subject(source(tmp_path, says(GOOD))) == TOKEN


@pytest.mark.parametrize("kind", ["jwt", "id_token"])
def test_both_types_of_oidc_tokens_are_the_same_field(tmp_path: Path, kind: str) -> None:
    assert subject(source(tmp_path, says({**GOOD, "token_type": f"{TYPE}{kind}"}))) == TOKEN


def test_a_saml_response(tmp_path: Path) -> None:
    answer = {"version": 1, "success": True, "token_type": f"{TYPE}saml2", "saml_response": "PHNhbWw+"}
    assert subject(source(tmp_path, says(answer), subject_token_type=f"{TYPE}saml2")) == "PHNhbWw+"


def test_what_the_program_is_told_and_that_its_stdin_is_empty(tmp_path: Path) -> None:
    script = (
        "import json, os, sys\n"
        "told = {n: v for n, v in os.environ.items() if n.startswith('GOOGLE_EXTERNAL_ACCOUNT_') or n == 'MINE'}\n"
        f"open({str(tmp_path / 'told')!r}, 'w').write(json.dumps([told, sys.stdin.read()]))\n" + says(GOOD)
    )
    output = tmp_path / "out.json"
    found = source(
        tmp_path,
        script,
        {"MINE": "kept"},
        service_account_impersonation_url=IMPERSONATION,
        output_file=str(output),
    )
    assert subject(found) == TOKEN
    told, stdin = json.loads((tmp_path / "told").read_text())
    assert stdin == ""
    assert told.pop(ALLOW) == "1"
    prefix = "GOOGLE_EXTERNAL_ACCOUNT_"
    assert told == {
        f"{prefix}AUDIENCE": document({})["audience"],
        f"{prefix}TOKEN_TYPE": f"{TYPE}jwt",
        f"{prefix}ID": TARGET,
        f"{prefix}INTERACTIVE": "0",
        f"{prefix}REVOKE": "0",
        f"{prefix}IMPERSONATED_EMAIL": TARGET,
        f"{prefix}OUTPUT_FILE": str(output),
        "MINE": "kept",
    }


def test_stderr_is_not_part_of_the_answer(tmp_path: Path) -> None:
    script = "import sys\nsys.stderr.write('warning: {not json\\n')\n" + says(GOOD)
    assert subject(source(tmp_path, script)) == TOKEN


def test_words_in_quotes_are_one_argument(tmp_path: Path) -> None:
    program = tmp_path / "a program.py"
    program.write_text("import sys\nassert sys.argv[1:] == ['two words', '$HOME;echo']\n" + says(GOOD))
    command = f"{sys.executable} -S '{program}' 'two words' $HOME;echo"
    assert subject(source(tmp_path, "", command=command)) == TOKEN


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "printed no JSON"),
        ("print('rubbish')", "it begins 'rubbish'"),
        ("import sys; sys.exit('no ticket: kinit first')", "failed with status 1: no ticket"),
        ("raise SystemExit(3)", "failed with status 3"),
        ("import os, signal; os.kill(os.getpid(), 9)", "failed with status -9"),
        (says({**GOOD, "version": 2}), "answers in version 2"),
        (says({**GOOD, "version": True}), "answers in version True"),
        (says([1]), "answers in version None"),
        (says({"version": 1}), "does not say whether it succeeded"),
        (says({"version": 1, "success": False, "code": "401", "message": "Caller not authorized."}), "Caller not auth"),
        (
            says({"version": 1, "success": False, "code": "x", "message": "y"}) + "\nraise SystemExit(1)",
            "says that it failed",
        ),
        (says({**GOOD, "expiration_time": 1}), "gives a token that has ended"),
        (says({**GOOD, "expiration_time": "soon"}), "no usable expiration_time"),
        (says({**GOOD, "token_type": None}), "no token_type that is known"),
        (says({**GOOD, "token_type": f"{TYPE}saml2", "saml_response": "x"}), "another type of token"),
        (says({**GOOD, "id_token": ""}), "gives no token"),
        (says({**GOOD, "id_token": "two words"}), "is no token"),
        ("print('x' * 3_000_000)", "more than 1 MiB"),
    ],
)
def test_a_program_that_gives_no_token(tmp_path: Path, script: str, said: str) -> None:
    found = source(tmp_path, script)
    text = refusal(BadCredentials, lambda: subject(found)).replace("\n  why: ", ": ")
    assert said in text
    assert "program.py" in text or sys.executable in text


def test_a_secret_on_stderr_is_not_repeated(tmp_path: Path) -> None:
    script = f"import sys; sys.exit('bad: {TOKEN}')"
    found = source(tmp_path, script)
    assert TOKEN[:20] not in refusal(BadCredentials, lambda: subject(found))


@pytest.mark.slow
def test_a_program_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)\n"
    )
    found = source(tmp_path, script, timeout_millis=5000)
    begun = time.monotonic()
    text = refusal(BadCredentials, lambda: subject(found))
    assert 4.5 < time.monotonic() - begun < 9
    assert "did not end in time" in text
    assert "timeout_millis" in text
    assert not alive(int((tmp_path / "child").read_text()))


def alive(pid: int) -> bool:
    for _ in range(20):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": ""}, "command is missing"),
        ({"command": "sh -c 'open"}, "cannot be split"),
        ({"timeout_millis": 4999}, "outside 5000 to 120000"),
        ({"timeout_millis": 120001}, "outside 5000 to 120000"),
        ({"timeout_millis": "30000"}, "outside 5000 to 120000"),
        ({"output_file": 7}, "output_file is no path"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    assert said in refusal(BadCredentials, lambda: source(tmp_path, "", **fields))


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    found = source(tmp_path, "", command="/nowhere/at/all --x")
    text = refusal(BadCredentials, lambda: subject(found))
    assert "/nowhere/at/all cannot be run" in text
    assert "no such file" in text


def counting(tmp_path: Path, answer: object) -> str:
    """A program that notes each run and writes its answer to the output file and not to stdout."""
    return (
        f"import json, os\nopen({str(tmp_path / 'runs')!r}, 'a').write('x')\n"
        f"open(os.environ['GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE'], 'w').write({json.dumps(answer)!r})\n"
    )


def runs(tmp_path: Path) -> int:
    path = tmp_path / "runs"
    return len(path.read_text()) if path.exists() else 0


def test_the_output_file_serves_until_its_token_ends(tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    answer = {**GOOD, "expiration_time": int(time.time()) + 60}
    found = source(tmp_path, counting(tmp_path, answer), output_file=str(output))
    assert [subject(found), subject(found), runs(tmp_path)] == [TOKEN, TOKEN, 1]


@pytest.mark.parametrize(
    "kept",
    [
        "not json",
        "[]",
        json.dumps({**GOOD, "expiration_time": 5}),
        json.dumps(GOOD),
        json.dumps({**GOOD, "version": 9, "expiration_time": 9999999999}),
        json.dumps({"version": 1, "success": False, "code": "c", "message": "m", "expiration_time": 9999999999}),
    ],
    ids=["no json", "no object", "ended", "no end", "version", "failed"],
)
def test_an_output_file_of_no_use_is_passed_over(tmp_path: Path, kept: str) -> None:
    output = tmp_path / "out.json"
    output.write_text(kept)
    answer = {**GOOD, "expiration_time": int(time.time()) + 60}
    found = source(tmp_path, counting(tmp_path, answer), output_file=str(output))
    assert [subject(found), runs(tmp_path)] == [TOKEN, 1]


def test_what_pins_the_identity_of_a_program(tmp_path: Path) -> None:
    """Its own environment and machine do; nothing is remembered beyond that."""

    def printed(env: dict[str, str]) -> tuple[str | None, bool]:
        write(tmp_path / "fed.json", document({"executable": {"command": "true"}}))
        look = Look({"HOME": "/nowhere", "NO_GCE_CHECK": "true", ALLOW: "1", **env})
        found, _ = find({}, look=look, credentials=str(tmp_path / "fed.json"))
        return found.fingerprint, look.remember

    one, two, three = printed({"VAULT_TOKEN": "a"}), printed({"VAULT_TOKEN": "b"}), printed({"VAULT_TOKEN": "a"})
    assert one == three
    assert one[0] != two[0]
    assert one[0] is not None
    assert not one[1]
    assert printed({"VAULT_TOKEN": "a", "SHLVL": "7", "OLDPWD": "/x"}) == one
