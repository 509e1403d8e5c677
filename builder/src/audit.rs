//! The code of every artifact is audited before it is written.

use edgec_artifact::Artifact;
use edgec_compiler::Image;
use edgec_verifier::Manifest;
use edgec_verifier::audit::audit;

use crate::failure::{Exit, Failure};
use crate::unvouched;

const CODE: &str = "self-audit";
const HINT: &str = "a defect of edgec or of the engine, so nothing was written: please report it; \
                    where the audit is wrong, --no-self-audit builds without it";

/// What the compiler should never emit was not emitted, and the engine enters functions at their
/// front.
pub(super) fn check(file: &[u8], manifest: &Manifest) -> Result<(), Failure> {
    let failure = |error: &dyn std::error::Error| Failure::rejected(CODE, error).hint(HINT);
    let artifact = Artifact::decode(file).map_err(|error| failure(&error))?;
    // The process that compiled it worked on a hostile program, so its table is not trusted.
    let image = Image::parse(artifact.image()).map_err(|error| failure(&error))?;
    let entries = unvouched::entries(CODE, manifest, &image)?;
    let report =
        audit(artifact.image(), manifest, Some(&entries)).map_err(|error| failure(&error))?;
    let Some(first) = report.findings.first() else {
        return Ok(());
    };
    let (target, found) = (&manifest.target.id, report.found);
    let message =
        format!("the audit of the code for `{target}` found {found}, the first at {first}");
    Err(Failure::new(Exit::Rejected, CODE, message).hint(HINT))
}
