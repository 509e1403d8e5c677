#!/usr/bin/env bash
# Makes the files of a release: an archive for each system, their provenance, their digests, and a
# signature over the digests by edgec itself. docs/release.md describes them.
#
#   release/make.sh OUT [--target TRIPLE]... [--program TRIPLE=FILE]... [--key KEY]
#
#   OUT        a new folder
#   --target   a system, as rustc names it; repeatable; by default the one of this machine
#   --program  an edgec that is built already, for this system; others are built here
#   --key      what `edgec sign-blob --key` takes; without it, nothing is signed
#
# The same commit and the same compilers give the same archives. EDGEC_RELEASE_BUILDER is the URI of
# who builds, for the provenance.
set -euo pipefail

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

repository=$(realpath "$(dirname "$0")/..")
out=${1:-}
[ -n "$out" ] && [ "${out#-}" = "$out" ] || fail "name a new folder: release/make.sh OUT"
shift
here=$(rustc -vV | sed -n 's/^host: //p')
targets=()
key=
declare -A programs
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || fail "$1 needs a value"
    case $1 in
    --target) targets+=("$2") ;;
    --program)
        [[ $2 == ?*=?* ]] || fail "--program takes TRIPLE=FILE"
        programs[${2%%=*}]=$(realpath "${2#*=}")
        ;;
    --key) key=$2 ;;
    *) fail "unknown option $1" ;;
    esac
    shift 2
done
[ ${#targets[@]} -gt 0 ] || targets=("$here")
if [ -e "$out" ] && [ -n "$(ls -A "$out")" ]; then fail "$out is not empty"; fi
mkdir -p "$out"
out=$(realpath "$out")

cd "$repository"
version=$(sed -n '/^\[workspace\.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
commit=$(git rev-parse HEAD)
modified=false
git diff --quiet HEAD || modified=true
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Builds for a system, unless its program was named.
program_for() {
    if [ -z "${programs[$1]:-}" ]; then
        cargo build --profile dist --locked --package edgec --target "$1" >&2
        programs[$1]=${CARGO_TARGET_DIR:-target}/$1/dist/edgec
    fi
    [ -x "${programs[$1]}" ] || fail "${programs[$1]} is not a program"
}

# The program of this machine writes completions and manual pages for all systems.
program_for "$here"
edgec=${programs[$here]}
[[ $("$edgec" --version) == "edgec $version "* ]] || fail "$edgec is not edgec $version"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

archive() {
    local target=$1 name=edgec-$version-$1 root=$stage/edgec-$version-$1
    program_for "$target"
    install -D -m 755 "${programs[$target]}" "$root/bin/edgec"
    local completions=(
        bash=bash-completion/completions/edgec
        elvish=elvish/lib/edgec.elv
        fish=fish/vendor_completions.d/edgec.fish
        powershell=edgec/edgec.ps1
        zsh=zsh/site-functions/_edgec
    )
    for pair in "${completions[@]}"; do
        local file=$root/share/${pair#*=}
        mkdir -p "$(dirname "$file")"
        "$edgec" completions "${pair%%=*}" >"$file"
    done
    "$edgec" man "$root/share/man/man1"
    install -D -m 755 -t "$root/share/edgec" integrations/ci-build.sh
    install -D -m 644 -t "$root/share/doc/edgec" LICENSE README.md CHANGELOG.md SECURITY.md
    find "$root" -type d -exec chmod 755 {} +
    find "$root/share" -type f ! -name '*.sh' -exec chmod 644 {} +
    # No owner, no order of a file system and no time of this build.
    tar --create --file - --directory "$stage" --sort=name --format=gnu --owner=0 --group=0 \
        --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" "$name" | gzip -9 -n >"$out/$name.tar.gz"
}

for target in "${targets[@]}"; do archive "$target"; done

# A text as JSON. None of the texts has control characters.
json() {
    local text=${1//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# SLSA provenance, version 1. It is one of the files in SHA256SUMS, so the signature covers it.
provenance() {
    local builder=${EDGEC_RELEASE_BUILDER:-}
    if [ -z "$builder" ] && [ -n "${GITHUB_WORKFLOW_REF:-}" ]; then
        builder=$GITHUB_SERVER_URL/$GITHUB_WORKFLOW_REF
    fi
    local source=https://github.com/edgec/edgec subjects=() systems=()
    for target in "${targets[@]}"; do
        local name=edgec-$version-$target.tar.gz digest
        digest=$(sha256sum <"$out/$name")
        subjects+=("{\"name\": $(json "$name"), \"digest\": {\"sha256\": \"${digest%% *}\"}}")
        systems+=("$(json "$target")")
    done
    local IFS=,
    local lock
    lock=$(sha256sum <Cargo.lock)
    cat <<END
{
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [${subjects[*]}],
  "predicateType": "https://slsa.dev/provenance/v1",
  "predicate": {
    "buildDefinition": {
      "buildType": "$source/blob/main/docs/release.md",
      "externalParameters": {"version": $(json "$version"), "targets": [${systems[*]}]},
      "internalParameters": {
        "profile": "dist",
        "modified": $modified,
        "rustc": $(json "$(rustc --version)"),
        "cxx": $(json "$(c++ --version 2>/dev/null | head -n 1)")
      },
      "resolvedDependencies": [
        {"uri": "git+$source@refs/tags/v$version", "digest": {"gitCommit": "$commit"}},
        {"uri": "$source/blob/$commit/Cargo.lock", "digest": {"sha256": "${lock%% *}"}}
      ]
    },
    "runDetails": {"builder": {"id": $(json "${builder:-$source/blob/main/docs/release.md#by-hand}")}}
  }
}
END
}
provenance >"$out/edgec-$version.provenance.json"

(cd "$out" && sha256sum -- *.tar.gz *.provenance.json >SHA256SUMS)
if [ -n "$key" ]; then
    "$edgec" sign-blob "$out/SHA256SUMS" --key "$key" -o "$out/SHA256SUMS.dsse.json"
else
    echo "SHA256SUMS is not signed: no --key was given" >&2
fi
ls -1 "$out"
