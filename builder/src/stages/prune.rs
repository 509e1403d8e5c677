//! `prune`: removes the imports of a component that nothing in it uses, if the user asked for it
//! (`edgec_compiler::PruneImports`).

use edgec_artifact::Stage;
use edgec_compiler::{ProgramKind, PruneImports};

use super::{StageKind, own};
use crate::error::UnknownSetting;
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "prune";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, read);

/// The maximum length of the list of names in a manifest, in bytes. A manifest has little room for
/// its stages (`room.rs`), and a component may have thousands of imports with long names.
const MOST_NAMES_LEN: usize = 16 << 10;

/// States which imports are gone, or why none are, although they should be. Those that are left are
/// the manifest's `capabilities`.
fn write(recipe: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let optimized = &prepared.optimized;
    let is_component = optimized.component.kind() == ProgramKind::Component;
    if recipe.prune_imports == PruneImports::Nothing || !is_component {
        return None;
    }
    let removed = &optimized.imports_removed;
    let mut settings = vec![("importsRemoved", removed.len().to_string())];
    if !removed.is_empty() {
        settings.push(("removed", names(removed.iter().map(String::as_str))));
    }
    if let Some(reason) = optimized.not_pruned {
        settings.push(("kept", reason.code().to_owned()));
    }
    Some(own(NAME, settings))
}

/// A manifest with this stage comes from a build that removed unused imports. A rebuild removes
/// them again.
fn read(_: &Stage, recipe: &mut Recipe) -> Result<(), UnknownSetting> {
    recipe.prune_imports = PruneImports::Unused;
    Ok(())
}

/// The names, up to a limit, and the number of those that are left out.
fn names<'n>(removed: impl Iterator<Item = &'n str>) -> String {
    let mut written = String::new();
    let mut more = 0_usize;
    for name in removed {
        let length = written.len().saturating_add(name.len());
        if more > 0 || length > MOST_NAMES_LEN {
            more += 1;
            continue;
        }
        if !written.is_empty() {
            written.push(',');
        }
        written.push_str(name);
    }
    match (more, written.is_empty()) {
        (0, _) => written,
        (more, true) => format!("+{more}"),
        (more, false) => format!("{written},+{more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_named_up_to_a_limit() {
        assert_eq!(names(["a", "b:c/d"].into_iter()), "a,b:c/d");
        let long = "x".repeat(MOST_NAMES_LEN);
        assert_eq!(names([&*long].into_iter()), long);
        assert_eq!(names(["a", &long, "b"].into_iter()), "a,+2");
        let longer = "x".repeat(MOST_NAMES_LEN + 1);
        assert_eq!(names([&*longer].into_iter()), "+1");
    }
}
