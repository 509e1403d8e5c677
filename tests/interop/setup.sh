#!/usr/bin/env bash
# Makes a Python environment with other projects' tools that judge edgec's artifacts. They come from
# PyPI, each at one version.
set -euo pipefail

"$(dirname "$0")/../python_environment.sh" "${EDGEC_PYTHON:-$HOME/.cache/edgec/python}" <<'END'
cffi==2.1.1
cryptography==50.0.2
in-toto-attestation==0.9.3
protobuf==7.36.2
pycparser==3.12
securesystemslib==1.6.0
END
