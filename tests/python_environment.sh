#!/usr/bin/env bash
# Makes a Python environment in FOLDER with the packages that standard input lists, one a line.
# The packages come prebuilt and without their dependencies. Prints only errors. Does nothing when
# FOLDER has that list already.
#
#   tests/python_environment.sh FOLDER [OPTION OF PIP...] <LIST
set -euo pipefail

folder=$1
wanted=$(cat)
if [ "$(cat "$folder/ready" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends python3 python3-venv
fi
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    --no-deps "${@:2}" --requirement <(echo "$wanted")
echo "$wanted" >"$folder/ready"
