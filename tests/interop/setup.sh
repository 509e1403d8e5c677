#!/usr/bin/env bash
# Makes a Python environment with the tools of others that judge edgec's artifacts, from
# PyPI, each at one version. Prints nothing but errors; does nothing when it is there already.
set -euo pipefail

folder=${EDGEC_PYTHON:-$HOME/.cache/edgec/python}
packages=(
    cffi==2.1.1
    cryptography==50.0.2
    in-toto-attestation==0.9.3
    protobuf==7.36.2
    pycparser==3.12
    securesystemslib==1.6.0
)
if [ "$(cat "$folder/ready" 2>/dev/null)" = "${packages[*]}" ]; then
    exit 0
fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends python3 python3-venv
fi
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: \
    "${packages[@]}"
echo "${packages[*]}" >"$folder/ready"
