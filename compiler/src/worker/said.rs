//! The beginnings of messages from workers that could not work. The process that started them
//! recognizes these. Those about threads are in `threads.rs`.

/// The beginning of the message of a worker that needs walls that are missing. The names of the
/// missing walls follow.
pub(crate) const NO_WALLS: &str = "edgec: this process cannot be confined; missing walls: ";

/// The beginning of the message if the program could not be executed.
pub(crate) const NO_PROGRAM: &str = "edgec: the program did not start";
