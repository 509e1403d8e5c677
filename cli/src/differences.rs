//! How the differences of two artifacts are shown.

use edgec_builder::difference::Place;
use serde::Serialize;

use crate::render::{cell_of, safe};

/// One difference. If one side has no value, it is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// The place: a field of the manifest, such as `builder.stages.optimize.settings.level`. Its
    /// names are safe, and quoted if they contain spaces.
    pub(crate) at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) a: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) b: Option<String>,
}

impl From<edgec_builder::difference::Difference> for Difference {
    fn from(found: edgec_builder::difference::Difference) -> Self {
        Self {
            at: match &found.at {
                field @ Place::Field(_) => field.shown(cell_of),
                other => other.shown(|name, _| safe(name)),
            },
            a: found.a,
            b: found.b,
        }
    }
}

/// Says that an artifact is not what `input` compiles to, with one line for each difference. Safe
/// to show, whatever the manifest says.
pub(crate) fn told(found: &[Difference], input: &str) -> String {
    let mut message = format!("not what {} compiles to here", safe(input));
    for it in found {
        let side = |side: &Option<String>| side.as_deref().map_or("-".to_owned(), safe);
        let (stated, made) = (side(&it.a), side(&it.b));
        message.push_str(&format!("\n{}: {stated}, made: {made}", it.at));
    }
    message
}
