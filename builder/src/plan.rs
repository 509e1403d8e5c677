//! What a build is for, and what is done beyond compiling.

use edgec_targets::Target;

use crate::error::BuildError;
use crate::fleet::FleetPlan;
use crate::manifest::Release;
use crate::prepared::Prepared;
use crate::recipe::Recipe;

/// What programs are built to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// How they are compiled.
    pub recipe: Recipe,
    /// What they are compiled for, one artifact each.
    pub targets: Vec<&'static Target>,
    /// What the artifacts say of their release.
    pub release: Release,
    /// Hosts that must be able to load what they are given.
    pub fleet: Option<FleetPlan>,
    /// Whether there are debug files.
    pub debug_files: DebugFiles,
    /// Whether the code is audited.
    pub self_audit: SelfAudit,
}

/// Whether a build makes debug files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugFiles {
    /// One for each artifact.
    Made,
    /// None.
    None,
}

/// Whether the code of artifacts is audited before they leave a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfAudit {
    /// An artifact whose code does not pass is an error.
    Required,
    /// No audit: for the case that it reports a false positive.
    Skipped,
}

impl Plan {
    /// Artifacts for these targets, audited, without debug files, of a release that says nothing of
    /// itself.
    pub fn new(recipe: Recipe, targets: Vec<&'static Target>) -> Self {
        Self {
            recipe,
            targets,
            release: Release::default(),
            fleet: None,
            debug_files: DebugFiles::None,
            self_audit: SelfAudit::Required,
        }
    }

    /// Refuses the number of a core module that is to be left as it is, and that no module has.
    pub(crate) fn check_spared(&self, prepared: &Prepared) -> Result<(), BuildError> {
        let modules = prepared.optimized.modules.len();
        let spared = &self.recipe.tools.optimizer.spared;
        match spared.last().filter(|last| **last >= modules) {
            Some(&number) if self.recipe.level != edgec_compiler::Level::O0 => {
                Err(BuildError::NoSuchModule { number, modules })
            }
            _ => Ok(()),
        }
    }
}
