//! `--init`: pre-initializing the component before it is optimized.

use std::time::{Duration, Instant};

use edgec_compiler::{
    Ahead, Deadline, FrontEnd, FrontError, InitError, Initializer, Steps, ValidComponent, Worker,
};

use super::failures::MORE_TIME;
use crate::commands::validate::front_end_failure;
use crate::failure::Failure;
use crate::machine::machine_failure;

/// What is asked for.
pub(crate) struct Init {
    pub(crate) function: String,
    initializer: Initializer,
}

/// What was done.
pub(crate) struct Initialized {
    pub(crate) function: String,
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

impl Init {
    pub(crate) fn new(function: String, worker: Worker) -> Self {
        Self {
            function,
            initializer: Initializer { worker },
        }
    }

    /// Calls the function in one process, and has another judge what came of it.
    pub(crate) fn run(
        &self,
        component: &ValidComponent,
        front_end: &FrontEnd,
        steps: Steps,
        deadline: Deadline,
    ) -> Result<(Ahead, Initialized), Failure> {
        let begin = Instant::now();
        let snapshot = self.initializer.run(component, &self.function, deadline);
        let snapshot = snapshot.map_err(|error| failure(&error))?;
        let ahead = front_end.resume(component, &snapshot, steps, deadline);
        let ahead = ahead.map_err(|error| not_resumed(&error))?;
        let done = Initialized {
            function: self.function.clone(),
            bytes: snapshot.length(),
            time: begin.elapsed().saturating_sub(ahead.planning),
        };
        Ok((ahead, done))
    }
}

const DEFECT: &str = "this is a defect of edgec or of Wizer: please report it with the input";

fn failure(error: &InitError) -> Failure {
    let hint = match error {
        InitError::Kind => {
            "--init is for components; a component that edgec makes of a core module has no such function"
        }
        InitError::Unsupported { .. } => "docs/init.md has what a snapshot can hold",
        InitError::Function { .. } => {
            "name an export without parameters and results: FUNCTION or INTERFACE.FUNCTION"
        }
        InitError::Failed { .. } => {
            "while it runs nothing answers its imports: no clock, no random numbers, no files"
        }
        InitError::Timeout { .. } => MORE_TIME,
        InitError::Memory { .. } => "one that is this large may have more: --worker-memory",
        InitError::Machine { source } => return machine_failure(error, source),
        _ => DEFECT,
    };
    Failure::rejected("init", error).hint(hint)
}

fn not_resumed(error: &FrontError) -> Failure {
    match error {
        FrontError::Snapshot(error) => Failure::rejected("init", error).hint(DEFECT),
        _ => front_end_failure(error),
    }
}
