//! Linker options that make the program start fast: it starts itself for every stage of a build.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if !std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        return;
    }
    // Binaryen has about 150 initializers. By default, the linker leaves them spread over the whole
    // program, so every start reads 5 MB of it for nothing. These options separate what runs at the
    // start, what hardly ever runs, and the rest. A linker that does not know them warns and goes
    // on.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,keep-text-section-prefix");
    // Without Binaryen there is no C++.
    if std::env::var_os("CARGO_FEATURE_BINARYEN").is_none() {
        return;
    }
    if let (Some(library), Some(out)) = (cplusplus(), std::env::var_os("OUT_DIR")) {
        link_statically(&library, Path::new(&out));
    }
}

/// The static C++ library, if the compiler has it.
fn cplusplus() -> Option<PathBuf> {
    let compiler = cc::Build::new().cpp(true).try_get_compiler().ok()?;
    let asked = compiler
        .to_command()
        .arg("-print-file-name=libstdc++.a")
        .output();
    let path = PathBuf::from(String::from_utf8(asked.ok()?.stdout).ok()?.trim());
    // If the compiler does not have it, it repeats the name.
    (path.is_absolute() && path.is_file()).then_some(path)
}

/// Links the C++ library statically. With a shared library, every start would look up some thousand
/// names, which takes more than a millisecond. A linker takes the first library that it finds, so a
/// folder with only the static library comes before the system's folders.
fn link_statically(library: &Path, out: &Path) {
    let place = out.join("libstdc++.a");
    let _ = std::fs::remove_file(&place);
    match std::fs::copy(library, &place) {
        Ok(_) => println!("cargo:rustc-link-search=native={}", out.display()),
        Err(error) => println!("cargo:warning=libstdc++ is shared: {error}"),
    }
}
