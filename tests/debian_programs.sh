#!/usr/bin/env bash
# Installs programs of a newer Debian, each from the package of the same name. Debian has them in a
# release after the oldest one that the tests run on. So apt downloads only these packages, with
# lists of its own, which nothing else on the machine uses, and checks Debian's signature.
#
#   tests/debian_programs.sh FOLDER PROGRAM...      the programs are then in FOLDER/bin
#
# A program that answers `--help` there, or on the path, is not installed again.
set -euo pipefail

folder=$1
shift
suite=forky
here=$(cd "$(dirname "$0")" && pwd)

PATH=$folder/bin:$PATH
missing=()
for program in "$@"; do
    "$program" --help >/dev/null 2>&1 || missing+=("$program")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
mirror=$("$here/debian_mirror.sh")
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
for program in "${missing[@]}"; do
    (cd "$state" && apt-get "${options[@]}" download -q "$program")
    dpkg -x "$state/$program"_*.deb "$state/$program"
    install -m 755 "$state/$program/usr/bin/$program" "$folder/bin/$program"
    "$program" --help >/dev/null
done
