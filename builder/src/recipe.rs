//! What decides an image, besides the input and the target.

use edgec_compiler::{EngineProfile, KindChoice, Level, Steps};
use edgec_targets::Target;

use crate::tools::Tools;

/// What decides an image, besides the input and the target.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recipe {
    /// What a core module becomes.
    pub kind: KindChoice,
    /// The export that is called before everything else.
    pub init: Option<String>,
    /// How much to optimize.
    pub level: Level,
    /// Which hosts the code is for.
    pub profile: EngineProfile,
    /// What does the work.
    pub tools: Tools,
}

impl Recipe {
    /// The recipe of `edgec build`: core modules become what behaves the same, nothing is called,
    /// and the level is `-O1`.
    pub fn new(profile: EngineProfile, tools: Tools) -> Self {
        Self {
            kind: KindChoice::Auto,
            init: None,
            level: Level::O1,
            profile,
            tools,
        }
    }

    /// The number of steps until an input is compiled for these targets, as
    /// [`Progress`](crate::Progress) counts them.
    pub fn steps(&self, targets: impl IntoIterator<Item = &'static Target>) -> usize {
        let validate = 1;
        let init = usize::from(self.init.is_some());
        let optimize = usize::from(self.level != Level::O0);
        validate + init + optimize + different(targets).len()
    }

    /// What is done between validation and the compiler.
    pub(crate) fn middle(&self) -> Steps {
        Steps {
            level: self.level,
            reads: self.tools.optimizer.reads,
            spared: self.tools.optimizer.spared.clone(),
            order: self.profile == EngineProfile::Edge,
        }
    }
}

/// The targets to compile for: of targets with the same code, the first.
pub(crate) fn different(
    targets: impl IntoIterator<Item = &'static Target>,
) -> Vec<&'static Target> {
    let mut different: Vec<&'static Target> = Vec::new();
    for target in targets {
        if !different.iter().any(|it| it.has_code_of(target)) {
            different.push(target);
        }
    }
    different
}
