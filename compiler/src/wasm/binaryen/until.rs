//! The time at which an optimizer is stopped: the deadline of its stage, or that of the whole
//! program.

use std::time::Instant;

use super::{Attempt, Optimizer};
use crate::worker::deadline::Deadline;

/// The time at which an optimizer is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    deadline: Deadline,
    /// Whether this is the deadline of the whole program.
    whole: bool,
    /// When the stage began.
    begin: Instant,
}

impl Optimizer {
    /// The time for a stage that begins now, in a program with this deadline.
    pub(crate) fn until(&self, program: Deadline) -> Until {
        let begin = Instant::now();
        let deadline = program.or_after(self.timeout);
        Until {
            deadline,
            whole: deadline.end() == program.end(),
            begin,
        }
    }
}

impl Until {
    /// The moment.
    pub(super) fn end(self) -> Instant {
        self.deadline.end()
    }

    /// Whether it has passed, before anything is started.
    pub(super) fn is_over(self) -> bool {
        self.end() <= Instant::now()
    }

    /// The result of an attempt that was stopped at that time.
    pub(super) fn late(self) -> Attempt {
        Attempt::Late {
            spent: self.deadline.spent(self.begin),
            whole: self.whole,
        }
    }
}
