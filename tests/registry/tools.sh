#!/usr/bin/env bash
# Installs what the tests of registries need: docker-registry, skopeo and openssl as packages of
# this machine, and oras, crane and cosign of a newer Debian.
#
#   tests/registry/tools.sh FOLDER      the programs are then in FOLDER/bin, or on the path
set -euo pipefail

here=$(dirname "$0")
packages=()
for tool in docker-registry skopeo openssl; do
    command -v "$tool" >/dev/null || packages+=("$tool")
done
if [ ${#packages[@]} -gt 0 ]; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${packages[@]}"
fi
"$here/../debian_programs.sh" "$1" oras crane cosign
