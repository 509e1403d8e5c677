#!/usr/bin/env bash
# Makes a Python environment with other projects' tools that judge edgec's artifacts. They come from
# PyPI, each at one version.
set -euo pipefail

"$(dirname "$0")/../python_environment.sh" "${EDGEC_PYTHON:-$HOME/.cache/edgec/python}" <<'END'
attrs==26.1.0
cffi==2.1.1
cryptography==50.0.2
in-toto-attestation==0.9.3
jsonschema==4.26.0
jsonschema-specifications==2025.9.1
protobuf==7.36.2
pycparser==3.12
referencing==0.37.0
rpds-py==0.30.0
securesystemslib==1.6.0
typing-extensions==4.15.0
END
