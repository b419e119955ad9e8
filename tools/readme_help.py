"""Holds the documents to the program: every command line they show is one that `gbearer` takes, every help its own.

In fenced sh, bash, console and text blocks of README.md, README.ja.md and docs/**/*.md:

- each `gbearer ...` must be one that the program takes: its options stand in `gbearer COMMAND --help`, and run where
  there are no credentials and no network, it does not end with the exit code of a usage error. The lines of a document
  run in their order, in an empty home of its own: a profile that one line uses, another has set before;
- each `make TARGET` must be a target;
- a block that begins with `$ gbearer ... --help` must hold that help text (`--write` puts it there);
- docs/reference/cli.md must have such a block for every command.

Python blocks must compile and use public names only. README.md and README.ja.md must show the same commands.
"""

import ast
import functools
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROGRAM = Path(sys.executable).parent / "gbearer"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "bash", "console", "shell", "text", "")
VARIABLE = re.compile(r"SUBSTITUTED|\$\w+|\$\{\w+\}")
EMULATOR = re.compile(r"127\.0\.0\.1:\d+")
SERVERS = ("demo", "emulator", "keep", "metadata", "proxy")  # would not come to an end; only their options are checked
PROVIDER = "projects/1/locations/global/workloadIdentityPools/pool-1/providers/provider-1"
STORAGE = "https://storage.googleapis.com/storage/v1/b/bucket/o"
FILLED = {"$PROVIDER": PROVIDER, "$BUCKET": "bucket", "$STORAGE": STORAGE}  # any other variable stands for a URL
ELSEWHERE = re.compile(r"https://[a-z.-]+\.(?:apis|cloud|emulator-universe)\.example\b\S*")  # known by a file not here
BOUNDARY = """{"accessBoundaryRules": [{"availablePermissions": ["inRole:roles/storage.objectViewer"],
"availableResource": "//storage.googleapis.com/projects/_/buckets/bucket"}]}"""
NOBODY = "127.0.0.1:1"  # named as the emulator: nobody listens there, and nothing goes anywhere else
USAGE = 2
WIDTH = "100"


@functools.cache
def help_of(words: tuple[str, ...]) -> tuple[int, str]:
    """Run `gbearer WORDS --help` as on a bare terminal: exit status and all that was printed."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": WIDTH, "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([PROGRAM, *words, "--help"], env=env, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).rstrip() + "\n"


def refusal_of(words: tuple[str, ...], home: str) -> str | None:
    """Run a command line where it can get nothing and reach nobody; give what was said if it was the wrong usage."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "NO_GCE_CHECK": "true",
        "GBEARER_CACHE": "off",
        "GBEARER_EMULATOR_HOST": NOBODY,
    }
    known = [VARIABLE.sub(lambda name: FILLED.get(name[0], f"http://{NOBODY}/functions/name"), word) for word in words]
    filled = [ELSEWHERE.sub(STORAGE, EMULATOR.sub(NOBODY, word)) for word in known]
    done = subprocess.run(
        [PROGRAM, *filled],
        env=env,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr.strip().splitlines()[0] if done.returncode == USAGE else None


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


def fault_of(words: list[str], home: str) -> str | None:
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
    if ours[0].startswith("-"):
        return refusal_of(tuple(ours), home)
    status, said = help_of(tuple(ours[:1]))
    if status:
        return said.strip().splitlines()[0] if said.strip() else f"exit status {status}"
    options = [word.split("=")[0] for word in ours if re.match(r"--?[a-zA-Z]", word) and not re.fullmatch(r"-v+", word)]
    for option in options:
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", said):
            return f"`gbearer {ours[0]} --help` does not know {option}"
    return None if ours[0] in SERVERS else refusal_of(tuple(words[1:]), home)


def python_fault(code: str) -> str | None:
    """Say what is wrong with a Python block: syntax, or a name that gbearer does not offer."""
    import gbearer

    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    imported = [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    ours = [name for name in imported if name.startswith("gbearer.") and importlib.util.find_spec(name)]
    public = {*gbearer.__all__, *(name.removeprefix("gbearer.") for name in ours)}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "gbearer":
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom) and node.module == "gbearer":
            names = [each.name for each in node.names]
        for name in names:
            if name not in public:
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


def unlisted(reference: Path) -> list[str]:
    """Name the commands whose help the reference page, once it is there, does not show."""
    if not reference.exists():
        return []
    text = reference.read_text()
    commands = re.findall(r"^  ([a-z][a-z-]*) +\S", help_of(())[1], re.MULTILINE)
    wanted = ["$ gbearer --help", *(f"$ gbearer {name} --help" for name in commands)]
    return [f"{reference.relative_to(ROOT)}: no block for `{line[2:]}`" for line in wanted if f"{line}\n" not in text]


def shown(path: Path, home: str) -> tuple[list[list[str]], list[str]]:
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
                    fault = None if "--help" in words else fault_of(words, home)  # help has its own check
                    wrong += [f"{path.relative_to(ROOT)}: {shlex.join(words)}: {fault}"] if fault else []
    return commands, wrong


def main() -> int:
    write = "--write" in sys.argv[1:]
    readmes = [ROOT / "README.md", ROOT / "README.ja.md"]
    wrong: list[str] = []
    shells: list[list[list[str]]] = []
    for path in [*readmes, *sorted((ROOT / "docs").rglob("*.md"))]:
        wrong += shown_help(path, write)
        with tempfile.TemporaryDirectory() as home:
            Path(home, "boundary.json").write_text(BOUNDARY)
            commands, faults = shown(path, home)
        shells.append(commands)
        wrong += faults
    wrong += unlisted(ROOT / "docs/reference/cli.md")
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
