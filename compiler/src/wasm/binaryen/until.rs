//! When an optimizer is stopped: at the deadline of its stage, or at that of the whole program.

use std::time::Instant;

use super::{Attempt, Optimizer};
use crate::worker::deadline::Deadline;

/// When an optimizer is stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    deadline: Deadline,
    /// Whether that is the deadline of the whole program.
    whole: bool,
    /// When the stage began.
    begin: Instant,
}

impl Optimizer {
    /// When it is stopped if the stage begins now, and the whole program has a deadline.
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

    /// Whether it is over, before anything is started.
    pub(super) fn is_over(self) -> bool {
        self.end() <= Instant::now()
    }

    /// What an attempt comes to that was stopped then.
    pub(super) fn late(self) -> Attempt {
        Attempt::Late {
            spent: self.deadline.spent(self.begin),
            whole: self.whole,
        }
    }
}
