//! The checks of a verification in progress.

use crate::check::{Check, CheckName, Status};
use crate::error::{VerifyError, error_chain};

/// The checks that were made so far.
#[derive(Default)]
pub(crate) struct Checks {
    pub(crate) made: Vec<Check>,
}

impl Checks {
    pub(crate) fn record(&mut self, name: CheckName, status: Status, evidence: String) {
        self.made.push(Check {
            name,
            status,
            evidence,
        });
    }

    pub(crate) fn passed(&mut self, name: CheckName, evidence: String) {
        self.record(name, Status::Passed, evidence);
    }

    pub(crate) fn failed(&mut self, name: CheckName, error: VerifyError) -> VerifyError {
        self.record(name, Status::Failed, error_chain(&error));
        error
    }
}
