#!/usr/bin/env bash
# Makes a small Debian for aarch64 with Python and the stock Wasmtime of PyPI, to be run by
# qemu-aarch64-static: an engine that is not ours, on a CPU that is not this machine's.
# Public packages only; about two minutes; no emulated machine. Run it as root on Debian.
set -euo pipefail

root=${EDGEC_AARCH64_ROOT:-$HOME/.cache/edgec/aarch64}
wasmtime=48.0.0

need=()
command -v debootstrap >/dev/null || need+=(debootstrap)
command -v qemu-aarch64-static >/dev/null || need+=(qemu-user-static)
python3 -m pip --version >/dev/null 2>&1 || need+=(python3-pip)
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || need+=(debian-archive-keyring)
if [ ${#need[@]} -gt 0 ]; then
    apt-get update -q
    apt-get install -q -y --no-install-recommends "${need[@]}"
fi
if [ "$(cat "$root/ready" 2>/dev/null)" = "$wasmtime" ]; then
    echo "$root is ready"
    exit 0
fi

mirror=$("$(dirname "$0")/../debian_mirror.sh")
rm -rf "$root"
mkdir -p "$root"
# The packages are unpacked, not installed, so no program for aarch64 has to run.
debootstrap --force-check-gpg --arch=arm64 --foreign --variant=minbase --include=python3 \
    trixie "$root" "$mirror"
for package in "$root"/var/cache/apt/archives/*.deb; do
    dpkg-deb -x "$package" "$root"
done

# With another platform tag, pip silently installs a wheel without the library.
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
python3 -m pip download --quiet --no-deps --only-binary=:all: --platform manylinux2014_aarch64 \
    --python-version 311 "wasmtime==$wasmtime" -d "$wheels"
python3 -m zipfile -e "$wheels"/wasmtime-*.whl "$root/opt/wasmtime"
rm -rf "$root"/var/cache/apt/archives

PYTHONPATH="$root/opt/wasmtime" qemu-aarch64-static -L "$root" "$root/usr/bin/python3.13" \
    -c 'import platform, wasmtime; print(platform.machine(), wasmtime.Engine())'
echo "$wasmtime" >"$root/ready"
