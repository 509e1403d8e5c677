//! `order`: puts functions that escape first, and types that are looked up (profile edge). The
//! process that puts the program together does it (`edgec_compiler::order`). The profile alone
//! decides whether it is done.

use edgec_artifact::Stage;
use edgec_compiler::EngineProfile;

use super::{StageKind, follows, own};
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "order";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

fn write(recipe: &Recipe, _: &Prepared) -> Option<Stage> {
    let edge = recipe.profile == EngineProfile::Edge;
    let first = [
        ("functions", "escaping-first".to_owned()),
        ("types", "looked-up-first".to_owned()),
    ];
    edge.then(|| own(NAME, first))
}
