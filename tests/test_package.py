"""The package itself: importing it loads nothing, its public names are all there, and floor 0 stays light."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import gbearer

SOURCE = Path(gbearer.__file__).parent
STANDARD = set(sys.stdlib_module_names) | set(sys.builtin_module_names)


def loaded_by(code: str) -> set[str]:
    """The modules that `code` adds to those of a bare interpreter."""
    script = f"import sys; before = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing() -> None:
    assert loaded_by("import gbearer") == {"gbearer"}


def test_a_public_name_loads_what_it_needs_and_no_library() -> None:
    for name in ("Error", "Token", "Ask", "UsageError", "Client", "token", "header", "aio"):
        loaded = loaded_by(f"import gbearer; gbearer.{name}")
        foreign = {module for module in loaded if module.partition(".")[0] not in STANDARD | {"gbearer"}}
        assert not foreign, name
        assert not {module for module in loaded if module.split(".")[1:2] == ["cli"]}, name
    assert "gbearer.client" not in loaded_by("import gbearer; gbearer.Error")


@pytest.mark.parametrize(
    "module",
    ["errors", "grammar", "model", "endpoints", "log", "warm", "cache", "broker", "sources", "transport", "output"],
)
def test_the_token_path_needs_no_library_until_a_token_is_made(module: str) -> None:
    loaded = loaded_by(f"import gbearer.{module}")
    assert not {name for name in loaded if name.partition(".")[0] not in STANDARD | {"gbearer"}}
    assert not {"dataclasses", "logging", "pathlib", "subprocess", "importlib.metadata", "argparse"} & loaded


def test_the_warm_path_needs_none_of_the_heavy_standard_modules() -> None:
    loaded = loaded_by("import gbearer.warm, gbearer.__main__")
    assert loaded <= {"gbearer", "gbearer.__main__", "gbearer._version", "gbearer.warm", "_blake2"}


def test_all_public_names_are_listed_sorted_and_there() -> None:
    assert gbearer.__all__ == sorted(gbearer.__all__)
    assert len(set(gbearer.__all__)) == len(gbearer.__all__)
    assert dir(gbearer) == gbearer.__all__
    for name in gbearer.__all__:
        assert getattr(gbearer, name) is not None
    for name in ("token", "header", "id_token", "request", "Client", "Ask", "Token", "Error", "aio"):
        assert name in gbearer.__all__, "promised in the design"


def test_what_type_checkers_are_told_is_what_is_there() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    told: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gbearer"):
            told |= {alias.asname or alias.name: node.module for alias in node.names}
    assert set(told) | {"__version__"} == set(gbearer.__all__) | ({"__version__"} & set(told))
    for name, module in told.items():
        home = importlib.import_module(module)
        assert getattr(gbearer, name) is (
            importlib.import_module(f"gbearer.{name}") if name == "aio" else getattr(home, name)
        )


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gbearer' has no attribute 'tokens'"):
        gbearer.tokens  # noqa: B018
    assert not hasattr(gbearer, "__wrapped__")
    with pytest.raises(ImportError):
        importlib.import_module("gbearer.no_such_part")


def test_star_import_brings_the_public_names() -> None:
    code = "from gbearer import *\nassert Client and Token and header and aio and __version__"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_it_is_typed_and_says_its_version() -> None:
    assert (SOURCE / "py.typed").exists()
    parts = str(gbearer.__version__).split(".")
    assert len(parts) >= 3
    assert parts[0].isdigit()


FILES = sorted(path for path in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_file_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    said = ast.get_docstring(ast.parse(text))
    assert said, "one sentence at the top"
    assert said.splitlines()[0].strip().endswith((".", ":", ";")) or ". " in said or "\n" in said
    assert text.startswith('"""')
    assert os.sep + "root" + os.sep not in text


def test_text_of_the_package_can_be_read_without_an_installation() -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import gbearer; print(gbearer.__version__)"
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", script, str(SOURCE.parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == gbearer.__version__
