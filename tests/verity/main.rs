//! What edgec relies on of fs-verity, tried on a kernel that has it.
//!
//! `tests/verity/run.sh` starts this in a machine of its own, whose disk it damages. One
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

/// What was seen is not what had to be seen, or could not be looked at.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A sentence, and the function that tries whether it is true.
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

/// An error with `what` and both values, when they differ.
#[cfg(target_os = "linux")]
fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: T, expected: T) -> Outcome {
    if seen == expected {
        return Ok(());
    }
    Err(format!("{what}: {seen:?}, not {expected:?}").into())
}
