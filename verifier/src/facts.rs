//! What a verification found out, kept beyond the bytes that it was found out about.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use edgec_artifact::{Manifest, UnixTime};

use crate::check::Check;
use crate::signatures::AcceptedSignature;
use crate::verify::VerifiedArtifact;

/// When signatures and policy were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// For this load.
    Fresh,
    /// For an earlier load, under the same policy.
    Cached,
}

/// What verification found out about an artifact. Only a [`VerifiedArtifact`] becomes one, so it
/// proves that the artifact was verified.
#[derive(Debug)]
pub struct Facts {
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
    checks: Vec<Check>,
    holds: Range<UnixTime>,
    /// Filled when the program was found to import nothing else than it states.
    declared: OnceLock<()>,
}

impl Facts {
    /// What is known of an artifact, without its bytes.
    pub fn of(artifact: VerifiedArtifact<'_>) -> Self {
        Self {
            accepted: artifact.accepted().to_vec(),
            checks: artifact.checks().to_vec(),
            holds: artifact.holds(),
            declared: OnceLock::new(),
            manifest: artifact.into_manifest(),
        }
    }

    /// The manifest, which is what its signers say about it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The signatures that counted, each key once.
    pub fn accepted(&self) -> &[AcceptedSignature] {
        &self.accepted
    }

    /// Every check that was made.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The times at which the verdict is the same.
    pub fn holds(&self) -> Range<UnixTime> {
        self.holds.clone()
    }

    /// The imports of the program that its manifest does not state: a policy judges those that the
    /// manifest states, and the program must not have others. If there are none, the program is not
    /// asked again.
    pub fn undeclared(&self, imports: impl FnOnce() -> Vec<String>) -> Vec<String> {
        if self.declared.get().is_some() {
            return Vec::new();
        }
        let signed: HashSet<&String> = self.manifest.capabilities.imports.iter().collect();
        let mut imports = imports();
        imports.retain(|name| !signed.contains(name));
        if imports.is_empty() {
            // Another thread may have found the same.
            let _ = self.declared.set(());
        }
        imports
    }
}
