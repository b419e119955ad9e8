"""Builds the wheel, installs it with every extra in an empty environment, and uses it there."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

# What must be true where only the wheel is installed; run by that environment's own Python, outside the checkout.
USE = """
import importlib.metadata as metadata
import sys

import gbearer

home = gbearer.__file__
assert "site-packages" in home, home
assert gbearer.__version__ == metadata.version("gbearer"), gbearer.__version__
for name in gbearer.__all__:
    getattr(gbearer, name)
points = metadata.distribution("gbearer").entry_points
for point in points:
    if point.group != "pytest11":  # pytest is not installed here, as it is not for most users
        point.load()
named = {(point.group, point.name) for point in points}
assert {("console_scripts", "gbearer"), ("pytest11", "gbearer_emulator")} <= named, named
assert "gbearer.cli" not in sys.modules or "argparse" in sys.modules
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a program in a plain environment; give its stdout, or stop with all it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GBEARER_"))}
    texts = [str(part) for part in command]
    done = subprocess.run(
        texts, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"error: {' '.join(texts)[:300]}\n{done.stdout}{done.stderr}")
    return done.stdout


def contents(wheel: Path) -> None:
    """Stop unless the wheel holds what it must, and nothing else than the package and its metadata."""
    names = zipfile.ZipFile(wheel).namelist()
    strangers = [
        name for name in names if not name.startswith(("gbearer/", f"{wheel.name.split('-py3')[0]}.dist-info/"))
    ]
    if strangers:
        raise SystemExit(f"error: the wheel holds {strangers}")
    for wanted in ("gbearer/py.typed", "gbearer/__main__.py", "gbearer/emulator/signin/style.css"):
        if wanted not in names:
            raise SystemExit(f"error: the wheel lacks {wanted}")
    if not any(name.endswith("licenses/LICENSE") for name in names):
        raise SystemExit("error: the wheel lacks LICENSE")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="gbearer-wheel-") as folder:
        here = Path(folder)
        run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", here)
        (wheel,) = here.glob("*.whl")
        contents(wheel)
        venv = here / "venv"
        # Without pip in it: the environment is as empty as can be, and this one's pip serves it.
        run(sys.executable, "-m", "venv", "--without-pip", venv)
        python = venv / "bin/python"
        pip = (sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check")
        run(*pip, "install", "--no-input", f"{wheel}[all]")
        said = run(venv / "bin/gbearer", "--version", cwd=here).strip()
        run(python, "-c", USE, cwd=here)
        if wheel.name.split("-")[1] not in said:
            raise SystemExit(f"error: {wheel.name} says it is {said}")
        print(f"wheel: {wheel.name} installs and runs in an empty environment: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
