# What the scripts share that start a machine of their own with Debian's kernel. Public packages
# only. To be sourced; sets `kernel` and `folder`, defines `put`. Run them on Debian for x86-64, as
# root where a package is missing.

folder=${EDGEC_VERITY_ROOT:-$HOME/.cache/edgec/verity}
suite=trixie

# Installs what is missing of `program:package`.
need() {
    local missing=()
    for tool in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        apt-get update -q
        apt-get install -q -y --no-install-recommends "${missing[@]}"
    fi
    export PATH=$PATH:/usr/sbin:/sbin
}

# The kernel: unpacked, not installed, of one release of Debian whatever this one is.
fetch_kernel() {
    if [ "$(cat "$folder/ready" 2>/dev/null)" != "$suite" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"/apt/{lists/partial,archives/partial} "$folder/kernel"
        local mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
        mirror=$(tests/debian_mirror.sh)
        echo "deb [signed-by=$keys] $mirror $suite main" >"$folder/apt/sources"
        local options=(
            -q -o "Dir::Etc::SourceList=$folder/apt/sources" -o Dir::Etc::SourceParts=-
            -o "Dir::State::Lists=$folder/apt/lists" -o Dir::State::Status=/dev/null
            -o "Dir::Cache=$folder/apt" -o APT::Architecture=amd64 -o APT::Sandbox::User=root
            -o Acquire::Languages=none
        )
        apt-get "${options[@]}" update
        local package
        package=$(apt-cache "${options[@]}" depends linux-image-cloud-amd64 |
            sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p')
        (cd "$folder/apt" && apt-get "${options[@]}" download "$package")
        dpkg-deb -x "$folder"/apt/linux-image-*.deb "$folder/kernel"
        rm -rf "$folder/apt"
        echo "$suite" >"$folder/ready"
    fi
    kernel=$(find "$folder/kernel/boot" -name 'vmlinuz-*')
}

# A program and the libraries that it links, where it looks for them: put ROOT PROGRAM [NAME].
put() {
    local root=$1
    cp "$2" "$root/bin/$(basename "${3:-$2}")"
    { ldd "$2" 2>/dev/null || true; } | sed -n 's|^[^/]*\(/[^ ]*\) (.*|\1|p' | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}

# A folder as the first file system of a machine: pack ROOT FILE.
pack() {
    (cd "$1" && find . | cpio --quiet -o -H newc | gzip -1) >"$2"
}

# Emulated: seconds more than with the processor's own virtualization, and the same machine
# everywhere. The kernel does without `cmpxchg16b`, whose flags QEMU 7.2 gets wrong now and
# then; artifacts want a processor that has it.
machine=(
    -accel tcg -cpu Nehalem
    -nodefaults -no-user-config -display none -no-reboot -smp 1
    -append 'console=ttyS0 panic=-1 clearcpuid=cx16'
)
