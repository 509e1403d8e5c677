//! The code of every artifact is audited before it leaves a build.

use edgec_artifact::{Artifact, Manifest};
use edgec_compiler::Image;
use edgec_verifier::audit::audit;

use crate::error::SelfAuditError;
use crate::unverified;
use crate::worker::WorkerProgram;

/// What the compiler should never emit was not emitted, and the engine enters functions at their
/// front.
pub(crate) fn self_audit(
    file: &[u8],
    manifest: &Manifest,
    program: &WorkerProgram,
) -> Result<(), SelfAuditError> {
    let artifact = Artifact::decode(file)?;
    // The process that compiled it worked on a hostile program, so its table is not trusted.
    let image = Image::parse(artifact.image())?;
    let entries = unverified::entries(program, manifest, &image)?;
    let report = audit(artifact.image(), manifest, Some(&entries))?;
    match report.findings.first() {
        None => Ok(()),
        Some(first) => Err(SelfAuditError::Found {
            target: manifest.target.id.clone(),
            found: report.found,
            first: first.to_string(),
        }),
    }
}
