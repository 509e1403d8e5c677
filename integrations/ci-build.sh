#!/usr/bin/env bash
# Builds programs in a CI job: the script of `action.yml` and of `templates/edgec.yml`. All input
# comes from the environment, so no text of a workflow becomes a part of a script.
#
#   EDGEC_CI_PROGRAM  the edgec program; by default the one on PATH
#   EDGEC_CI_FILES    programs or patterns such as dist/*.wasm, one a line; if it is empty, the
#                     project is built (edgec.toml)
#   EDGEC_CI_TARGETS  CPUs, with commas between them, or empty: edgec's default
#   EDGEC_CI_OUTPUT   the folder for artifacts and for the report edgec-build.json
#   EDGEC_CI_KEY      what --key takes, such as env:EDGEC_SIGNING_KEY, or empty: no option
#   EDGEC_CI_OPTIONS  more arguments of `edgec build`, one a line
#   EDGEC_CI_CACHE    the folder of caches, in which edgec has its own folder, or empty
#   EDGEC_CI_CACHE_URL  the URL of a shared cache, or empty
#   GITHUB_OUTPUT, GITHUB_STEP_SUMMARY   files of GitHub Actions, if there are any
set -euo pipefail

fail() {
    printf 'error: %s\n' "$1" >&2
    exit 2
}

program=${EDGEC_CI_PROGRAM:-edgec}
output=${EDGEC_CI_OUTPUT:-edgec-artifacts}
report=$output/edgec-build.json

# With an empty IFS, a line is a pattern, and never several words.
files=()
shopt -s globstar nullglob
while IFS= read -r line || [ -n "$line" ]; do
    line=${line%$'\r'}
    [ -n "$line" ] || continue
    IFS=
    # shellcheck disable=SC2206
    found=($line)
    unset IFS
    # A name without a pattern is a name, whether the file exists or not.
    if [ -e "$line" ]; then found=("$line"); fi
    [ ${#found[@]} -gt 0 ] || fail "no file is called $line"
    files+=("${found[@]}")
done <<<"${EDGEC_CI_FILES:-}"

arguments=(--output "$output/" --format json)
if [ -n "${EDGEC_CI_TARGETS:-}" ]; then arguments+=(--target "$EDGEC_CI_TARGETS"); fi
if [ -n "${EDGEC_CI_KEY:-}" ]; then arguments+=(--key "$EDGEC_CI_KEY"); fi
while IFS= read -r line || [ -n "$line" ]; do
    line=${line%$'\r'}
    if [ -n "$line" ]; then arguments+=("$line"); fi
done <<<"${EDGEC_CI_OPTIONS:-}"

# A variable, so that an option `--cache` comes before it. edgec takes a cache only from a folder
# that no other user can change.
if [ -n "${EDGEC_CI_CACHE:-}" ]; then
    (umask 022 && mkdir -p -- "$EDGEC_CI_CACHE")
    EDGEC_CACHE=$(realpath -- "$EDGEC_CI_CACHE")/edgec
    export EDGEC_CACHE
fi
# A variable too: other users of the machine see arguments, and a URL may have a password.
if [ -n "${EDGEC_CI_CACHE_URL:-}" ]; then
    export EDGEC_CACHE_URL=$EDGEC_CI_CACHE_URL
fi
mkdir -p -- "$output"
start=$(mktemp)
trap 'rm -f "$start"' EXIT

status=0
# Without files, edgec builds the project, or says that there is none.
if [ ${#files[@]} -gt 0 ]; then arguments+=(-- "${files[@]}"); fi
"$program" build "${arguments[@]}" >"$report" || status=$?

artifacts=()
while IFS= read -r -d '' artifact; do
    artifacts+=("$artifact")
done < <(find "$output" -name '*.cwasm' -newer "$start" -print0 | sort -z)

# For people: what was built. Names are shown as code, and cannot be markup.
escaped() {
    printf '%s' "$1" | tr '\n' ' ' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/|/\&#124;/g'
}
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    {
        printf '### edgec\n\n'
        if [ "$status" -ne 0 ]; then printf '**The build failed** (exit code %s).\n\n' "$status"; fi
        if [ ${#artifacts[@]} -gt 0 ]; then
            printf '| artifact | bytes | SHA-256 |\n|---|---|---|\n'
            for artifact in "${artifacts[@]}"; do
                bytes=$(wc -c <"$artifact")
                digest=$(sha256sum <"$artifact")
                printf '| <code>%s</code> | %d | <code>%s</code> |\n' \
                    "$(escaped "$artifact")" "$bytes" "${digest%% *}"
            done
        fi
    } >>"$GITHUB_STEP_SUMMARY"
fi

# For later steps. No name of a file can end the list early, because its end is a random word.
if [ -n "${GITHUB_OUTPUT:-}" ]; then
    end=end_$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    {
        printf 'report=%s\n' "${report//$'\n'/}"
        printf 'artifacts<<%s\n' "$end"
        if [ ${#artifacts[@]} -gt 0 ]; then printf '%s\n' "${artifacts[@]}"; fi
        printf '%s\n' "$end"
    } >>"$GITHUB_OUTPUT"
fi
if [ ${#artifacts[@]} -gt 0 ]; then printf '%s\n' "${artifacts[@]}"; fi
exit "$status"
