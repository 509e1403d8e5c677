//! The table `[compiler]` of a policy.

use serde::Deserialize;

use super::keys::is_empty;
use super::values::Line;
use crate::engine_version::{EngineVersion, VersionRange};
use crate::pattern::TargetPattern;
use crate::policy::{CompilerRules, Denied, PolicyError};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    minimum: Option<EngineVersion>,
    #[serde(default)]
    advisories: bool,
    #[serde(default)]
    pub(super) audit: bool,
    #[serde(default)]
    deny: Vec<Deny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deny {
    from: Option<EngineVersion>,
    before: Option<EngineVersion>,
    targets: Option<Vec<TargetPattern>>,
    reason: Line,
}

impl Table {
    /// The rules.
    pub(super) fn rules(self) -> Result<CompilerRules, PolicyError> {
        let mut denied = Vec::new();
        for (index, deny) in self.deny.into_iter().enumerate() {
            if deny.from.is_none() && deny.before.is_none() {
                return Err(PolicyError::Unbounded { number: index + 1 });
            }
            if is_empty(&deny.targets) {
                return Err(PolicyError::EmptyList {
                    of: format!("`compiler.deny` number {}", index + 1),
                    list: "targets",
                });
            }
            let range = VersionRange {
                from: deny.from.unwrap_or(EngineVersion::new(0, 0, 0)),
                before: deny.before,
            };
            if range.before.is_some_and(|before| range.from >= before) {
                return Err(PolicyError::EmptyRange { number: index + 1 });
            }
            denied.push(Denied {
                range,
                targets: deny.targets,
                reason: deny.reason.0,
            });
        }
        Ok(CompilerRules {
            minimum: self.minimum,
            advisories: self.advisories,
            audit: self.audit,
            denied,
        })
    }
}
