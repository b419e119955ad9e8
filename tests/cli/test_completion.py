"""Completion in the real shells: what is typed on a terminal, TAB, and what the shell makes of it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.conftest import GBEARER, Run
from gbearer import grammar
from gbearer.cli import COMMANDS, completion
from gbearer.cli.shells import SCRIPTS
from terminal import on_terminal

Complete = Callable[[str], list[str]]
"""From what was typed to the words that may stand there instead of its last one."""
SOURCES = sorted(grammar.SOURCES)
SHOW = "\x18\x10"


@pytest.fixture
def folder(tmp_path: Path, env: dict[str, str]) -> Path:
    """Where one types: two files and a folder; the scripts lie in the folder above."""
    for shell in SCRIPTS:
        (tmp_path / shell).write_text(SCRIPTS[shell](completion.table()))
    here = tmp_path / "here"
    (here / "d").mkdir(parents=True)
    for name in ("my key.json", "mykey2.json"):
        (here / "d" / name).touch()
    env |= {"PATH": f"{Path(GBEARER).parent}:{os.environ['PATH']}", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    return here


def bash(folder: Path, env: dict[str, str], first: str = "") -> Iterator[Complete]:
    """Readline puts all completions in at once (M-*), and the line is read back."""
    with on_terminal(["bash", "--norc", "--noprofile", "-i"], env, folder) as shell:
        shell.type(
            f"{first} bind 'set enable-bracketed-paste off'; PS1=; . ../bash; "
            """bind -x '"\\C-x\\C-p": printf "<<%s>>" "$READLINE_LINE"'; echo rea""dy\n"""
        )
        shell.until("ready\r")

        def complete(typed: str) -> list[str]:
            shell.type(f"{typed}\x1b*{SHOW}")
            line = shell.until("<<(.*?)>>")[1]
            shell.type("\x05\x15")
            kept = typed.rpartition(" ")[0]
            assert line.startswith(kept)
            return sorted(word.replace("\0", " ") for word in line[len(kept) :].replace("\\ ", "\0").split())

        yield complete


def zsh(folder: Path, env: dict[str, str]) -> Iterator[Complete]:
    """Each press puts in the next of all completions; the line is read back each time, until it is one seen before."""
    with on_terminal(["zsh", "-f", "-i"], env, folder) as shell:
        shell.type(
            'PS1=; show() { print -rn -- "<<$BUFFER>>" }; zle -N show; bindkey "^X^P" show; setopt nobeep; . ../zsh; '
            'zle -C next menu-complete _main_complete; bindkey "^I" next; echo rea""dy\n'
        )
        shell.until("ready\r")

        def complete(typed: str) -> list[str]:
            shell.type(typed)
            seen: list[str] = []
            while True:
                shell.type(f"\t{SHOW}")
                line = shell.until("<<(.*?)>>")[1]
                if line in seen or line == typed:
                    break
                seen.append(line)
                if line.endswith((" ", "=")):
                    break  # the only one
            shell.type("\x05\x15")
            kept = typed[: typed.rindex(" ") + 1]
            return sorted(line[len(kept) :].strip().replace("\\ ", " ") for line in seen)

        yield complete


def fish(folder: Path, env: dict[str, str]) -> Iterator[Complete]:
    """Fish can be asked."""

    def complete(typed: str) -> list[str]:
        done = subprocess.run(
            ["fish", "-c", "source ../fish; complete -C $argv[1]", "--", typed],
            env=env, cwd=folder, text=True, capture_output=True, timeout=30, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return sorted(line.partition("\t")[0] for line in done.stdout.splitlines())

    yield complete


STARTS = {"bash": bash, "zsh": zsh, "fish": fish}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.program(name)) for name in STARTS])
def shell(request: pytest.FixtureRequest) -> str:
    """Each of the three in turn."""
    return str(request.param)


@pytest.fixture
def complete(shell: str, folder: Path, env: dict[str, str]) -> Iterator[Complete]:
    """That shell with the script in it."""
    yield from STARTS[shell](folder, env)


def test_the_script_is_one_that_the_shell_can_read(shell: str, folder: Path) -> None:
    done = subprocess.run([shell, "-n", f"../{shell}"], cwd=folder, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_the_command_prints_is_that_script(shell: str, folder: Path, spawn: Run) -> None:
    done = spawn("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert done.out == (folder.parent / shell).read_text()


def test_commands_options_and_values(complete: Complete, shell: str) -> None:
    assert set(COMMANDS) <= set(complete("gbearer "))
    assert complete("gbearer tok") == ["token"]
    equals = "=" if shell == "zsh" else ""
    assert complete("gbearer token --imp") == [f"--impersonate{equals}"]
    assert complete("gbearer token --no-ca") == ["--no-cache"]
    assert complete("gbearer token --source gi") == ["github", "gitlab"]
    assert complete("gbearer token --source ") == SOURCES
    assert complete("gbearer cache ") == ["clear", "dir", "list"]
    assert complete("gbearer whoami --format ") == ["json", "text"]
    assert complete("gbearer header --format ") == ["curl", "env", "header", "json", "raw"]
    assert complete("gbearer completion ") == ["bash", "fish", "zsh"]
    assert complete("gbearer request PO") == ["POST"]


def test_a_value_after_an_equals_sign(complete: Complete) -> None:
    words = complete("gbearer token --source=gi")
    assert [word.removeprefix("--source=") for word in words] == ["github", "gitlab"]


def test_options_after_words_that_hold_colons_blanks_and_at_signs(complete: Complete) -> None:
    for before in ("--audience https://a.run.app:8443/x", "--impersonate robot@p.iam.gserviceaccount.com",
                   "--source gcloud --scope 'a b'", "--audience=https://a:8"):  # fmt: skip
        assert [word.rstrip("=") for word in complete(f"gbearer header {before} --form")] == ["--format"], before
    assert [word.rstrip("=") for word in complete("gbearer request POST https://h:1/x --aud")] == ["--audience"]


def test_files_where_an_option_or_a_word_is_one(complete: Complete, shell: str) -> None:
    both = ["d/my key.json", "d/mykey2.json"]
    assert complete("gbearer token --credentials d/my") == both
    assert complete("gbearer preflight d/my") == both
    if shell != "fish":  # which leaves quoting to its own line
        assert complete("gbearer token --credentials d/mykey") == ["d/mykey2.json"]
    assert complete("gbearer request POST u --json @d/my") == [f"@{each}" for each in both]
    assert complete("gbearer emulator --dir ")[0].rstrip("/") == "d"


def test_names_that_only_this_machine_knows(complete: Complete, spawn: Run) -> None:
    assert complete("gbearer token --profile w") in ([], ["w"]), "there is none yet"
    for name in ("work", "wild", "home"):
        assert spawn("profile", "set", name, "source", "gcloud").code == 0
    assert complete("gbearer token --profile w") == ["wild", "work"]
    assert complete("gbearer profile use ho") == ["home"]
    assert complete("gbearer profile ") == ["list", "set", "show", "unset", "use"]
    assert complete("gbearer profile set work imp") == ["impersonate"]
    assert complete("gbearer logout --account x") in ([], ["x"]), "nobody is signed in"


NONSENSE = (
    "gbearer frobnicate --x", "gbearer frobnicate ", "gbearer token xyzzy", "gbearer cache list x",
    "gbearer token --source xyzzy", "gbearer token --impersonate x", "gbearer token -- --sou",
    "gbearer token --source=xyzzy", "gbearer demo x", "gbearer '$(touch bad)' -",
)  # fmt: skip


def test_nonsense_gets_nothing(complete: Complete, folder: Path) -> None:
    for typed in NONSENSE:
        last = typed.rpartition(" ")[2]
        assert [word for word in complete(typed) if word != last] == [], typed
    assert not (folder / "bad").exists()


def test_after_curl_and_two_dashes_come_the_words_of_curl(complete: Complete, shell: str) -> None:
    if shell == "bash":
        assert complete("gbearer curl -- -d d/my") == ["d/my key.json", "d/mykey2.json"], "paths where nothing is known"
        return
    assert {"--fail", "--fail-early"} <= set(complete("gbearer curl --all-hosts --source gcloud -- -s --fai"))


@pytest.mark.program("bash")
def test_in_bash_curl_is_completed_by_what_completes_curl(folder: Path, env: dict[str, str]) -> None:
    library = "/usr/share/bash-completion/bash_completion"
    if not os.path.exists(library):
        pytest.skip("the package bash-completion is not installed")
    for complete in bash(folder, env, f". {library};"):
        assert complete("gbearer curl --all-hosts -- -s --fai") == ["--fail"]
        assert complete("gbearer token --source gi") == ["github", "gitlab"], "beside that library"


@pytest.mark.program("bash")
def test_bash_finds_it_where_the_help_says(folder: Path, env: dict[str, str]) -> None:
    library = "/usr/share/bash-completion/bash_completion"
    if not os.path.exists(library):
        pytest.skip("the package bash-completion is not installed")
    put(folder, env, "bash", ".local/share/bash-completion/completions/gbearer")
    for complete in bash(folder, env, f". {library};"):
        assert complete("gbearer token --source=gi") == ["--source=github", "gitlab"]


@pytest.mark.program("fish")
def test_fish_finds_it_where_the_help_says(folder: Path, env: dict[str, str]) -> None:
    put(folder, env, "fish", ".config/fish/completions/gbearer.fish")
    for complete in fish(folder, env):
        assert complete("gbearer token --source gi") == ["github", "gitlab"]


def put(folder: Path, env: dict[str, str], shell: str, place: str) -> None:
    """The script moved to its place in the home; nothing is left to be sourced."""
    file = Path(env["HOME"]) / place
    file.parent.mkdir(parents=True)
    (folder.parent / shell).replace(file)
    (folder.parent / shell).touch()


@pytest.mark.program("bash")
def test_in_a_bash_without_compopt_paths_are_completed_all_the_same(folder: Path, env: dict[str, str]) -> None:
    """As in the 3.2 that a Mac has."""
    for complete in bash(folder, env, "enable -n compopt;"):
        assert complete("gbearer token --credentials d/my") == ["d/my key.json", "d/mykey2.json"]
        assert complete("gbearer emulator --dir ") == ["d/"]


@pytest.mark.program("zsh")
def test_zsh_finds_it_in_a_folder_of_fpath(folder: Path, env: dict[str, str]) -> None:
    (folder.parent / "_gbearer").write_text((folder.parent / "zsh").read_text())
    (folder.parent / "zsh").write_text("fpath=(.. $fpath); autoload -Uz compinit; compinit -D -u")
    for complete in zsh(folder, env):
        assert complete("gbearer token --source gi") == ["github", "gitlab"]


def test_every_option_of_every_command_is_in_every_script() -> None:
    table = completion.table()
    assert [command.name for command in table] == list(COMMANDS)
    takes: dict[str, set[bool]] = {}
    for command in table:
        for option in command.options:
            for name in option.names:
                takes.setdefault(name, set()).add(bool(option.takes))
                for shell, make in SCRIPTS.items():
                    assert (f"-l {name[2:]} " if shell == "fish" and name[:2] == "--" else name[-1:]) in make(table)
    assert [name for name, both in takes.items() if len(both) > 1] == [], (
        "an option takes a value everywhere or nowhere"
    )


@pytest.mark.parametrize("given", [(), ("ksh",), ("",)])
def test_another_shell_or_none_is_one_clear_error(run: Run, given: tuple[str, ...]) -> None:
    ended = run("completion", *given, SHELL="/usr/bin/fish")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert all(shell in ended.err for shell in ("bash", "zsh", "fish"))
    assert "fix: gbearer completion fish" in ended.err


def test_the_help_says_where_the_script_goes(run: Run) -> None:
    text = run("completion", "--help").out
    assert all(place in text for place in ("bash-completion/completions/gbearer", "/_gbearer", "gbearer.fish"))
