//! `parse`: makes a binary from a text. The front end does it (`edgec_compiler::FrontEnd`), if the
//! input is a text; so a rebuild does it again.

use edgec_artifact::Stage;
use edgec_compiler::TEXT_VERSION;

use super::{StageKind, follows, of_tool};
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "parse";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

fn write(_: &Recipe, prepared: &Prepared) -> Option<Stage> {
    prepared
        .from_text
        .then(|| of_tool(NAME, "wat", TEXT_VERSION, []))
}
