//! `flatten`: merges the core modules of a component. The front end does it
//! (`edgec_compiler::Flatten`), unless the level is `-O0` or the user asked for unmerged modules.

use edgec_artifact::Stage;
use edgec_compiler::{Flatten, Flattened, KeptInstance};

use super::{StageKind, own};
use crate::error::UnknownSetting;
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "flatten";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, read);

/// The maximum number of instances that a manifest names with their reasons. A component may have
/// thousands of instances.
const MOST_KEPT: usize = 100;

/// States what was merged, and what was not. Input and settings decide this. The front end reports
/// nothing if the settings leave core modules as they are.
fn write(_: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let done = prepared.optimized.flattened.as_ref()?;
    let mut settings = vec![
        ("modulesBefore", done.modules.before.to_string()),
        ("modulesAfter", done.modules.after.to_string()),
        ("instancesBefore", done.instances.before.to_string()),
        ("instancesAfter", done.instances.after.to_string()),
    ];
    if !done.kept.is_empty() {
        settings.push(("kept", kept(done)));
    }
    Some(own(NAME, settings))
}

/// A manifest with this stage comes from a build that merged modules. A rebuild merges them again.
fn read(_: &Stage, recipe: &mut Recipe) -> Result<(), UnknownSetting> {
    recipe.flatten = Flatten::Merge;
    Ok(())
}

/// The instances that were not merged: the number of the core module, and the check that failed.
fn kept(done: &Flattened) -> String {
    let one = |kept: &KeptInstance| match kept.module {
        Some(number) => format!("{number}:{}", kept.reason.code()),
        None => kept.reason.code().to_owned(),
    };
    let mut kept: Vec<String> = done.kept.iter().take(MOST_KEPT).map(one).collect();
    match done.kept.len().saturating_sub(MOST_KEPT) {
        0 => {}
        more => kept.push(format!("+{more}")),
    }
    kept.join(",")
}

#[cfg(test)]
mod tests {
    use edgec_compiler::FlattenReason;

    use super::*;

    #[test]
    fn what_is_kept_is_named_up_to_a_limit() {
        let one = |module| KeptInstance {
            module,
            name: None,
            reason: FlattenReason::InstantiatedAgain,
        };
        let mut done = Flattened {
            kept: vec![one(Some(3)), one(None)],
            ..Flattened::default()
        };
        assert_eq!(kept(&done), "3:instantiated-again,instantiated-again");
        done.kept = (0..MOST_KEPT + 2).map(|number| one(Some(number))).collect();
        assert!(kept(&done).ends_with("99:instantiated-again,+2"));
    }
}
