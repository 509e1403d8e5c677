//! Artifacts that stay unsigned, for builds that must not have a key, such as those of pull
//! requests from forks.

use edgec_packager::UnsignedArtifact;
use edgec_verifier::describe_unsigned;

use crate::at_once::at_once;
use crate::build::{Packaged, Unsigned, audit_and_place};
use crate::built::{Built, BuiltArtifact};
use crate::error::{BuildError, SelfCheckError};
use crate::plan::Plan;
use crate::times::Stopwatch;

impl Unsigned {
    /// Leaves all artifacts unsigned: their envelopes have no signature, so every verifier refuses
    /// them (`no-signature`). Everything else is checked, as
    /// [`Signed::check`](crate::Signed::check) does.
    ///
    /// # Errors
    ///
    /// [`BuildError`]. In that case, use none of the artifacts.
    pub fn leave_unsigned(self, plan: &Plan) -> Result<Built, BuildError> {
        let Self {
            artifacts,
            mut times,
        } = self;
        let clock = Stopwatch::start();
        let artifacts = at_once(artifacts, |packaged| left(packaged, plan))?;
        times.checking = clock.elapsed();
        times.total += times.checking;
        Ok(Built { artifacts, times })
    }
}

fn left(packaged: Packaged<UnsignedArtifact>, plan: &Plan) -> Result<BuiltArtifact, BuildError> {
    let bytes = packaged.artifact.leave_unsigned();
    let bytes = bytes.map_err(|error| BuildError::SelfCheck(error.into()))?;
    let mut times = packaged.times;
    let clock = Stopwatch::start();
    let described = describe_unsigned(&bytes)
        .map_err(|error| BuildError::SelfCheck(SelfCheckError::Verify(Box::new(error))))?;
    times.verifying = clock.elapsed();
    audit_and_place(&bytes, &described.manifest, plan, &mut times)?;
    Ok(BuiltArtifact {
        target: packaged.target,
        stated: described.manifest.into(),
        bytes,
        debug_file: packaged.debug_file,
        provenance: None,
        times,
    })
}
