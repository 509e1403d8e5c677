#!/usr/bin/env bash
# Finds or downloads edgec for a CI job. `action.yml` runs it. All input comes from the environment,
# so no text of a workflow becomes a part of a script.
#
#   EDGEC_CI_PROGRAM   an edgec program, or empty
#   EDGEC_CI_VERSION   the version to download, such as 0.1.0, or empty; with neither, the edgec
#                      on PATH
#   EDGEC_CI_SHA256    the SHA-256 digest that the archive must have, or empty: that of SHA256SUMS
#   EDGEC_CI_RELEASES  where releases are: a URL, or a folder; a folder vVERSION is in it
#   RUNNER_TEMP        the folder for the download
#   GITHUB_OUTPUT      a file for `program=PATH`; without it, the line goes to standard output
set -euo pipefail

fail() {
    printf 'error: %s\n' "$1" >&2
    exit "${2:-2}"
}

program=${EDGEC_CI_PROGRAM:-}
version=${EDGEC_CI_VERSION:-}
releases=${EDGEC_CI_RELEASES:-https://github.com/edgec/edgec/releases/download}

download() {
    if [ -d "$releases" ]; then
        cp -- "$releases/v$version/$1" .
    else
        curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 3 \
            --output "$1" "$releases/v$version/$1"
    fi
}

if [ -n "$program" ] && [ -n "$version" ]; then
    fail "name a program or a version of edgec, not both"
elif [ -n "$version" ]; then
    case $version in
    *[!0-9A-Za-z.+-]* | .* | -*) fail "this is no version of edgec: $version" ;;
    esac
    machine=$(uname -m)
    case $machine in
    x86_64 | aarch64) ;;
    *) fail "there is no edgec for $machine: build it from source (docs/release.md)" 3 ;;
    esac
    name=edgec-$version-$machine-unknown-linux-gnu
    folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/edgec-XXXXXXXX")
    cd "$folder"
    download "$name.tar.gz" || fail "$name.tar.gz was not downloaded" 3
    if [ -n "${EDGEC_CI_SHA256:-}" ]; then
        printf '%s  %s\n' "$EDGEC_CI_SHA256" "$name.tar.gz" >wanted
    else
        download SHA256SUMS || fail "SHA256SUMS was not downloaded" 3
        grep -F "  $name.tar.gz" SHA256SUMS >wanted || fail "SHA256SUMS does not name $name.tar.gz" 1
    fi
    sha256sum --check --strict --quiet wanted || fail "$name.tar.gz has another SHA-256 digest" 1
    tar -xzf "$name.tar.gz"
    program=$folder/$name/bin/edgec
elif [ -z "$program" ]; then
    program=$(command -v edgec) || fail "edgec is not on PATH: name a program or a version" 3
fi

case $program in
*$'\n'*) fail "the program's path has two lines" ;;
esac
[ -x "$program" ] || fail "$program is not a program" 3
program=$(realpath -- "$program")
"$program" --version
printf 'program=%s\n' "$program" >>"${GITHUB_OUTPUT:-/dev/stdout}"
