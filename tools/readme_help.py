"""Holds the documents to the program: every command line they show is one that `gbearer` takes, every help its own.

In fenced sh, bash, console and text blocks of README.md, README.ja.md and docs/**/*.md:

- each `gbearer ...` must parse: command, options and choices, as `gbearer ... --help` tells;
- each `make TARGET` must be a target;
- a block that begins with `$ gbearer ... --help` must hold that help text (`--write` puts it there).

Python blocks must compile and use public names only. README.md and README.ja.md must show the same commands.
"""

import ast
import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAM = Path(sys.executable).parent / "gbearer"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "bash", "console", "shell", "text", "")
WIDTH = "100"


@functools.cache
def help_of(words: tuple[str, ...]) -> tuple[int, str]:
    """Run `gbearer WORDS --help` as on a bare terminal: exit status and all that was printed."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": WIDTH, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([PROGRAM, *words, "--help"], env=env, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).rstrip() + "\n"


def commands_in(text: str) -> list[list[str]]:
    """Take shell text apart into simple commands, those inside $(...) too; comments and prompts are dropped."""
    found = []
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.strip().removeprefix("$ ")
        inner = re.compile(r"\$\(([^()]*)\)")
        while match := inner.search(line):
            found += commands_in(match[1])
            line = line[: match.start()] + "SUBSTITUTED" + line[match.end() :]
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:  # an open quote: a here-document or prose
            continue
        simple: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set("|&;<>()"):
                found += [simple] if simple else []
                simple = []
            elif simple or not re.match(r"\w+=", word):
                simple.append(word)
    return found


def fault_of(words: list[str]) -> str | None:
    """Say what is wrong with a shown command, or None."""
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        unknown = [word for word in words[1:] if "=" not in word and not word.startswith("-") and word not in targets]
        return f"no target {unknown[0]}" if unknown else None
    if os.path.basename(words[0]) != "gbearer":
        return None
    ours = words[1 : words.index("--")] if "--" in words else words[1:]
    if not ours:
        return None
    status, said = help_of(tuple(ours))
    if status:
        return said.strip().splitlines()[-1] if said.strip() else f"exit status {status}"
    options = [re.split("=", word)[0] for word in ours if re.match(r"--?[a-zA-Z]", word)]
    for option in options:
        known = re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", said)
        if not known and not re.fullmatch(r"-v+", option):
            return f"`gbearer {ours[0]} --help` does not know {option}"
    return None


def python_fault(code: str) -> str | None:
    """Say what is wrong with a Python block: syntax, or a name that gbearer does not offer."""
    import gbearer

    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gbearer":
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and node.module == "gbearer":
            names = [each.name for each in node.names]
        for name in names:
            if name not in gbearer.__all__:
                return f"gbearer.{name} is not public"
    return None


def plain(text: str) -> str:
    """Reduce help text to what every Python's argparse prints alike."""
    text = re.sub(r"(-\w) ([A-Z_]+), (--[\w-]+) \2", r"\1, \3 \2", text)  # 3.13 shows the value once
    return " ".join(text.split())


def shown_help(path: Path, write: bool) -> list[str]:
    """Compare each `$ gbearer ... --help` block of a document with the program, or write it anew."""
    wrong = []
    document = path.read_text()

    def renewed(block: re.Match[str]) -> str:
        first, _, rest = block["text"].partition("\n")
        match = re.fullmatch(r"\$ gbearer((?: \S+)*) --help", first.strip())
        if match is None:
            return block[0]
        status, said = help_of(tuple(match[1].split()))
        if status:
            wrong.append(f"{path.name}: {first.strip()}: {said}")
        elif plain(said) != plain(rest):
            if not write:
                wrong.append(f"{path.relative_to(ROOT)}: `{first.strip()[2:]}` says something else now")
            return block[0].replace(block["text"], f"{first}\n{said}")
        return block[0]

    fresh = FENCE.sub(renewed, document)
    if write and fresh != document:
        path.write_text(fresh)
    return wrong


def shown(path: Path) -> tuple[list[list[str]], list[str]]:
    """List a document's commands, and what is wrong with its blocks."""
    commands, wrong = [], []
    for block in FENCE.finditer(path.read_text()):
        if block["language"] == "python":
            fault = python_fault(block["text"])
            wrong += [f"{path.relative_to(ROOT)}: Python block: {fault}"] if fault else []
        elif block["language"] in SHELL:
            lines = block["text"].splitlines()
            if any(line.startswith("$ ") for line in lines):  # the rest is what was printed
                lines = [line for line in lines if line.startswith("$ ")]
            for words in commands_in("\n".join(lines)):
                if block["language"] != "text" or lines[0].startswith("$ "):
                    commands.append(words)
                    fault = fault_of([word for word in words if word != "--help"])
                    wrong += [f"{path.relative_to(ROOT)}: {shlex.join(words)}: {fault}"] if fault else []
    return commands, wrong


def main() -> int:
    write = "--write" in sys.argv[1:]
    readmes = [ROOT / "README.md", ROOT / "README.ja.md"]
    wrong: list[str] = []
    shells: list[list[list[str]]] = []
    for path in [*readmes, *sorted((ROOT / "docs").rglob("*.md"))]:
        wrong += shown_help(path, write)
        commands, faults = shown(path)
        shells.append(commands)
        wrong += faults
    english, japanese = shells[0], shells[1]
    wrong += [f"only README.md shows: {shlex.join(words)}" for words in english if words not in japanese]
    wrong += [f"only README.ja.md shows: {shlex.join(words)}" for words in japanese if words not in english]
    ours = sum(os.path.basename(words[0]) == "gbearer" for commands in shells for words in commands)
    if not any(os.path.basename(words[0]) == "gbearer" for words in english):
        wrong.append("README.md shows no gbearer command: is this check still reading it?")
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if wrong:
        return 1
    print(f"documents: {ours} gbearer command lines, all known to the program")
    return 0


if __name__ == "__main__":
    sys.exit(main())
