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

folder=${EDGEC_VERITY_ROOT:-$HOME/.cache/edgec/verity}
suite=trixie
# The machine ends by itself in less than a minute.
patience=${EDGEC_VERITY_TIMEOUT:-300}

need=()
for tool in qemu-system-x86_64:qemu-system-x86 busybox:busybox cpio:cpio xz:xz-utils \
    mke2fs:e2fsprogs debugfs:e2fsprogs fsverity:fsverity; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${tool%:*}" >/dev/null || need+=("${tool#*:}")
done
if [ ${#need[@]} -gt 0 ]; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${need[@]}"
fi
export PATH=$PATH:/usr/sbin:/sbin

# The kernel: unpacked, not installed, of one release of Debian whatever this one is.
if [ "$(cat "$folder/ready" 2>/dev/null)" != "$suite" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"/apt/{lists/partial,archives/partial} "$folder/kernel"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $suite main" >"$folder/apt/sources"
    options=(
        -q -o "Dir::Etc::SourceList=$folder/apt/sources" -o Dir::Etc::SourceParts=-
        -o "Dir::State::Lists=$folder/apt/lists" -o Dir::State::Status=/dev/null
        -o "Dir::Cache=$folder/apt" -o APT::Architecture=amd64 -o APT::Sandbox::User=root
        -o Acquire::Languages=none
    )
    apt-get "${options[@]}" update
    package=$(apt-cache "${options[@]}" depends linux-image-cloud-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p')
    (cd "$folder/apt" && apt-get "${options[@]}" download "$package")
    dpkg-deb -x "$folder"/apt/linux-image-*.deb "$folder/kernel"
    rm -rf "$folder/apt"
    echo "$suite" >"$folder/ready"
fi

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

# A program and the libraries that it links, where it looks for them.
put() {
    cp "$1" "$root/bin/$(basename "${2:-$1}")"
    { ldd "$1" 2>/dev/null || true; } | sed -n 's|^[^/]*\(/[^ ]*\) (.*|\1|p' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}
put "$program" verity-check
for tool in busybox debugfs fsverity; do put "$(command -v $tool)"; done
"$edgec" keygen -o "$work/key.pem" >/dev/null
"$edgec" build examples/hello.wat --target x86_64 --key "$work/key.pem" --name hello -q -o "$root/artifact.cwasm"
cp "$work/key.pub.pem" "$root/key.pub.pem"
cp tests/verity/init "$root/init"
chmod 755 "$root/init"
# Built into this kernel are ext4, its SHA-2 and the bus; the disk is a module.
find "$folder/kernel" -name 'virtio_blk.ko*' -exec cp {} "$root/modules" \;
find "$root/modules" -name '*.xz' -exec xz -d {} +
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initramfs"

truncate -s 512M "$work/disk" "$work/plain"
mke2fs -q -t ext4 -b 4096 -O verity "$work/disk"
mke2fs -q -t ext4 -b 4096 -O ^verity "$work/plain"

kernel=$(find "$folder/kernel/boot" -name 'vmlinuz-*')
# Emulated: seconds more than with the processor's own virtualization, and the same machine
# everywhere. The kernel does without `cmpxchg16b`, whose flags QEMU 7.2 gets wrong now and
# then; artifacts want a processor that has it.
machine=(
    -accel tcg -cpu Nehalem
    -nodefaults -no-user-config -display none -no-reboot -m 512 -smp 1
    -kernel "$kernel" -initrd "$work/initramfs" -append 'console=ttyS0 panic=-1 clearcpuid=cx16'
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
