//! `adapt`: a core module becomes a component, if that was chosen. The front end does it
//! (`edgec_compiler::adapt`). The module alone decides how, unless it got component types of a
//! world that the user named. A rebuild then needs that world again.

use edgec_artifact::{Sha256Digest, Stage};
use edgec_compiler::{ADAPTER_VERSION, Adapter, ENCODER_VERSION};

use super::{StageKind, follows, of_tool};
use crate::prepared::Prepared;
use crate::recipe::Recipe;

const NAME: &str = "adapt";
pub(super) const STAGE: StageKind = StageKind::new(NAME, write, follows);

/// The settings of added component types: the world's name, and the digest of the types.
const WORLD: &str = "world";
const TYPES: &str = "componentTypes";

fn write(_: &Recipe, prepared: &Prepared) -> Option<Stage> {
    let adapter = prepared.adapter?;
    let mut chosen = vec![("adapter", adapter.name().to_owned())];
    if adapter != Adapter::None {
        chosen.push(("adapterVersion", ADAPTER_VERSION.to_owned()));
    }
    if let Some(added) = &prepared.added {
        chosen.push((WORLD, added.world.clone()));
        chosen.push((TYPES, Sha256Digest(added.sha256).to_string()));
    }
    Some(of_tool(NAME, "wit-component", ENCODER_VERSION, chosen))
}

/// The world whose component types a core module got.
pub(super) fn added_world(stage: &Stage) -> Option<&str> {
    let has_types = stage.name == NAME && stage.settings.contains_key(TYPES);
    let world = stage.settings.get(WORLD).filter(|_| has_types)?;
    Some(world)
}
