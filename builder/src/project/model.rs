//! A project: what a folder builds, with every default filled in.

use std::collections::BTreeSet;

use edgec_compiler::{
    EngineProfile, Flatten, ImportPattern, KindChoice, Level, NeedLimits, PruneImports,
};
use edgec_targets::Target;

use super::budget::{Budgets, Capabilities};
use super::version::{TextFrom, VersionFrom};
use crate::plan::DebugFiles;
use crate::recipe::Recipe;
use crate::tools::Tools;

/// A project. All paths are relative to its folder, unless a field says otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Project {
    /// The `wasm-opt` program to use.
    pub wasm_opt: Option<String>,
    /// Whether the provenance of each artifact is written.
    pub provenance: bool,
    /// The components, in the file's order; at least one.
    pub components: Vec<Component>,
}

/// A component of a project.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Component {
    /// Where the application's name comes from. No other component of the project has this name, if
    /// the project itself has it.
    pub name: TextFrom,
    /// The input's path.
    pub input: String,
    /// The file or folder of WIT with the component types for a core module that carries none.
    pub wit: Option<String>,
    /// The world in `wit`.
    pub wit_world: Option<String>,
    /// The key that signs, as `--key` takes it.
    pub key: Option<String>,
    /// The folder for the artifacts.
    pub output: String,
    /// The targets.
    pub targets: TargetChoice,
    /// How it is compiled.
    pub settings: Settings,
    /// The release channel.
    pub channel: Option<String>,
    /// The version's number.
    pub version: Option<VersionFrom>,
    /// The version as people write it.
    pub display_version: Option<TextFrom>,
    /// When the artifacts expire, as `--expires` takes it.
    pub expires: Option<String>,
    /// A trust policy that must accept the artifacts.
    pub policy: Option<String>,
    /// The world that the program must fit: one of WASI by its name, or a path, which `#` and the
    /// name of a world may follow.
    pub world: Option<String>,
    /// The imports that the program may have before anything is done to it. `None` if it may have
    /// any.
    pub allow_imports: Option<Vec<ImportPattern>>,
    /// What an instance of the program may need, before anything is done to the program.
    pub limits: NeedLimits,
    /// The imports that its artifacts may have. `None` if they may have any.
    pub capabilities: Option<Capabilities>,
    /// What it may grow to.
    pub budgets: Budgets,
}

/// The targets of a component.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TargetChoice {
    /// These.
    Named(Vec<&'static Target>),
    /// Those that the fleet in this file needs.
    Fleet(String),
}

/// How a program is compiled, apart from its targets.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The kind that a core module becomes.
    pub kind: KindChoice,
    /// The export to call at build time.
    pub init: Option<String>,
    /// How much to optimize.
    pub level: Level,
    /// Whether core modules are merged.
    pub flatten: Flatten,
    /// Whether imports that nothing uses are removed.
    pub prune_imports: PruneImports,
    /// The core modules that are not optimized, by number.
    pub spared: BTreeSet<usize>,
    /// The kind of host that the code is for.
    pub profile: EngineProfile,
    /// Whether there are debug files.
    pub debug_files: DebugFiles,
}

impl Default for Settings {
    /// The settings of `edgec build` without options. They are those of [`Recipe::new`].
    fn default() -> Self {
        Self {
            kind: KindChoice::Auto,
            init: None,
            level: Level::O1,
            flatten: Flatten::Merge,
            prune_imports: PruneImports::Nothing,
            spared: BTreeSet::new(),
            profile: EngineProfile::Default,
            debug_files: DebugFiles::None,
        }
    }
}

impl Settings {
    /// The recipe that these tools follow.
    pub fn recipe(&self, mut tools: Tools) -> Recipe {
        tools.optimizer.spared.clone_from(&self.spared);
        let mut recipe = Recipe::new(self.profile, tools);
        recipe.kind = self.kind;
        recipe.init.clone_from(&self.init);
        recipe.level = self.level;
        recipe.flatten = self.flatten;
        recipe.prune_imports = self.prune_imports;
        recipe
    }
}
