#!/usr/bin/env bash
# Fuzzes every target for some seconds, from the seeds and regressions: a minute of processor time
# in all unless told otherwise, as many targets at a time as there are processors. Fails at any
# finding, which is left in fuzz/artifacts.
#
#   fuzz/smoke.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-60}
target=${FUZZ_TARGET_DIR:-$PWD/target}
triple=$(rustc -vV | sed -n 's/^host: //p')
mapfile -t names < <(cd targets && ls -- *.rs | sed 's/\.rs$//')
each=$(((seconds + ${#names[@]} - 1) / ${#names[@]}))

# No sanitizer: neither the project nor, but for a few lines, what is read here is unsafe
# code. What counts are panics, overflows, hangs and broken laws.
CARGO_TARGET_DIR=$target cargo fuzz build --sanitizer none

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

fuzz() { # TARGET
    local name=$1 log=$new/$1.log
    mkdir -p "$new/$name" artifacts "regressions/$name"
    if ! "$target/$triple/release/$name" "$new/$name" "seeds/$name" "regressions/$name" \
        -artifact_prefix="artifacts/$name-" -max_total_time="$each" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 40 "$log"
        printf '%-14s FOUND SOMETHING\n' "$name"
        return 1
    fi
    printf '%-14s %9d executions\n' "$name" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    rmdir --ignore-fail-on-non-empty "regressions/$name"
}
export -f fuzz
export new target triple each

printf '%s\n' "${names[@]}" | xargs -n 1 -P "$(nproc)" bash -c 'fuzz "$1"' fuzz
