//! What only one of two artifacts can do, and what a host can call in only one of them.

use std::collections::HashSet;

use edgec_artifact::Manifest;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::render::{self, cell};

/// The longest list of imports or exports in a report.
const MAX_NAMES: usize = 10_000;

/// Imports and exports that only one side has, up to the maximum of a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Capabilities {
    new_imports: Vec<String>,
    gone_imports: Vec<String>,
    new_exports: Vec<String>,
    gone_exports: Vec<String>,
}

impl Capabilities {
    pub(super) fn between(a: &Manifest, b: &Manifest) -> Self {
        let only = |one: &[String], other: &[String]| {
            let other: HashSet<&String> = other.iter().collect();
            let only = one.iter().filter(|name| !other.contains(name));
            only.take(MAX_NAMES).map(|name| cell(name)).collect()
        };
        let (imports_a, imports_b) = (&a.capabilities.imports, &b.capabilities.imports);
        let exports = |of: &Manifest| of.capabilities.exports.names().unwrap_or_default().to_vec();
        let (exports_a, exports_b) = (exports(a), exports(b));
        // A digest has no names: the exports of both sides are compared below.
        let is_listed =
            a.capabilities.exports.names().is_some() && b.capabilities.exports.names().is_some();
        let exports = |one: &[String], other: &[String]| match is_listed {
            true => only(one, other),
            false => Vec::new(),
        };
        Self {
            new_imports: only(imports_b, imports_a),
            gone_imports: only(imports_a, imports_b),
            new_exports: exports(&exports_b, &exports_a),
            gone_exports: exports(&exports_a, &exports_b),
        }
    }

    /// The failure for an artifact that can do more than the one before it.
    pub(super) fn refused(&self, artifact: &str) -> Option<Failure> {
        let new = &self.new_imports;
        let message = format!("new imports: {}", new.join(", "));
        let failure = Failure::new(Exit::Rejected, "new-imports", message);
        let failure = failure.with_safe_message().about_safe(artifact);
        let hint = "the program can do more than before: read what calls them before you sign it";
        (!new.is_empty()).then(|| failure.hint(hint))
    }

    pub(super) fn text(&self, most: usize) -> String {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (what, names) in [
            ("  + import", &self.new_imports),
            ("  - import", &self.gone_imports),
            ("  + export", &self.new_exports),
            ("  - export", &self.gone_exports),
        ] {
            let shown = names.iter().take(most);
            rows.extend(shown.map(|name| vec![what.to_owned(), name.clone()]));
            if let more @ 1.. = names.len().saturating_sub(most) {
                rows.push(vec![what.to_owned(), format!("and {more} more (--most)")]);
            }
        }
        match rows.is_empty() {
            true => String::new(),
            false => format!(
                "capabilities of b, compared with a\n{}",
                render::table(&rows)
            ),
        }
    }
}
