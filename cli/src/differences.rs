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
