//! What the linker does so that the program starts fast. It starts itself for every stage of a
//! build.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if !std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        return;
    }
    // Binaryen has some hundred and fifty initializers, which the linker otherwise leaves where
    // they came from, one in each corner of the program: every start reads 5 MB of it for nothing.
    // So what runs at the start, what hardly ever runs, and the rest are kept apart. Linkers that
    // do not know this say so and go on.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,keep-text-section-prefix");
    // Without Binaryen there is no C++.
    if std::env::var_os("CARGO_FEATURE_BINARYEN").is_none() {
        return;
    }
    if let (Some(library), Some(out)) = (cplusplus(), std::env::var_os("OUT_DIR")) {
        link_statically(&library, Path::new(&out));
    }
}

/// The static C++ library, if the compiler comes with it.
fn cplusplus() -> Option<PathBuf> {
    let compiler = cc::Build::new().cpp(true).try_get_compiler().ok()?;
    let asked = compiler
        .to_command()
        .arg("-print-file-name=libstdc++.a")
        .output();
    let path = PathBuf::from(String::from_utf8(asked.ok()?.stdout).ok()?.trim());
    // If there is none, the compiler repeats the name.
    (path.is_absolute() && path.is_file()).then_some(path)
}

/// The loader would look up some thousand names of a shared library at every start, which takes
/// more than a millisecond. A linker takes what it finds first, and a folder that has the static
/// library alone comes before those of the system.
fn link_statically(library: &Path, out: &Path) {
    let place = out.join("libstdc++.a");
    let _ = std::fs::remove_file(&place);
    match std::fs::copy(library, &place) {
        Ok(_) => println!("cargo:rustc-link-search=native={}", out.display()),
        Err(error) => println!("cargo:warning=libstdc++ is shared: {error}"),
    }
}
