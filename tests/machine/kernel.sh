# Shared by the scripts that start a separate machine with Debian's kernel. Uses only public
# packages. Source it: it sets `kernel` and `folder`, and defines `put`. Run the scripts on Debian
# for x86-64, and as root if a package is missing.

folder=${EDGEC_VERITY_ROOT:-$HOME/.cache/edgec/verity}
suite=trixie

# Installs the missing packages of `program:package`.
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

# The kernel: unpacked, not installed, from one release of Debian, whatever this machine runs.
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

# A program and the libraries that it links, at the paths where it searches them: put ROOT PROGRAM
# [NAME].
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

# Emulated: seconds slower than with the processor's own virtualization, but the same machine
# everywhere. The kernel runs without `cmpxchg16b`, because QEMU 7.2 sometimes gets its flags wrong;
# artifacts need a processor that has it.
machine=(
    -accel tcg -cpu Nehalem
    -nodefaults -no-user-config -display none -no-reboot -smp 1
    -append 'console=ttyS0 panic=-1 clearcpuid=cx16'
)
