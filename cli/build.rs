//! Keeps apart, in the program, what runs at its start, what hardly ever runs, and the rest.
//!
//! Binaryen has some hundred and fifty initializers, which the linker otherwise leaves where they
//! came from, one in each corner of the program: every start reads 5 MB of it for nothing.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Linkers that do not know it say so and go on.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,keep-text-section-prefix");
    }
}
