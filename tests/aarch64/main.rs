//! A host of edgec on another CPU than this machine's: `tests/aarch64/loader.sh` runs it in an
//! emulator.
//!
//! It loads artifacts that were built elsewhere, from files and from a store, and runs their
//! programs. It prints one line for each check, `PASS` or `FAIL`, and a last line with both counts.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::print_stdout, reason = "a program that reports")
)]

#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod program;

/// The error says which result was expected, or why there was none.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Whether the CPU has the atomic instructions of Armv8.1, which `neoverse-n1` needs. The
/// emulator's model decides this; the program does not ask the CPU.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cpu {
    WithLse,
    WithoutLse,
}

#[cfg(target_os = "linux")]
fn main() -> Outcome {
    use edgec_loader::error_chain;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (folder, cpu) = match arguments[..] {
        [folder, "lse"] => (folder.as_ref(), Cpu::WithLse),
        [folder, "no-lse"] => (folder.as_ref(), Cpu::WithoutLse),
        _ => return Err("usage: aarch64-check FOLDER (lse|no-lse)".into()),
    };
    let (mut passed, mut failed) = (0, 0);
    for (sentence, outcome) in cases::check(folder, cpu)? {
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("PASS {sentence}");
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {sentence}: {}", error_chain(&*error));
            }
        }
    }
    println!("checks: {passed} passed, {failed} failed");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() -> Outcome {
    Err("the store is Linux's".into())
}
