//! What the host says. `println!` and `eprintln!` panic when nothing reads their pipe any more, and
//! the thread that refreshes must not end by that.

use std::fmt::Display;
use std::io::Write as _;

/// To standard output; lost if that is closed.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// To standard error; lost if that is closed.
pub(crate) fn log(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
