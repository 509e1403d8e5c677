//! The plan of a build: its targets, and what it does besides compiling.

use edgec_compiler::Gate;
use edgec_targets::Target;

use crate::error::BuildError;
use crate::fleet::FleetPlan;
use crate::manifest::Release;
use crate::prepared::Prepared;
use crate::recipe::Recipe;

/// How a build is done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// How programs are compiled.
    pub recipe: Recipe,
    /// What is demanded of a program. Nothing of it is in the artifacts.
    pub gate: Gate,
    /// The targets. Each gets one artifact.
    pub targets: Vec<&'static Target>,
    /// The release, as the artifacts state it.
    pub release: Release,
    /// Hosts that must be able to load their artifacts.
    pub fleet: Option<FleetPlan>,
    /// Whether the build makes debug files.
    pub debug_files: DebugFiles,
    /// Whether the build audits the code.
    pub self_audit: SelfAudit,
}

/// Whether a build makes debug files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DebugFiles {
    /// One debug file for each artifact.
    Made,
    /// No debug files.
    None,
}

/// Whether a build audits the code of its artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelfAudit {
    /// If the code does not pass the audit, the build fails.
    Required,
    /// No audit. Use this if the audit reports a false positive.
    Skipped,
}

impl Plan {
    /// A plan for these targets, with an audit, without demands and debug files, and with an empty
    /// release.
    pub fn new(recipe: Recipe, targets: Vec<&'static Target>) -> Self {
        Self {
            recipe,
            gate: Gate::default(),
            targets,
            release: Release::default(),
            fleet: None,
            debug_files: DebugFiles::None,
            self_audit: SelfAudit::Required,
        }
    }

    /// Refuses the number of a core module that should not be optimized, if the program has no such
    /// module.
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
