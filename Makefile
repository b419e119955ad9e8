# Each target makes what it needs in .venv on a machine that has only python3 (with venv), git and make.

PYTHON ?=
BIN := .venv/bin
# Compiled files are wanted, and another project's packages are not.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONHOME
unexport PYTHONPATH
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help demo test check check-static check-format check-lint check-types check-floors check-lock check-docs \
	check-wheel bench aws-table fmt lock clean venv

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

demo: venv  ## a token made, placed and accepted, on a local Google
	@$(BIN)/gbearer demo

test: venv  ## all tests
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: test check-static  ## the tests, then format, lint, types, floors, README, lock and wheel

check-static: check-format check-lint check-types check-floors check-lock check-docs check-wheel  ## `make check` without the tests

check-format: venv
	$(BIN)/ruff format --check .

check-lint: venv
	$(BIN)/ruff check .

check-types: venv
	$(BIN)/mypy

check-floors: venv
	$(BIN)/lint-imports

check-lock: venv
	$(BIN)/python tools/lock_check.py

check-docs: venv
	$(BIN)/python tools/readme_help.py

check-wheel: venv
	$(BIN)/python tools/wheel_check.py

bench: venv  ## medians and ratios, measured pair by pair
	@$(BIN)/python bench/run.py

aws-table: venv  ## the table in docs/reference/aws.md, from a fresh run of every AWS source
	@$(BIN)/python tools/aws_table.py

fmt: venv  ## format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python tools/readme_help.py --write

lock:  ## uv.lock and requirements/dev.txt anew from pyproject.toml (needs uv)
	@sh tools/lock.sh

venv:
	@PYTHON="$(PYTHON)" sh tools/venv.sh

clean:  ## remove what was made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find src tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +
