//! The work on one input of a build so far, and how its failures are told.

use std::time::Duration;

use edgec_builder::{BuildError, Built, Signed, Unsigned};

use super::plan::Planned;
use super::report::InputReport;
use super::write::NewFile;
use crate::failure::{Exit, Failure};
use crate::panics::guarded;
use crate::render::Format;

/// Does a part of the work on one input. A failure belongs to this input, and is printed at once.
pub(super) fn attempt<T>(
    planned: &Planned,
    format: Format,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    guarded(work).map_err(|failure| told(planned, failure, format))
}

/// Prints the failure of an input.
pub(super) fn told(planned: &Planned, failure: Failure, format: Format) -> Failure {
    let failure = failure.or_in_file(&planned.job.input);
    failure.tell(format);
    failure
}

/// The failure of a component without a failure of its own.
pub(super) fn not_written() -> Failure {
    let message = "it was not written, because another component of the project failed";
    Failure::new(Exit::Rejected, "not-written", message)
}

/// The number of steps, as [`crate::progress::Progress`] counts them. The last step is the check.
pub(super) fn steps(planned: &Planned) -> usize {
    let targets = planned.build.targets.iter().copied();
    planned.build.recipe.steps(targets) + 1
}

/// The work on one input so far. Its artifacts stay in memory until all inputs have reached the
/// same point.
pub(super) struct Done<A> {
    pub(super) artifacts: A,
    pub(super) report: InputReport,
    /// How long it took to read the input.
    pub(super) reading: Duration,
    /// The signed release of the artifacts, if it is asked for.
    pub(super) release: Option<Vec<u8>>,
    /// The bills of materials of the program.
    pub(super) sboms: Vec<NewFile>,
}

impl<A> Done<A> {
    /// The same work, with the artifacts in another state.
    pub(super) fn map<B>(self, change: impl FnOnce(A) -> B) -> Done<B> {
        Done {
            artifacts: change(self.artifacts),
            report: self.report,
            reading: self.reading,
            release: self.release,
            sboms: self.sboms,
        }
    }
}

/// Artifacts that get no more signatures in this build.
pub(super) enum Finished {
    Signed(Signed),
    /// On request: no host takes them.
    Unsigned(Unsigned),
}

impl Finished {
    pub(super) fn check(self, plan: &edgec_builder::Plan) -> Result<Built, BuildError> {
        match self {
            Self::Signed(signed) => signed.check(plan),
            Self::Unsigned(unsigned) => unsigned.leave_unsigned(plan),
        }
    }
}

/// Each input, and what has become of it.
pub(super) type Results<'p, T> = Vec<(&'p Planned, Result<T, Failure>)>;
