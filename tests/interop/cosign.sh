#!/usr/bin/env bash
# Installs cosign, of the sigstore project, which the tests let judge what edgec signs. Debian has
# it in a release after the oldest one that the tests run on. So apt downloads only this package,
# with lists of its own, which nothing else on the machine uses, and checks Debian's signature.
#
#   tests/interop/cosign.sh FOLDER      the program is then FOLDER/bin/cosign
set -euo pipefail

folder=$1
suite=forky
here=$(cd "$(dirname "$0")" && pwd)

if "$folder/bin/cosign" version >/dev/null 2>&1; then
    echo "$folder/bin/cosign is ready"
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
(cd "$state" && apt-get "${options[@]}" download -q cosign)
dpkg -x "$state"/cosign_*.deb "$state/root"
mkdir -p "$folder/bin"
install -m 755 "$state/root/usr/bin/cosign" "$folder/bin/cosign"
"$folder/bin/cosign" version
