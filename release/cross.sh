# shellcheck shell=sh
# Sourced by a shell before it builds edgec for aarch64 on x86-64: which compilers build what.
# Debian's package g++-aarch64-linux-gnu has them. cargo takes the linker, and the crate `cc` takes
# the compilers, for the C++ of Binaryen, the C of zstd and the assembly of Wasmtime.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
export AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar
