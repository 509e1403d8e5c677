//! `adapt`: a core module becomes a component, if that was chosen. The front end does it
//! (`edgec_compiler::adapt`). The module alone decides how.

use edgec_artifact::Stage;
use edgec_compiler::{ADAPTER_VERSION, Adapter, ENCODER_VERSION};

use super::{StageKind, follows, of_tool};
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "adapt";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

fn write(_: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let adapter = prepared.adapter?;
    let mut chosen = vec![("adapter", adapter.name().to_owned())];
    if adapter != Adapter::None {
        chosen.push(("adapterVersion", ADAPTER_VERSION.to_owned()));
    }
    Some(of_tool(NAME, "wit-component", ENCODER_VERSION, chosen))
}
