//! Standard error, which may be closed or full. If a message cannot be printed, neither the exit
//! code nor any file changes. Key material that a message quotes is hidden here.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Like the macro of the standard library, but does not panic if it cannot print. It replaces that
/// macro in the whole crate.
macro_rules! eprintln {
    ($($argument:tt)*) => {
        $crate::stderr::write(&format!("{}\n", format_args!($($argument)*)))
    };
}

/// Like `eprintln!`, without the end of the line.
macro_rules! eprint {
    ($($argument:tt)*) => {
        $crate::stderr::write(&format!($($argument)*))
    };
}

pub(crate) fn write(text: &str) {
    use std::io::Write as _;
    // There is no other place where a failure could be reported.
    let _ = std::io::stderr()
        .lock()
        .write_all(crate::key_material::masked(text).as_bytes());
}

/// Whether this is the first time that a message with this code is printed.
pub(crate) fn is_first(code: &'static str) -> bool {
    static SEEN: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    seen.insert(code)
}
