"""Rust programs, compiled before and after a change of one function in their source.

The compiler is Debian's, with its library for WASI, in a folder that `tests/aarch64/cross.sh`
makes. So the two programs differ as two versions of a developer do: the compiler decides anew what
it inlines, and where functions and constants lie.
"""

import shutil
from pathlib import Path

from make import REPOSITORY, MakeError, run

SOURCES = Path(__file__).resolve().parent / "programs"
DEBIAN = REPOSITORY / "tests" / "aarch64" / "cross.sh"
PACKAGES = ("libstd-rust-dev-wasm32", "wasi-libc", "lld")
TARGET = "wasm32-wasip1"
# What the change adds to `discount`, before its rule for customers who come again.
BEFORE = "    if orders_before >= 3 {\n"
ADDED = """\
    let pieces: u64 = order.items.iter().map(|item| u64::from(item.count)).sum();
    percent += match pieces {
        0..10 => 0,
        10..50 => 1,
        _ => 3,
    };
    if order.customer.ends_with("_ltd") && percent < 5 {
        percent = 5;
    }
"""


def rust(folder, name, level):
    """A program at a level of optimization, before and after. Returns both paths."""
    text = (SOURCES / "src" / "lib.rs").read_text()
    if text.count(BEFORE) != 1:
        raise MakeError(f"{SOURCES} has other text")
    versions = {"before": text, "after": text.replace(BEFORE, ADDED + BEFORE)}
    return tuple(
        compiled(folder / f"rust-{level}", version, level, text) / f"{name}.wasm"
        for version, text in versions.items()
    )


def compiled(place, version, level, text):
    """The folder of the programs of a version. All versions have the same paths in them."""
    output = place / version
    ready = output / "lib.rs"
    if ready.is_file() and ready.read_text() == text:
        return output
    run(DEBIAN, "--packages", *PACKAGES)
    run("cargo", "fetch", "--quiet", "--locked", "--manifest-path", SOURCES / "Cargo.toml")
    shutil.copytree(SOURCES, place, dirs_exist_ok=True)
    (place / "src" / "lib.rs").write_text(text)
    settings = (
        "CARGO_TARGET_DIR=/work/target",
        f"CARGO_PROFILE_RELEASE_OPT_LEVEL={level}",
        "CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS=-C linker=wasm-ld",
    )
    build = ("cargo", "build", "--locked", "--offline", "--release", "--target", TARGET)
    run(DEBIAN, "--run", place, "env", "-C", "/work", *settings, *build)
    output.mkdir(exist_ok=True)
    for program in (place / "target" / TARGET / "release").glob("*.wasm"):
        shutil.copy(program, output)
    ready.write_text(text)
    return output
