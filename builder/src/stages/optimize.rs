//! `optimize`: Binaryen optimizes the core modules, and the program is put together again.

use std::collections::{BTreeMap, BTreeSet};

use edgec_artifact::Stage;
use edgec_compiler::{Deadline, Finished, Level, Next, ProgramKind};

use super::{StageKind, of_tool, setting, unknown};
use crate::error::{BuildError, UnknownSetting};
use crate::prepared::Prepared;
use crate::progress::Progress;
use crate::recipe::Recipe;

const NAME: &str = "optimize";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, read);

/// A manifest is malformed if it names a core module beyond this number. The limits on programs
/// (`compiler/src/input/totals.rs`) allow far fewer.
const MOST_MODULES: usize = 1 << 16;

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
    let last = recipe.last_steps();
    Ok(tools.assembler.assemble(returned, last, deadline)?)
}

fn write(recipe: &Recipe, prepared: &Prepared) -> Option<Stage> {
    if recipe.level == Level::O0 {
        return None;
    }
    let mut chosen = vec![("level", recipe.level.name().to_owned())];
    if let Some(list) = recipe.level.list() {
        chosen.push(("passes", list.to_owned()));
    }
    if prepared.optimized.component.kind() == ProgramKind::Component {
        chosen.push(("shareModules", "true".to_owned()));
        chosen.push(("trimExports", "true".to_owned()));
    }
    let left: Vec<usize> = prepared.kept().map(|(number, _)| number).collect();
    if !left.is_empty() {
        // These modules were left out on request, or the optimizer failed on them. A rebuild needs
        // their numbers.
        chosen.push(("modulesKept", ranges(&left)));
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
    let level = Level::named(name);
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
    let all: Option<BTreeSet<usize>> = numbers.split(',').try_fold(BTreeSet::new(), with_range);
    all.ok_or_else(|| unknown("`modulesKept` that is not a list of numbers"))
}

/// Ascending numbers as ranges: `0-3,7`. A program may have thousands of modules that are kept.
pub(super) fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let written = ranges.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    written.collect::<Vec<_>>().join(",")
}

/// The numbers and those of a range, which are at most [`MOST_MODULES`]. `None` if it is malformed.
fn with_range(mut numbers: BTreeSet<usize>, range: &str) -> Option<BTreeSet<usize>> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    if first > last || last >= MOST_MODULES {
        return None;
    }
    numbers.extend(first..=last);
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_ranges_and_read_back() {
        let read = |text: &str| text.split(',').try_fold(BTreeSet::new(), with_range);
        for (numbers, text) in [
            (&[0, 1, 2, 3][..], "0-3"),
            (&[2], "2"),
            (&[0, 2, 3, 9], "0,2-3,9"),
        ] {
            assert_eq!(ranges(numbers), text);
            assert_eq!(read(text), Some(numbers.iter().copied().collect()));
        }
        for malformed in ["", "x", "1,x", "3-1", "1-", "0-18446744073709551615"] {
            assert_eq!(read(malformed), None, "{malformed}");
        }
    }
}
