//! `--init`: pre-initializing the component before it is optimized.

use std::time::{Duration, Instant};

use edgec_compiler::{InitError, Initializer, ValidComponent, Worker};

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

    pub(crate) fn run(
        &self,
        component: &ValidComponent,
    ) -> Result<(ValidComponent, Initialized), Failure> {
        let begin = Instant::now();
        let new = self.initializer.run(component, &self.function);
        let new = new.map_err(|error| failure(&error))?;
        let done = Initialized {
            function: self.function.clone(),
            bytes: new.bytes().len(),
            time: begin.elapsed(),
        };
        Ok((new, done))
    }
}

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
        InitError::Timeout { .. } => "one that is this slow may have more time: --compile-timeout",
        InitError::Memory { .. } => "one that is this large may have more: --worker-memory",
        InitError::Machine { source } => return machine_failure(error, source),
        _ => "this is a defect of edgec or of Wizer: please report it with the input",
    };
    Failure::rejected("init", error).hint(hint)
}
