//! `optimize`: Binaryen optimizes the core modules, and the program is put together again.

use std::collections::{BTreeMap, BTreeSet};

use edgec_artifact::Stage;
use edgec_compiler::{Deadline, EngineProfile, Finished, Kind, Level, Next};

use super::{StageKind, of_tool, setting, unknown};
use crate::error::{BuildError, UnknownSetting};
use crate::prepared::Prepared;
use crate::progress::Progress;
use crate::recipe::Recipe;

const NAME: &str = "optimize";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, read);

/// Runs the optimizer, and puts the program together.
pub(crate) fn run(
    recipe: &Recipe,
    next: Next,
    deadline: Deadline,
    progress: &dyn Progress,
) -> Result<Finished, BuildError> {
    let planned = match next {
        Next::Optimize(planned) => planned,
        Next::Compile(finished) => return Ok(*finished),
    };
    let tools = &recipe.tools;
    let told = |number, length| progress.optimizing(number, length);
    let returned = planned.optimize(recipe.level, &tools.optimizer, deadline, told)?;
    let order = recipe.profile == EngineProfile::Edge;
    Ok(tools.assembler.assemble(returned, order, deadline)?)
}

fn write(recipe: &Recipe, prepared: &Prepared) -> Option<Stage> {
    if recipe.level == Level::O0 {
        return None;
    }
    let mut chosen = vec![("level", recipe.level.name().to_owned())];
    if let Some(list) = recipe.level.list() {
        chosen.push(("passes", list.to_owned()));
    }
    if prepared.optimized.component.kind() == Kind::Component {
        chosen.push(("shareModules", "true".to_owned()));
        chosen.push(("trimExports", "true".to_owned()));
    }
    let left: Vec<String> = prepared
        .kept()
        .map(|(number, _)| number.to_string())
        .collect();
    if !left.is_empty() {
        // These modules were left out on request, or the optimizer failed on them. A rebuild needs
        // their numbers.
        chosen.push(("modulesKept", left.join(",")));
    }
    let mut functions = BTreeMap::<usize, usize>::new();
    for (number, _) in prepared.kept_functions() {
        *functions.entry(number).or_default() += 1;
    }
    if !functions.is_empty() {
        // How many functions of each module. Input and passes decide which functions, and why.
        let kept = functions
            .iter()
            .map(|(number, kept)| format!("{number}:{kept}"));
        let kept: Vec<String> = kept.collect();
        chosen.push(("functionsKept", kept.join(",")));
    }
    let optimizer = &recipe.tools.optimizer;
    let (tool, version) = (optimizer.tool.name(), &optimizer.version);
    Some(of_tool(NAME, tool, version, chosen))
}

fn read(stage: &Stage, recipe: &mut Recipe) -> Result<(), UnknownSetting> {
    recipe.level = level(stage)?;
    recipe.tools.optimizer.spared = spared(stage)?;
    Ok(())
}

fn level(stage: &Stage) -> Result<Level, UnknownSetting> {
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

fn spared(stage: &Stage) -> Result<BTreeSet<usize>, UnknownSetting> {
    let Some(numbers) = stage.settings.get("modulesKept") else {
        return Ok(BTreeSet::new());
    };
    let numbers: Result<_, _> = numbers.split(',').map(str::parse).collect();
    numbers.map_err(|_| unknown("`modulesKept` that is not a list of numbers"))
}
