#!/usr/bin/env bash
# Tries the key-value stores on a real Redis server, which is killed and started again. Needs
# Debian's package redis-server; takes some seconds beside the build.
#
#     tests/keyvalue/run.sh [PROGRAM]
#
# PROGRAM is a built `keyvalue-check`, the example of edgec-host. It is built when not named.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v redis-server >/dev/null || {
    apt-get update -q
    apt-get install -q -y --no-install-recommends redis-server
}

program=${1:-}
if [ -z "$program" ]; then
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    cargo build --locked -p edgec-host --example keyvalue-check
    program=$CARGO_TARGET_DIR/debug/examples/keyvalue-check
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$program" "$work"
