//! Reads unverified artifacts: what they say about themselves, and what the engine's types read
//! from their images. The latter happens in separate processes.

use std::time::Duration;

use edgec_artifact::Manifest;
use edgec_compiler::{
    CodeMapProcess, Confinement, Deadline, Finding, FunctionCode, Image, LintProcess, LoadPart,
    ProgramKind, ReadError, WorkerLimits,
};
use edgec_verifier::ENGINE_VERSION;

use crate::error::TableError;
use crate::worker::{Role, WorkerProgram};

/// The time limit of a decoder. Milliseconds are enough for a real image.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The memory that a decoder may take for itself (96 MiB), and for each byte that it reads. Two
/// bytes become an entry of some dozen bytes, in lists that grow by doubling. A bomb is small, so
/// it gets little memory.
const OWN_MEMORY: u64 = 96 << 20;
const MEMORY_PER_BYTE: u64 = 48;
/// The maximum memory of a decoder (2 GiB).
const MAX_MEMORY: u64 = 2 << 30;

/// The limits of a decoder of these bytes.
fn limits(info: &[u8]) -> WorkerLimits {
    let needed = (info.len() as u64).saturating_mul(MEMORY_PER_BYTE);
    WorkerLimits {
        memory: needed.saturating_add(OWN_MEMORY).min(MAX_MEMORY),
        confinement: Confinement::Offered,
    }
}

/// Where the engine enters the code of an image, in bytes from the start of the code.
///
/// # Errors
///
/// [`TableError`].
pub fn entries(
    program: &WorkerProgram,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<u32>, TableError> {
    read(program, manifest, image, CodeMapProcess::entries)
}

/// The functions in the engine's table of an image.
///
/// # Errors
///
/// [`TableError`].
pub fn functions(
    program: &WorkerProgram,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<FunctionCode>, TableError> {
    read(program, manifest, image, CodeMapProcess::functions)
}

/// The names of all exports of the program in an image, sorted.
///
/// # Errors
///
/// [`TableError`].
pub fn exports(
    program: &WorkerProgram,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<String>, TableError> {
    read(program, manifest, image, CodeMapProcess::exports)
}

/// The parts of the description that an engine decodes at each load of an image.
///
/// # Errors
///
/// [`TableError`].
pub fn load_parts(
    program: &WorkerProgram,
    manifest: &Manifest,
    image: &Image<'_>,
) -> Result<Vec<LoadPart>, TableError> {
    read(program, manifest, image, CodeMapProcess::load_parts)
}

/// What slows the instantiation of the program in an image, given the bytes of the section
/// `.wasmtime.info`. The engine that wrote them must be this edgec's.
///
/// # Errors
///
/// [`ReadError`].
pub fn lint(
    program: &WorkerProgram,
    info: &[u8],
    kind: ProgramKind,
) -> Result<Vec<Finding>, ReadError> {
    let worker = program.worker(Role::Lint, limits(info));
    LintProcess { worker }.image(info, kind, Deadline::after(TIMEOUT))
}

fn read<T>(
    program: &WorkerProgram,
    manifest: &Manifest,
    image: &Image<'_>,
    read: impl FnOnce(&CodeMapProcess, &[u8], ProgramKind, Deadline) -> Result<T, ReadError>,
) -> Result<T, TableError> {
    let (found, known) = (manifest.engine.major(), ENGINE_VERSION.major);
    if found != known.to_string() {
        let found = found.to_owned();
        return Err(TableError::Engine { found, known });
    }
    let info = image.section(".wasmtime.info").unwrap_or_default();
    let worker = program.worker(Role::CodeMap, limits(info));
    let (process, deadline) = (CodeMapProcess { worker }, Deadline::after(TIMEOUT));
    Ok(read(&process, info, manifest.kind, deadline)?)
}
