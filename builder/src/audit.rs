//! Audits the code of every artifact before a build returns it.

use edgec_artifact::{Artifact, Manifest};
use edgec_compiler::Image;
use edgec_verifier::audit::audit;

use crate::error::SelfAuditError;
use crate::unverified;
use crate::worker::WorkerProgram;

/// Checks that the code has no instruction that the compiler never emits, and that the engine
/// enters each function at its beginning.
pub(crate) fn self_audit(
    file: &[u8],
    manifest: &Manifest,
    program: &WorkerProgram,
) -> Result<(), SelfAuditError> {
    let artifact = Artifact::decode(file)?;
    // The table comes from a process that worked on an untrusted program, so the audit checks it
    // too.
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
