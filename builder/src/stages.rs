//! The stages of a build, as manifests name them.
//!
//! Each stage has one file: what the stage does, what it writes into the manifest, and how a
//! rebuild reads that back. [`ALL`] lists the stages in their order.

mod adapt;
mod flatten;
pub(crate) mod init;
mod kind;
pub(crate) mod optimize;
mod order;
mod parse;
pub(crate) mod precompile;
mod prune;
pub(crate) mod translate;
mod trim;

use std::collections::{BTreeMap, BTreeSet};

use edgec_artifact::Stage;

use crate::error::UnknownSetting;
use crate::prepared::Prepared;
use crate::recipe::Recipe;

/// Every stage, in the order of the work.
static ALL: [StageKind; 11] = [
    parse::STAGE,
    translate::STAGE,
    kind::STAGE,
    adapt::STAGE,
    init::STAGE,
    flatten::STAGE,
    optimize::STAGE,
    prune::STAGE,
    order::STAGE,
    precompile::STAGE,
    trim::STAGE,
];

/// A stage in manifests.
struct StageKind {
    name: &'static str,
    write: Write,
    read: Read,
}

/// What a manifest says about a stage, or `None` if the program did not go through it.
type Write = fn(&Recipe, &Prepared) -> Option<Stage>;

/// Reads a stage in a manifest into the recipe of a rebuild.
type Read = fn(&Stage, &mut Recipe) -> Result<(), UnknownSetting>;

impl StageKind {
    const fn new(name: &'static str, write: Write, read: Read) -> Self {
        Self { name, write, read }
    }
}

/// The stages that a program went through, in the manifest's form.
pub(crate) fn written(recipe: &Recipe, prepared: &Prepared) -> Vec<Stage> {
    let stages = ALL.iter();
    stages
        .filter_map(|stage| (stage.write)(recipe, prepared))
        .collect()
}

/// Reads the stages in a manifest into the recipe of a rebuild.
pub(crate) fn read(stages: &[Stage], recipe: &mut Recipe) -> Result<(), UnknownSetting> {
    let mut seen = BTreeSet::new();
    for stage in stages {
        if !seen.insert(&stage.name) {
            return Err(unknown(&format!("stage `{}`, twice", stage.name)));
        }
        let known = ALL.iter().find(|known| known.name == stage.name);
        let known = known.ok_or_else(|| unknown(&format!("stage `{}`", stage.name)))?;
        (known.read)(stage, recipe)?;
    }
    Ok(())
}

/// The world whose component types a core module got, if it got some.
pub(crate) fn added_world(stages: &[Stage]) -> Option<&str> {
    stages.iter().find_map(adapt::added_world)
}

/// How a rebuild reads a stage without choices: input, kind and profile decide it.
fn follows(_: &Stage, _: &mut Recipe) -> Result<(), UnknownSetting> {
    Ok(())
}

fn setting<'s>(stage: &'s Stage, name: &str) -> Result<&'s str, UnknownSetting> {
    let setting = stage.settings.get(name).map(String::as_str);
    setting.ok_or_else(|| unknown(&format!("stage `{}` without `{name}`", stage.name)))
}

fn unknown(what: &str) -> UnknownSetting {
    UnknownSetting(what.to_owned())
}

/// A stage that edgec itself does.
fn own(name: &str, settings: impl IntoIterator<Item = (&'static str, String)>) -> Stage {
    of_tool(name, "edgec", env!("CARGO_PKG_VERSION"), settings)
}

fn of_tool(
    name: &str,
    tool: &str,
    version: &str,
    settings: impl IntoIterator<Item = (&'static str, String)>,
) -> Stage {
    Stage::new(name, tool, version, self::settings(settings))
}

/// Settings in the manifest's form.
pub(crate) fn settings(
    pairs: impl IntoIterator<Item = (&'static str, String)>,
) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|stage| stage.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
