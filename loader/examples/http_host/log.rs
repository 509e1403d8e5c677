//! The host's output. `println!` and `eprintln!` panic if their pipe is closed. Such a panic must
//! not end the thread that refreshes.

use std::fmt::Display;
use std::io::Write as _;

/// Writes to standard output. If that is closed, the line is lost.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes to standard error. If that is closed, the line is lost.
pub(crate) fn log(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
