#!/bin/sh
# Brings uv.lock and its export for pip up to date after a change of pyproject.toml; needs uv. `sh tools/lock.sh --upgrade` takes newer versions.
set -eu
cd "$(dirname "$0")/.."
# The lock names the public index, whatever index this machine is set up with.
uv lock --default-index https://pypi.org/simple "$@"
{
    echo "# Everything that .venv holds: gbearer's dependencies, all extras and the tools, each with its hashes."
    echo "# Exported from uv.lock by tools/lock.sh; do not edit. tools/lock_check.py proves that the two agree."
    uv export --quiet --frozen --all-extras --all-groups --no-emit-project --no-header --no-annotate
} >requirements/dev.txt.new
mv requirements/dev.txt.new requirements/dev.txt
