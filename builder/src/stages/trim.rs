//! `trim`: removes from the image what no load reads (profile edge). The compiler's process does
//! it. The profile alone decides whether it is done.

use edgec_artifact::Stage;
use edgec_compiler::EngineProfile;

use super::{StageKind, follows, own};
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "trim";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

fn write(recipe: &Recipe, _: &Prepared) -> Option<Stage> {
    let edge = recipe.profile == EngineProfile::Edge;
    edge.then(|| own(NAME, [("metadata", "escaping".to_owned())]))
}
