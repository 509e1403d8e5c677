#!/usr/bin/env bash
# Tries what edgec relies on of fs-verity in a machine of its own, with Debian's kernel: this
# one's may not have it, and the disk is damaged on purpose. Public packages only; a minute
# or two. Run it on Debian for x86-64, as root where a package is missing.
#
#     tests/verity/run.sh [PROGRAM EDGEC]
#
# PROGRAM is a built `verity-check`, the example of edgec-loader, and EDGEC the compiler; they
# are built when not named.
set -euo pipefail
cd "$(dirname "$0")/../.."

. tests/machine/kernel.sh
# The machine ends by itself in less than a minute.
patience=${EDGEC_VERITY_TIMEOUT:-300}

need qemu-system-x86_64:qemu-system-x86 busybox:busybox cpio:cpio xz:xz-utils \
    mke2fs:e2fsprogs debugfs:e2fsprogs fsverity:fsverity
fetch_kernel

program=${1:-} edgec=${2:-}
if [ -z "$program" ] || [ -z "$edgec" ]; then
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
    cargo build --locked --workspace --bins --example verity-check
    program=$CARGO_TARGET_DIR/debug/examples/verity-check
    edgec=$CARGO_TARGET_DIR/debug/edgec
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{bin,modules}

put "$root" "$program" verity-check
for tool in busybox debugfs fsverity; do put "$root" "$(command -v $tool)"; done
"$edgec" keygen -o "$work/key.pem" >/dev/null
"$edgec" build examples/hello.wat --target x86_64 --key "$work/key.pem" --name hello -q -o "$root/artifact.cwasm"
cp "$work/key.pub.pem" "$root/key.pub.pem"
cp tests/verity/init "$root/init"
chmod 755 "$root/init"
# Built into this kernel are ext4, its SHA-2 and the bus; the disk is a module.
find "$folder/kernel" -name 'virtio_blk.ko*' -exec cp {} "$root/modules" \;
find "$root/modules" -name '*.xz' -exec xz -d {} +
pack "$root" "$work/initramfs"

truncate -s 512M "$work/disk" "$work/plain"
mke2fs -q -t ext4 -b 4096 -O verity "$work/disk"
mke2fs -q -t ext4 -b 4096 -O ^verity "$work/plain"

machine+=(
    -m 512 -kernel "$kernel" -initrd "$work/initramfs"
    -drive "if=virtio,format=raw,cache=unsafe,file=$work/disk"
    -drive "if=virtio,format=raw,cache=unsafe,file=$work/plain"
    -serial "file:$work/kernel.log" -serial "file:$work/checks.log"
)
timeout "$patience" qemu-system-x86_64 "${machine[@]}" </dev/null || {
    echo "the machine did not end by itself" >&2
}

tr -d '\r' <"$work/checks.log"
if ! grep -Eq '^checks: [1-9][0-9]* passed, 0 failed' "$work/checks.log"; then
    echo "--- the end of the kernel's log" >&2
    tail -n 40 "$work/kernel.log" | tr -d '\r' >&2
    exit 1
fi
