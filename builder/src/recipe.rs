//! The recipe: what decides an image, besides the input and the target.

use edgec_compiler::{
    EngineProfile, Flatten, Gate, Intake, KindChoice, LastSteps, Level, PruneImports, Steps,
    WorldSource,
};
use edgec_targets::Target;

use crate::tools::Tools;

/// What decides an image, besides the input and the target.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recipe {
    /// The kind that a core module becomes.
    pub kind: KindChoice,
    /// The world whose types a core module gets, if it carries none.
    pub wit: Option<WorldSource>,
    /// The export to call at build time.
    pub init: Option<String>,
    /// How much to optimize.
    pub level: Level,
    /// Whether the core modules of a component are merged. Level 0 merges none.
    pub flatten: Flatten,
    /// Whether a component loses the imports that nothing in it uses.
    pub prune_imports: PruneImports,
    /// The kind of host that the code is for.
    pub profile: EngineProfile,
    /// The programs and processes that do the work.
    pub tools: Tools,
}

impl Recipe {
    /// The recipe of `edgec build` without options: a core module becomes a component only if the
    /// component behaves the same, no export is called, the level is `-O1`, the core modules of
    /// components are merged, and components keep all of their imports.
    pub fn new(profile: EngineProfile, tools: Tools) -> Self {
        Self {
            kind: KindChoice::Auto,
            wit: None,
            init: None,
            level: Level::O1,
            flatten: Flatten::Merge,
            prune_imports: PruneImports::Nothing,
            profile,
            tools,
        }
    }

    /// The number of steps to compile an input for these targets, as [`Progress`](crate::Progress)
    /// counts them.
    pub fn steps(&self, targets: impl IntoIterator<Item = &'static Target>) -> usize {
        let validate = 1;
        let init = usize::from(self.init.is_some());
        let optimize = usize::from(self.level != Level::O0);
        validate + init + optimize + different(targets).len()
    }

    /// How an input becomes a program, with what is demanded of it.
    pub(crate) fn intake(&self, gate: &Gate) -> Intake {
        let mut intake = Intake::new(self.kind);
        intake.wit = self.wit.clone();
        intake.gate = gate.clone();
        intake
    }

    /// The steps between validation and the compiler.
    pub(crate) fn middle(&self) -> Steps {
        Steps {
            level: self.level,
            flatten: self.flatten,
            prune_imports: self.prune_imports,
            reads: self.tools.optimizer.reads,
            spared: self.tools.optimizer.spared.clone(),
            last: self.last_steps(),
        }
    }

    /// The steps between the optimizer and the compiler.
    pub(crate) fn last_steps(&self) -> LastSteps {
        LastSteps {
            order: self.profile == EngineProfile::Edge,
            bare: self.tools.compiler.worker.answers.is_some(),
        }
    }
}

/// The targets to compile for. If several targets have the same code, only the first of them.
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
