//! `cargo xtask`: the commands of this repository. It uses only the standard library, so it
//! compiles in a moment. It starts cargo and the repository's scripts.

mod ci;
mod machine;
mod shell;
mod slow;
mod suite;

use std::process::ExitCode;

/// The error says which command failed, and how it ended.
type Outcome = Result<(), String>;

const USAGE: &str = "\
cargo xtask test [--fast] [ARGUMENT]...   the tests; `--fast` leaves out the slow ones
cargo xtask times                         how long each subject of the end-to-end tests takes
cargo xtask bless [--all] FILE...         write what the commands print into these transcripts
cargo xtask seeds                         make the seeds of the fuzz targets again
cargo xtask ci [STEP]...                  all checks of CI, or these steps

The arguments of `test` are those of a test program: a part of a name, --nocapture.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["test", "--fast", arguments @ ..] => suite::fast(arguments),
        ["test", arguments @ ..] => suite::whole(arguments),
        ["times"] => suite::times(),
        ["bless", "--all", files @ ..] if !files.is_empty() => suite::bless("all", files),
        ["bless", files @ ..] if !files.is_empty() => suite::bless("1", files),
        ["seeds"] => suite::seeds(),
        ["ci", steps @ ..] => ci::run_steps(steps),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}\n\nSteps of `ci`:\n{}", ci::steps());
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
