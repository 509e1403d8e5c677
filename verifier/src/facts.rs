//! The results of a verification, for longer than the bytes are in memory.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use edgec_artifact::{Manifest, UnixTime};

use crate::check::Check;
use crate::signer::AcceptedSignature;
use crate::verify::VerifiedArtifact;

/// When the signatures and the policy were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// For this load.
    Fresh,
    /// For an earlier load, under the same policy.
    Cached,
}

/// The results of verifying an artifact. Only a [`VerifiedArtifact`] becomes `Facts`, so they prove
/// that the artifact was verified.
#[derive(Debug)]
pub struct Facts {
    manifest: Manifest,
    accepted: Vec<AcceptedSignature>,
    checks: Vec<Check>,
    holds: Range<UnixTime>,
    /// Set once the program was found to have no undeclared imports.
    declared: OnceLock<()>,
}

impl Facts {
    /// The facts about an artifact, without its bytes.
    pub fn of(artifact: VerifiedArtifact<'_>) -> Self {
        Self {
            accepted: artifact.accepted().to_vec(),
            checks: artifact.checks().to_vec(),
            holds: artifact.holds(),
            declared: OnceLock::new(),
            manifest: artifact.into_manifest(),
        }
    }

    /// The manifest: the signers' statements about the artifact.
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

    /// The same facts, which hold from no earlier time than this on: a time that has passed.
    #[must_use]
    pub fn not_before(mut self, time: UnixTime) -> Self {
        self.holds.start = self.holds.start.max(time);
        self
    }

    /// The times at which the verdict is the same.
    pub fn holds(&self) -> Range<UnixTime> {
        self.holds.clone()
    }

    /// The program's imports that its manifest does not state. A policy judges only the stated
    /// imports, so the program must have no others. If it has none, later calls do not call
    /// `imports` again.
    pub fn undeclared(&self, imports: impl FnOnce() -> Vec<String>) -> Vec<String> {
        if self.declared.get().is_some() {
            return Vec::new();
        }
        let signed: HashSet<&String> = self.manifest.capabilities.imports.iter().collect();
        let mut imports = imports();
        imports.retain(|name| !signed.contains(name));
        if imports.is_empty() {
            // Another thread may have set it already.
            let _ = self.declared.set(());
        }
        imports
    }
}
