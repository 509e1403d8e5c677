//! A recipe from a manifest: the reverse of `manifest.rs`.

use std::collections::BTreeSet;

use edgec_artifact::{Kind, Manifest, Stage};
use edgec_compiler::{KindChoice, Level};

use super::Recipe;
use crate::failure::{Exit, Failure};
use crate::workers::Workers;

/// The recipe by which an image was made, as its manifest has it.
pub(crate) fn recipe(manifest: &Manifest, workers: &Workers) -> Result<Recipe, Failure> {
    let profile = &manifest.engine.profile;
    let profile = profile
        .parse()
        .map_err(|_| unknown(&format!("engine profile `{profile}`")))?;
    let mut recipe = Recipe {
        kind: match manifest.kind {
            Kind::Component => KindChoice::Component,
            Kind::Module => KindChoice::Module,
        },
        init: None,
        level: Level::O0,
        profile,
        timeout: workers.timeout,
        front_end: workers.front_end.clone(),
        optimizer: workers.optimizer.clone(),
        assembler: workers.assembler.clone(),
        compiler: workers.compiler.clone(),
    };
    let mut seen = BTreeSet::new();
    for stage in &manifest.builder.stages {
        if !seen.insert(&stage.name) {
            return Err(unknown(&format!("stage `{}`, twice", stage.name)));
        }
        match stage.name.as_str() {
            "init" => recipe.init = Some(workers.init(setting(stage, "function")?.to_owned())),
            "optimize" => {
                recipe.level = level(stage)?;
                recipe.optimizer.spared = spared(stage)?;
            }
            "kind" => recipe.kind = asked(stage)?,
            // These follow from the input, the kind and the profile.
            "parse" | "adapt" | "order" | "precompile" | "trim" => {}
            other => return Err(unknown(&format!("stage `{other}`"))),
        }
    }
    Ok(recipe)
}

/// The kind that was asked for. The manifest also states the kind that was chosen.
fn asked(stage: &Stage) -> Result<KindChoice, Failure> {
    let name = setting(stage, "asked")?;
    let mut choices = KindChoice::ALL.into_iter();
    let choice = choices.find(|choice| choice.name() == name);
    choice.ok_or_else(|| unknown(&format!("kind `{name}`")))
}

fn level(stage: &Stage) -> Result<Level, Failure> {
    let name = setting(stage, "level")?;
    let mut levels = Level::ALL.into_iter();
    let level = levels.find(|level| level.name() == name);
    let level = level.ok_or_else(|| unknown(&format!("optimization level `{name}`")))?;
    let passes = stage.settings.get("passes").map(String::as_str);
    match passes == level.list() {
        true => Ok(level),
        false => {
            let passes = passes.unwrap_or("Binaryen's own");
            Err(unknown(&format!("level `{name}` of passes `{passes}`")))
        }
    }
}

fn spared(stage: &Stage) -> Result<BTreeSet<usize>, Failure> {
    let Some(numbers) = stage.settings.get("modulesKept") else {
        return Ok(BTreeSet::new());
    };
    let numbers: Result<_, _> = numbers.split(',').map(str::parse).collect();
    numbers.map_err(|_| unknown("`modulesKept` that is not a list of numbers"))
}

fn setting<'s>(stage: &'s Stage, name: &str) -> Result<&'s str, Failure> {
    let setting = stage.settings.get(name).map(String::as_str);
    setting.ok_or_else(|| unknown(&format!("stage `{}` without `{name}`", stage.name)))
}

fn unknown(what: &str) -> Failure {
    let message = format!("the manifest has a setting that this edgec does not know: {what}");
    Failure::new(Exit::Rejected, "rebuild-unknown", message)
        .hint("`edgec inspect` shows which edgec built it: use that one")
}
