#!/usr/bin/env bash
# A separate Debian with Rust, a standard library for arm64, a C compiler for it, and a newer QEMU.
# It is newer than the oldest one that the tests run on, and nothing of it is installed on this
# machine. Public packages only; root on Debian for x86-64; four minutes, once.
#
#   tests/aarch64/cross.sh                        makes it
#   tests/aarch64/cross.sh --packages PACKAGE...  and installs more of its packages in it
#   tests/aarch64/cross.sh --run WORK COMMAND...  runs a command in it
#   tests/aarch64/cross.sh --edgec CPU            compiles edgec for arm64, and prints what runs it
#
# A command has this repository as /edgec and the folder WORK as /work. Its crates are those that
# this machine's cargo fetched: it can write neither them nor the sources.
set -euo pipefail
cd "$(dirname "$0")/../.."

cross=${EDGEC_CROSS_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/edgec/cross}
root=$cross/root
suite=forky
triple=aarch64-unknown-linux-gnu

in_chroot() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"
}

install_packages() {
    in_chroot apt-get install -q -y --no-install-recommends "$@"
    in_chroot apt-get clean
}

make_root() {
    local need=() mirror tool
    for tool in debootstrap:debootstrap curl:curl; do
        command -v "${tool%:*}" >/dev/null || need+=("${tool#*:}")
    done
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || need+=(debian-archive-keyring)
    if [ ${#need[@]} -gt 0 ]; then
        apt-get update -q
        apt-get install -q -y --no-install-recommends "${need[@]}"
    fi
    if [ "$(cat "$cross/ready" 2>/dev/null)" = "$suite" ]; then
        return
    fi
    mirror=$(tests/debian_mirror.sh)
    rm -rf "$root" "$cross/ready"
    mkdir -p "$root" "$cross/target"
    debootstrap --force-check-gpg --variant=minbase --include=ca-certificates "$suite" "$root" \
        "$mirror" /usr/share/debootstrap/scripts/sid
    # A suite that is not released may be past its date. Its signatures are still checked.
    echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90edgec"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    in_chroot dpkg --add-architecture arm64
    in_chroot apt-get update -q
    install_packages rustc cargo gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
        libstd-rust-dev:arm64 qemu-user
    mkdir -p "$root"/{edgec,cargo/registry,target,work}
    echo "$suite" >"$cross/ready"
}

run() { # WORK COMMAND...
    local work=$1
    shift
    # This process becomes the command, so a caller can end it.
    exec env ROOT="$root" SOURCES="$PWD" CRATES="${CARGO_HOME:-$HOME/.cargo}/registry" \
        TARGET="$cross/target" WORK="$work" \
        unshare --mount bash -euc '
            bind() { mount --bind "$1" "$ROOT/$2"; }
            bind "$SOURCES" edgec && mount -o remount,ro,bind "$ROOT/edgec"
            bind "$CRATES" cargo/registry && mount -o remount,ro,bind "$ROOT/cargo/registry"
            bind "$TARGET" target
            bind "$WORK" work
            bind /dev dev
            mount -t proc proc "$ROOT/proc"
            exec chroot "$ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
                CARGO_HOME=/cargo CARGO_TARGET_DIR=/target CARGO_TERM_COLOR=never \
                CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
                QEMU_LD_PREFIX=/usr/aarch64-linux-gnu "$@"
        ' in_chroot "$@"
}

# The features of the image for hosts (deploy/Dockerfile). Without optimization and information
# for debuggers, it compiles in a third of the time of the tests' profile.
compile_edgec() { # CPU
    local work
    work=$(mktemp -d)
    cargo fetch --locked --quiet
    (run "$work" env -C /edgec CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_OPT_LEVEL=0 \
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_DEBUG_ASSERTIONS=false \
        cargo build --locked --offline --quiet --target $triple \
        --config profile.dev.package.edgec-compiler.opt-level=0 --package edgec \
        --no-default-features --features registry,serve) >&2
    rmdir "$work"
    # The older emulator of this machine lacks system calls, and this one needs nothing beside it.
    echo "$root/usr/bin/qemu-aarch64 -cpu $1 -L $root/usr/aarch64-linux-gnu" \
        "$cross/target/$triple/debug/edgec"
}

case ${1:-} in
'') make_root ;;
--packages) make_root && install_packages "${@:2}" ;;
--run) run "${@:2}" ;;
--edgec) make_root >&2 && compile_edgec "$2" ;;
*)
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
    ;;
esac
