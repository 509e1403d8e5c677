#!/usr/bin/env bash
# Installs what the tests of registries need. Debian's docker-registry and skopeo come as packages
# of this machine. Debian has oras, crane and cosign in a release after the oldest one that the
# tests run on. So apt downloads only these packages, with lists of its own, which nothing else on
# the machine uses, and checks Debian's signature.
#
#   tests/registry/tools.sh FOLDER      the programs are then in FOLDER/bin, or on the path
set -euo pipefail

folder=$1
suite=forky
here=$(cd "$(dirname "$0")" && pwd)

packages=()
for tool in docker-registry skopeo openssl; do
    command -v "$tool" >/dev/null || packages+=("$tool")
done
if [ ${#packages[@]} -gt 0 ]; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

PATH=$folder/bin:$PATH
missing=()
for tool in oras crane cosign; do
    "$tool" --help >/dev/null 2>&1 || missing+=("$tool")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "the tools of registries are ready"
    exit 0
fi
mirror=$("$here/../debian_mirror.sh")
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
# An older Debian knows the keys of a newer one if the package debian-archive-keyring is up to date.
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" \
    >"$state/sources.list"
options=(
    -o "Dir::State::Lists=$state/lists"
    -o "Dir::Cache=$state/cache"
    -o "Dir::Etc::SourceList=$state/sources.list"
    -o "Dir::Etc::SourceParts=/dev/null"
    # A mirror may be some days old.
    -o Acquire::Check-Valid-Until=false
    -o APT::Sandbox::User=root
)
apt-get "${options[@]}" update -q
mkdir -p "$folder/bin"
for tool in "${missing[@]}"; do
    (cd "$state" && apt-get "${options[@]}" download -q "$tool")
    dpkg -x "$state/$tool"_*.deb "$state/$tool"
    install -m 755 "$state/$tool/usr/bin/$tool" "$folder/bin/$tool"
    "$tool" --help >/dev/null
done
