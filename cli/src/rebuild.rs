//! Makes an image again from its input, and compares the two: `edgec verify --rebuild`.

use std::path::Path;

use edgec_artifact::Manifest;
use edgec_builder::Tools;
use edgec_compiler::WorldSource;

use crate::differences::Difference;
use crate::failure::Failure;
use crate::failures::builder::rebuild_failure;
use crate::files;
use crate::progress::Progress;
use crate::workers::WorkerArguments;

/// An input from which artifacts should have been made.
pub(crate) struct Rebuild {
    input: Vec<u8>,
    name: String,
    wit: Option<WorldSource>,
    tools: Tools,
    progress: Progress,
}

impl Rebuild {
    pub(crate) fn new(
        input: &Path,
        wit: Option<WorldSource>,
        workers: &WorkerArguments,
        quiet: bool,
    ) -> Result<Self, Failure> {
        Ok(Self {
            input: files::read(input)?,
            name: input.display().to_string(),
            wit,
            tools: workers.tools()?,
            progress: Progress::new(quiet),
        })
    }

    /// The input's name; not safe.
    pub(crate) fn input(&self) -> &str {
        &self.name
    }

    /// The differences between the artifact and what the input compiles to here. `a` is the
    /// artifact's value, and `b` is the new one. If the list is empty, both are the same, bit for
    /// bit.
    pub(crate) fn differences(
        &self,
        manifest: &Manifest,
        image: &[u8],
    ) -> Result<Vec<Difference>, Failure> {
        let wit = self.wit.clone();
        let rebuild = edgec_builder::Rebuild::with_wit(manifest, &self.input, &self.tools, wit);
        let rebuild = rebuild.map_err(|error| rebuild_failure(error, &self.name))?;
        let steps = self.progress.begin(&manifest.name, rebuild.steps());
        let found = rebuild.differences(image, &steps)?;
        Ok(found.into_iter().map(Difference::from).collect())
    }
}
