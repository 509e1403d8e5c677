//! Artifacts that are not verified: what they say of themselves, and what the engine's types
//! read out of their images, which happens in processes.

use std::time::Duration;

use edgec_artifact::{Kind, Manifest};
use edgec_compiler::{
    CodeMapProcess, Deadline, FunctionCode, Image, MachineError, ReadError, WorkerError,
};
use edgec_verifier::ENGINE_VERSION;

use crate::failure::{Exit, Failure};
use crate::machine::machine_failure;
use crate::{CODE_MAP_WORKER, workers};

/// How long a decoder may take. Milliseconds are enough for a real image.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// What a decoder may take for itself, in bytes (96 MiB), and for each byte that it reads. From two
/// bytes it makes entries of some dozen, in lists that grow by doubling. A bomb is small, so it
/// gets little memory.
const OWN_MEMORY: u64 = 96 << 20;
const MEMORY_PER_BYTE: u64 = 48;
/// The most that it may take (2 GiB).
const MAX_MEMORY: u64 = 2 << 30;

/// The memory for a decoder of so many bytes, in bytes.
pub(crate) fn memory(info: &[u8]) -> u64 {
    let needed = (info.len() as u64).saturating_mul(MEMORY_PER_BYTE);
    needed.saturating_add(OWN_MEMORY).min(MAX_MEMORY)
}

/// A manifest's kind, as the compiler has it.
pub(crate) fn kind(manifest: &Manifest) -> edgec_compiler::Kind {
    match manifest.kind {
        Kind::Component => edgec_compiler::Kind::Component,
        Kind::Module => edgec_compiler::Kind::Module,
    }
}

/// Where the engine enters the code of an image. `code` is the error's code if that is not known.
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
    read: impl FnOnce(&CodeMapProcess, &[u8], edgec_compiler::Kind, Deadline) -> Result<T, ReadError>,
) -> Result<T, Failure> {
    let (found, known) = (manifest.engine.major(), ENGINE_VERSION.major.to_string());
    if found != known {
        let message =
            format!("the code is for wasmtime {found}, and this edgec reads code for {known}");
        let failure = Failure::new(Exit::Rejected, code, message);
        return Err(failure.hint(format!("use an edgec with wasmtime {found}")));
    }
    let info = image.section(".wasmtime.info").unwrap_or_default();
    let worker = workers::worker(CODE_MAP_WORKER, workers::offered(memory(info)));
    let worker = worker.map_err(|error| {
        let error = WorkerError::from(MachineError::Process(error));
        failure(code, &error.into())
    })?;
    let (process, deadline) = (CodeMapProcess { worker }, Deadline::after(TIMEOUT));
    let read = read(&process, info, kind(manifest), deadline);
    read.map_err(|error| failure(code, &error))
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
