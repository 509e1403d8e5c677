//! Standard error, which may be closed or full. Neither the exit code nor what is written to files
//! depends on whether anyone can read a message. Key material that a message quotes is hidden here.

/// As the standard library's macro, which panics where it cannot print. This one takes its place in
/// the whole crate.
macro_rules! eprintln {
    ($($argument:tt)*) => {
        $crate::stderr::write(&format!("{}\n", format_args!($($argument)*)))
    };
}

/// As `eprintln!`, without the end of the line.
macro_rules! eprint {
    ($($argument:tt)*) => {
        $crate::stderr::write(&format!($($argument)*))
    };
}

pub(crate) fn write(text: &str) {
    use std::io::Write as _;
    // A failure has no place left where it could be told.
    let _ = std::io::stderr()
        .lock()
        .write_all(crate::key_material::masked(text).as_bytes());
}
