//! Artifacts that are not verified: what they say of themselves, and what the engine's types
//! read out of their images, which happens in processes.

use std::time::Duration;

use edgec_artifact::{Kind, Manifest};
use edgec_compiler::{CodeMapProcess, FunctionCode, Image, MachineError, ReadError, WorkerError};
use edgec_verifier::ENGINE_VERSION;

use crate::failure::{Exit, Failure};
use crate::machine::machine_failure;
use crate::{CODE_MAP_WORKER, workers};

/// What a decoder may take: more than for any real image.
const TIMEOUT: Duration = Duration::from_secs(60);
const MEMORY: u64 = 2 << 30;

/// A manifest's kind, as the compiler has it.
pub(crate) fn kind(manifest: &Manifest) -> edgec_compiler::Kind {
    match manifest.kind {
        Kind::Component => edgec_compiler::Kind::Component,
        Kind::Module => edgec_compiler::Kind::Module,
    }
}

/// Where the engine enters the code of an image; `code` is what it is called when that cannot be
/// said.
pub(crate) fn entries(
    code: &'static str,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<u32>, Failure> {
    read(code, manifest, image, CodeMapProcess::entries)
}

/// The functions that the engine's table in an image has; `code` is as above.
pub(crate) fn functions(
    code: &'static str,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<FunctionCode>, Failure> {
    read(code, manifest, image, CodeMapProcess::functions)
}

/// The names of all exports of the program in an image, sorted; `code` is as above.
pub(crate) fn exports(
    code: &'static str,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<String>, Failure> {
    read(code, manifest, image, CodeMapProcess::exports)
}

fn read<T>(
    code: &'static str,
    manifest: &Manifest,
    image: &Image<'_>,
    read: impl FnOnce(&CodeMapProcess, &[u8], edgec_compiler::Kind) -> Result<T, ReadError>,
) -> Result<T, Failure> {
    let (found, known) = (manifest.engine.major(), ENGINE_VERSION.major.to_string());
    if found != known {
        let message =
            format!("the code is for wasmtime {found}, and this edgec reads that of {known}");
        let failure = Failure::new(Exit::Rejected, code, message);
        return Err(failure.hint("take the edgec of that engine version"));
    }
    let worker = workers::worker(CODE_MAP_WORKER, TIMEOUT, workers::offered(MEMORY));
    let worker = worker.map_err(|error| {
        let error = WorkerError::from(MachineError::Process(error));
        failure(code, &error.into())
    })?;
    let info = image.section(".wasmtime.info").unwrap_or_default();
    read(&CodeMapProcess { worker }, info, kind(manifest)).map_err(|error| failure(code, &error))
}

fn failure(code: &'static str, error: &ReadError) -> Failure {
    match error {
        ReadError::Worker(WorkerError::Machine(cause)) => machine_failure(error, cause),
        ReadError::Unreadable { .. } => Failure::rejected(code, error).hint(
            "the engine's table of functions is not as the compiler writes it: do not run it",
        ),
        _ => Failure::rejected(code, error).hint(
            "the engine's table of functions could not be read within limits: nothing is known of it",
        ),
    }
}
