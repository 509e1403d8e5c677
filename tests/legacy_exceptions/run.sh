#!/usr/bin/env bash
# Translates programs with exceptions from before the standard with a real Binaryen, which comes
# from npm. The programs must run, and a rebuild must give the same bytes.
#
#   tests/legacy_exceptions/run.sh EDGEC [PROGRAM...]     PROGRAMs are only built
#
# Needs node and npm.
set -euo pipefail

edgec=$(realpath "$1")
shift
programs=()
for program in "$@"; do programs+=("$(realpath "$program")"); done
here=$(realpath "$(dirname "$0")")
version=132.0.0
sha256=6543555fb29bb92548f325c7dc18e9ab7dbb1215edda25993d1e3f71d85b8618

# An installation in the usual form: its programs may read everything in it, and nothing else.
installed=${XDG_CACHE_HOME:-$HOME/.cache}/edgec/binaryen-$version
if [ ! -e "$installed/ready" ]; then
    rm -rf "$installed"
    place=$installed/lib/node_modules/binaryen
    mkdir -p "$installed/bin" "$place"
    (cd "$installed" && npm pack --silent --ignore-scripts "binaryen@$version" >/dev/null)
    archive=$installed/binaryen-$version.tgz
    echo "$sha256  $archive" | sha256sum --check --quiet
    tar -xzf "$archive" -C "$place" --strip-components=1
    rm "$archive"
    touch "$installed/ready"
fi
install -m 755 "$here/wasm-opt.mjs" "$installed/bin/wasm-opt.mjs"
with=(--wasm-opt "$installed/bin/wasm-opt.mjs")

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME=$folder EDGEC_CACHE=off
"$edgec" keygen -o key.pem >/dev/null
target=$(uname -m)
build=("$edgec" build -q --key key.pem -t "$target" -o app.cwasm)

built=0
for program in "$here"/*.wat; do
    for level in -O0 -O1 -O3; do
        if ! "${build[@]}" "$level" "${with[@]}" "$program" 2>warnings ||
            grep -q "is left as it is" warnings; then
            cat warnings >&2
            exit 1
        fi
        "$edgec" run --key key.pub.pem app.cwasm
        "$edgec" inspect app.cwasm --format json | grep -q '"name": "translate"'
        "$edgec" verify -q --key key.pub.pem --rebuild "$program" "${with[@]}" app.cwasm >/dev/null
        built=$((built + 1))
    done
    if "${build[@]}" "$program" 2>errors; then
        echo "$program was built without a wasm-opt" >&2
        exit 1
    fi
    grep -q '^error\[legacy-exceptions\]: ' errors
done
for program in ${programs[@]+"${programs[@]}"}; do
    "${build[@]}" "${with[@]}" "$program"
    built=$((built + 1))
done
echo "$built builds with translated exceptions"
