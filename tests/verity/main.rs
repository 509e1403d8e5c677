//! Tests what edgec relies on in fs-verity, on a kernel that has it.
//!
//! `tests/verity/run.sh` starts this in a separate machine, whose disk it damages. It prints one
//! line for each check, `PASS` or `FAIL`, and a last line with both counts.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::print_stdout, reason = "a program that reports")
)]

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the ioctls of the loader's module")]
#[path = "../../store/src/verity.rs"]
mod verity;

#[cfg(target_os = "linux")]
mod apart;
#[cfg(target_os = "linux")]
mod corruption;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod mapping;
#[cfg(target_os = "linux")]
mod sealing;
#[cfg(target_os = "linux")]
mod store;

/// The error says which result was expected, or why there was none.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A sentence, and the function that tests it.
#[cfg(target_os = "linux")]
type Check = (&'static str, fn() -> Outcome);

#[cfg(target_os = "linux")]
fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(),
        [store::COMMAND, path] => store::serve(path.as_ref()),
        [store::ADMIT, path] => store::admit(path.as_ref()),
        [how, path, page] => {
            let how = mapping::Use::named(how).ok_or("no such use of a page")?;
            mapping::serve(how, path.as_ref(), page.parse()?)
        }
        _ => Err("usage: verity-check, on a machine whose disk may be damaged".into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> Outcome {
    Err("fs-verity is Linux's".into())
}

#[cfg(target_os = "linux")]
fn run() -> Outcome {
    machine::mount_disks()?;
    let (mut passed, mut failed) = (0, 0);
    for (sentence, check) in [
        sealing::CHECKS,
        apart::CHECKS,
        corruption::CHECKS,
        store::CHECKS,
    ]
    .concat()
    {
        match check() {
            Ok(()) => {
                passed += 1;
                println!("PASS {sentence}");
            }
            Err(error) => {
                failed += 1;
                println!("FAIL {sentence}: {error}");
            }
        }
    }
    println!("checks: {passed} passed, {failed} failed");
    Ok(())
}

/// An error with `what` and both values, if they differ.
#[cfg(target_os = "linux")]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Outcome {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {seen:?}, not {expected:?}").into())
}
