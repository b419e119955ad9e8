#!/bin/sh
# Makes .venv with everything that building, testing and measuring gbearer needs; does nothing when it is up to date.
#
# Needs a network and either uv, or Python 3.11+ with its venv module. PYTHON=/path/to/python chooses the Python.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV  # compiled files are wanted, other projects are not

say() { printf '%s\n' "$*" >&2; }

# What the environment depends on, the checkout's own path included: launchers carry it.
wanted=$({ pwd; cat pyproject.toml uv.lock requirements/dev.txt tools/venv.sh; } | cksum)
stamp=.venv/.made-from
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi
rm -f "$stamp"
started=$(date +%s)

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "error: no Python 3.11 or newer found"
    say "  why: ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 || true)"
    say "  fix: install Python 3.11 or newer, or name one: make test PYTHON=/path/to/python3.12"
    exit 1
}

with_uv() {
    say "making .venv with uv (about a minute the first time)"
    UV_PROJECT_ENVIRONMENT=.venv UV_COMPILE_BYTECODE=1 \
        uv sync --quiet --frozen --all-extras --all-groups ${PYTHON:+--python "$PYTHON"}
}

with_pip() {
    if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
        python=$(find_python)
        if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            say "error: $python cannot make virtual environments"
            say "  why: its venv module is not installed"
            say "  fix: apt-get install python3-venv   (or your system's package of that name)"
            exit 1
        fi
        say "making .venv with $python and pip (about a minute the first time)"
        "$python" -m venv --clear .venv
    else
        say "bringing .venv up to date with pip"
    fi
    install=".venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input"
    # pip first and alone: launchers written by an old pip import re, half the price of a bare start.
    pin=.venv/pip.txt
    awk '/^pip==/ {found = 1} found {print} found && !/\\$/ {exit}' requirements/dev.txt >"$pin"
    $install --require-hashes -r "$pin"
    rm -f "$pin"
    $install --require-hashes -r requirements/dev.txt
    $install --no-deps --no-build-isolation --editable .
}

if command -v uv >/dev/null 2>&1; then
    with_uv || { say "uv could not; trying python3 and pip"; with_pip; }
else
    with_pip
fi
.venv/bin/python -m compileall -q src
printf '%s\n' "$wanted" >"$stamp"
say "made .venv in $(($(date +%s) - started)) s"
