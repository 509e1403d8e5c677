//! Where two artifacts differ, as it is shown.

use edgec_builder::difference::Place;
use serde::Serialize;

use crate::render::{cell_of, safe};

/// One place where two things differ; a side that has nothing there is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// Where: a field of the manifest, such as `builder.stages.optimize.settings.level`. Its names
    /// are made safe, and quoted where they have spaces.
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
