//! How the messages of workers begin that could not work. The process that started them knows them
//! by that. Those about threads are in `threads.rs`.

/// How the message of a worker begins that has not all walls and needs them. The names of those
/// that are missing follow.
pub(crate) const NO_WALLS: &str = "edgec: this process cannot be confined; missing walls: ";

/// How the message begins if the program could not be executed.
pub(crate) const NO_PROGRAM: &str = "edgec: the program did not start";
