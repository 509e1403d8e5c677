//! Compares an input with its budgets and with its previous artifacts.

use std::path::Path;

use edgec_builder::WorkerProgram;
use edgec_builder::project::{Budget, Excess, Previous, PreviousError, Why};

use crate::escape::cell;
use crate::failure::{Exit, Failure};
use crate::file_kind::{Wanted, explain};
use crate::files;
use crate::naming::Job;
use crate::render::{self, count, size};

/// The maximum number of causes in a table. The count says how many there are.
const MOST: usize = 5;

/// The previous artifacts of an input: the one in this file, or those in this folder that have the
/// names of the new ones.
pub(super) fn previous(
    baseline: &Path,
    job: &Job,
    program: &WorkerProgram,
) -> Result<Vec<Previous>, Failure> {
    if !baseline.is_dir() {
        let previous = read(baseline, program)?;
        return Ok(vec![of(job, previous, baseline)?]);
    }
    let mut found = Vec::new();
    for (target, path) in &job.outputs {
        let Some(path) = path.file_name().map(|name| baseline.join(name)) else {
            continue;
        };
        if path.exists() {
            let previous = of(job, read(&path, program)?, &path)?;
            // Its name may be that of another target.
            found.extend(Some(previous).filter(|previous| previous.target == target.id));
        }
    }
    Ok(found)
}

fn read(path: &Path, program: &WorkerProgram) -> Result<Previous, Failure> {
    let file = files::read_artifact(path)?;
    Previous::read(&file, program).map_err(|error| {
        let code = match error {
            PreviousError::Layout(_) => "layout",
            PreviousError::Statement(_) => "statement",
            _ => "image",
        };
        let failure = Failure::rejected(code, &error).about(path.display());
        explain(failure, &file, Wanted::Artifact)
    })
}

/// Refuses an artifact of another application: a comparison with it would say nothing.
fn of(job: &Job, previous: Previous, path: &Path) -> Result<Previous, Failure> {
    if previous.name == job.name {
        return Ok(previous);
    }
    let message = format!(
        "this is an artifact of `{}`, and a previous one of `{}` is needed",
        previous.name, job.name
    );
    Err(Failure::usage("baseline", message)
        .about(path.display())
        .hint("name the previous artifact of this application, or a folder with those of all"))
}

/// The failure of an input that exceeds budgets: a table of what grew, and why.
pub(super) fn failure(excesses: &[Excess]) -> Failure {
    let row = |cells: [&str; 5]| cells.map(str::to_owned).to_vec();
    let mut rows = vec![row(["budget", "allowed", "now", "before", "why"])];
    for excess in excesses {
        let shown = |value: Option<u64>| value.map_or("-".to_owned(), |it| amount(excess, it));
        let name = match excess.target {
            Some(target) => format!("{} ({target})", excess.budget.name()),
            None => excess.budget.name().to_owned(),
        };
        let mut first = vec![
            name,
            amount(excess, excess.allowed),
            shown(excess.now),
            shown(excess.before),
        ];
        let mut why: Vec<String> = excess.why.iter().take(MOST).map(cause).collect();
        if let more @ 1.. = excess.why.len().saturating_sub(MOST) {
            why.push(format!("and {more} more"));
        }
        let mut why = why.into_iter();
        first.extend(why.next());
        rows.push(first);
        rows.extend(why.map(|why| {
            vec![
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                why,
            ]
        }));
    }
    let message = format!(
        "it exceeds {}, and nothing was written\n{}",
        count(excesses.len(), "budget"),
        render::table(&rows).trim_end()
    );
    let imports = |it: &Excess| matches!(it.budget, Budget::NewCapabilities | Budget::Capabilities);
    let hint = match excesses.iter().all(imports) {
        true => "allow these imports in edgec.toml if the program needs them, else remove them",
        false => "make the program smaller, or raise the budget in edgec.toml (docs/project.md)",
    };
    Failure::new(Exit::Rejected, "budget", message)
        .with_safe_message()
        .with_details(&excesses)
        .hint(hint)
}

/// A value of a budget, with its unit.
fn amount(excess: &Excess, value: u64) -> String {
    match excess.budget {
        Budget::ImageBytes | Budget::WireBytes => format!("{value} B"),
        _ => value.to_string(),
    }
}

/// A cause, made safe: names come from programs.
fn cause(why: &Why) -> String {
    match why {
        Why::Section { name, now, before } => match before {
            Some(before) => {
                let grown = size(now.saturating_sub(*before));
                format!("{} grew by {grown} to {}", cell(name), size(*now))
            }
            None => format!("{} has {}", cell(name), size(*now)),
        },
        Why::Module { number, functions } => {
            let functions = usize::try_from(*functions).unwrap_or(usize::MAX);
            format!("core module {number} has {}", count(functions, "function"))
        }
        Why::Note(note) => cell(note),
        Why::Import(import) => cell(import),
        Why::Unknown(reason) => format!("not known: {}", cell(reason)),
        _ => String::new(),
    }
}
