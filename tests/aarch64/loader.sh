#!/usr/bin/env bash
# Builds what a host links for aarch64, on this machine, and tries it under emulation: the tests of
# edgec-targets, -artifact, -files, -verifier, -store and -loader, and hosts that load what this
# machine's edgec builds, the programs in ../shared/guests among it. Public packages only; root on
# Debian for x86-64. Run it before a release: docs/aarch64.md has the times, and the last log.
#
#     tests/aarch64/loader.sh [EDGEC HTTP_HOST]
#
# EDGEC is the compiler and HTTP_HOST an example of edgec-loader, for this machine; they are built
# when not named.
set -euo pipefail
cd "$(dirname "$0")/../.."

triple=aarch64-unknown-linux-gnu
# A core without the atomic instructions of Armv8.1; the core of the newer target; all features of
# the emulator.
older=cortex-a72
newer=(neoverse-n1 max,pauth-impdef=on)

step() { printf '\n=== %s (%d s)\n' "$*" "$SECONDS"; }

step "tools"
tests/aarch64/cross.sh
# This machine's cargo fetches the crates, from its configured source.
cargo fetch --locked --quiet

work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

# Runs in that Debian, with the sources and the crates, which it cannot write, and the artifacts.
in_chroot=(tests/aarch64/cross.sh --run "$work")
examples=/target/$triple/debug/examples
crates() { # CPU CARGO-COMMAND [OPTION]...
    "${in_chroot[@]}" env -C /edgec CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -cpu $1" \
        cargo "$2" --locked --offline --target $triple -p edgec-targets -p edgec-artifact \
        -p edgec-files -p edgec-verifier -p edgec-store -p edgec-loader "${@:3}"
}

step "what is tried, and with what"
"${in_chroot[@]}" sh -c 'rustc --version; qemu-aarch64 --version | head -1'
echo "edgec $(git describe --always --dirty)"

step "what a host links, for aarch64"
crates $older test --quiet --lib --no-run
crates $older build --quiet --examples

for cpu in $older "${newer[@]}"; do
    step "the crates' tests on $cpu"
    # The emulator does not pass on fs-verity requests: to the loader it is a kernel without
    # fs-verity. So this test of a kernel's answer to a wrong request runs in tests/verity/run.sh,
    # on a real kernel.
    crates "$cpu" test --no-fail-fast --lib -- --quiet \
        --skip verity::tests::what_the_kernel_cannot_do_is_an_error
done

step "artifacts, built on this machine"
edgec=${1:-} http_host=${2:-}
if [ -z "$edgec" ] || [ -z "$http_host" ]; then
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    cargo build --locked --quiet --workspace --bins --example http_host
    edgec=$CARGO_TARGET_DIR/debug/edgec
    http_host=$CARGO_TARGET_DIR/debug/examples/http_host
fi
targets=(x86_64 aarch64 neoverse-n1)
"$edgec" keygen -o "$work/key.pem" >/dev/null
{
    printf "threshold = 1\n[[key]]\nname = 'release'\npem = '''\n"
    cat "$work/key.pub.pem"
    echo "'''"
} >"$work/policy.toml"

build() { # NAME FILE PROFILE
    local target
    mkdir -p "$work/cases/$1" "$work/built"
    for target in "${targets[@]}"; do
        echo "--target $target"
    done | xargs "$edgec" build -q "$2" --profile "$3" --name "$1" --key "$work/key.pem" -o "$work/built/"
    for target in "${targets[@]}"; do
        mv "$work/built"/*."$target.cwasm" "$work/cases/$1/$target.$3.cwasm"
    done
}
command_line() { # NAME FILE STDIN [ARGUMENT]...
    local folder=$work/cases/$1 code=0 argument
    build "$1" "$2" default
    build "$1" "$2" edge
    printf %s "$3" >"$folder/stdin"
    for argument in "${@:4}"; do echo "$argument"; done >"$folder/arguments"
    "$edgec" run --key "$work/key.pub.pem" "$folder/x86_64.default.cwasm" "${@:4}" \
        <"$folder/stdin" >"$folder/stdout" 2>/dev/null || code=$?
    echo "$code" >"$folder/code"
    echo "$1 on x86-64: exit code $code, $(wc -c <"$folder/stdout") bytes of output"
}
proxy() { # NAME FILE
    local target
    build "$1" "$2" edge
    for target in "${targets[@]}"; do
        "$edgec" store --store "$work/store" add --trust "$work/policy.toml" \
            "$work/cases/$1/$target.edge.cwasm" >/dev/null
    done
    rm -r "$work/cases/$1"
}
command_line hello examples/hello.wat ""
guests=../shared/guests proxies=()
if [ -d $guests ]; then
    command_line rust-worker-p2 $guests/rust-worker-p2.wasm ""
    command_line rust-worker-p1 $guests/rust-worker-p1.wasm ""
    command_line c-cmark $guests/c-cmark.wasm $'# Title\n\nText with *stress*, `code` and a [link](x).\n'
    command_line c-minigzip $guests/c-minigzip.wasm "a text, a text, a text that repeats itself, itself"
    command_line c-quickjs $guests/c-quickjs.wasm "" \
        "[1,2,3].map(x => x ** 10).join() + ' ' + /(a+)b/.exec('caaab')[1]"
    command_line c-quickjs-error $guests/c-quickjs.wasm "" "throw new Error('on purpose')"
    proxies=(rust-http-proxy js-http-proxy)
    for name in "${proxies[@]}"; do proxy "$name" "$guests/$name.wasm"; done
fi

failed=0
for cpu in $older "${newer[@]}"; do
    step "commands on $cpu"
    atomics=lse
    if [ "$cpu" = $older ]; then atomics=no-lse; fi
    "${in_chroot[@]}" qemu-aarch64 -cpu "$cpu" $examples/aarch64-check /work $atomics | tee "$work/log" || true
    grep -Eq '^checks: [1-9][0-9]* passed, 0 failed' "$work/log" || failed=1
done

answer() { # FOLDER NAME HOST...: what the program answers, in the host that the command starts
    "${@:3}" --no-root --no-state "$1/store" "$2" "$1/policy.toml" 127.0.0.1:0 600 >"$work/log" 2>&1 &
    server=$!
    until grep -q 'at http://' "$work/log"; do
        if ! kill -0 $server 2>/dev/null; then
            cat "$work/log" >&2
            server=
            return 1
        fi
        sleep 0.1
    done
    curl -sS --fail --max-time 600 "$(sed -n 's/.* at \(http:\)/\1/p' "$work/log")/" >"$work/answer"
    kill $server
    wait $server || true
    server=
}
for name in "${proxies[@]}"; do
    step "$name"
    answer "$work" "$name" "$http_host"
    mv "$work/answer" "$work/expected"
    echo "on x86-64: $(head -c 200 "$work/expected")"
    for cpu in $older "${newer[@]}"; do
        if answer /work "$name" "${in_chroot[@]}" qemu-aarch64 -cpu "$cpu" $examples/http_host &&
            cmp "$work/answer" "$work/expected"; then
            echo "PASS the same on $cpu"
        else
            echo "FAIL on $cpu"
            cat "$work/log"
            failed=1
        fi
    done
done

step "done"
exit $failed
