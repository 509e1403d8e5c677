//! `kind`: chooses what a core module becomes. The front end does it
//! (`edgec_compiler::KindChoice`), as the recipe requests.

use edgec_artifact::Stage;
use edgec_compiler::KindChoice;

use super::{StageKind, own, setting, unknown};
use crate::error::UnknownSetting;
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "kind";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, read);

/// A rebuild requests the same kind, and gets the same result.
fn write(_: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let choice = prepared.choice.as_ref()?;
    let mut stage = own(
        NAME,
        [
            ("asked", choice.asked.name().to_owned()),
            ("chosen", prepared.kind.name().to_owned()),
            ("because", choice.why.to_string()),
        ],
    );
    let lacks = choice.lacks.as_ref();
    let lacks = lacks.map(|lacks| ("lacks".to_owned(), lacks.to_string()));
    stage.settings.extend(lacks);
    Some(stage)
}

/// The requested kind. The manifest also states the chosen kind.
fn read(stage: &Stage, recipe: &mut Recipe) -> Result<(), UnknownSetting> {
    let name = setting(stage, "asked")?;
    let choice = KindChoice::named(name);
    recipe.kind = choice.ok_or_else(|| unknown(&format!("kind `{name}`")))?;
    Ok(())
}
