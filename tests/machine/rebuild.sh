#!/usr/bin/env bash
# Builds the same programs on two machines, and compares the artifacts bit for bit: on this machine,
# and on a separate one with another kernel, another CPU, another file system and one processor. It
# takes minutes, because that machine is emulated.
#
#     tests/machine/rebuild.sh [EDGEC [PROGRAM.wasm...]]
#
# EDGEC is built if it is not named. Without programs, the example is used.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine/kernel.sh

need qemu-system-x86_64:qemu-system-x86 busybox:busybox cpio:cpio
fetch_kernel

edgec=${1:-}
if [ -z "$edgec" ]; then
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    cargo build --locked --workspace --bins
    edgec=$CARGO_TARGET_DIR/debug/edgec
fi
shift || true
programs=("$@")
[ ${#programs[@]} -gt 0 ] || programs=(examples/hello.wat)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,in,tmp}
put "$root" "$edgec" edgec
put "$root" "$(command -v busybox)"
cp "${programs[@]}" "$root/in/"
"$edgec" keygen -o "$root/in/key.pem" >/dev/null
cp tests/machine/build.sh "$root/in/build.sh"
cp tests/machine/init "$root/init"
chmod 755 "$root/init"
pack "$root" "$work/initramfs"

machine+=(
    -m 4096 -kernel "$kernel" -initrd "$work/initramfs"
    -serial "file:$work/kernel.log" -serial "file:$work/there"
)
timeout "${EDGEC_MACHINE_TIMEOUT:-1800}" qemu-system-x86_64 "${machine[@]}" </dev/null ||
    echo "the machine did not end by itself" >&2
tr -d '\r' <"$work/there" >"$work/there.txt"

cp -r "$root/in" "$work/here"
(cd "$work/here" && PATH=$(dirname "$(realpath "$edgec")"):$PATH sh build.sh) >"$work/here.txt"
echo "here:  $(uname -r), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors"
grep '^there: ' "$work/there.txt" || true
grep -v '^there: ' "$work/there.txt" | diff "$work/here.txt" - || {
    tail -n 20 "$work/kernel.log" | tr -d '\r' >&2
    echo "DIFFERENT" >&2
    exit 1
}
cat "$work/here.txt"
echo "the same: $(wc -l <"$work/here.txt") artifacts"
