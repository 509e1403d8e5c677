//! A policy's demands in words.

mod statements;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::check::{CheckName, Mode};
use crate::engine_version::{EngineVersion, VersionRange};
use crate::pattern::{self, TargetPattern};
use crate::policy::{Scope, TrustPolicy};

/// One demand of a policy, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyDemand {
    /// Its subject in a few words, such as `lowest version`.
    pub name: &'static str,
    /// The demand. The text quotes the policy.
    pub text: String,
}

impl PolicyDemand {
    pub(crate) fn new(name: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { name, text }
    }
}

/// A name and a text.
type Row = (&'static str, String);

/// Targets by their ids.
type Targets = BTreeSet<&'static str>;

impl TrustPolicy {
    /// The demands of the policy in words.
    pub fn summary(&self) -> Vec<PolicyDemand> {
        let rows = self.rows().into_iter();
        let demand = |(name, text)| PolicyDemand { name, text };
        rows.map(demand).collect()
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = self.scope_rows();
        rows.extend(self.revocation_rows());
        rows.extend(self.allowed_rows());
        rows.extend(self.compiler_rows());
        rows.extend(self.check_rows());
        let expires = self.expires.map_or("never".to_owned(), |it| it.to_string());
        rows.push(("policy expires", expires));
        rows
    }

    fn scope_rows(&self) -> Vec<Row> {
        let allowed = self.enforced_targets();
        let lists = self.scopes.iter().map(|it| it.covers.targets.as_deref());
        let covered = meant(lists);
        let rows = |scope: &Scope| {
            let keys = match &scope.keys {
                Some(keys) => pattern::join(&keys.iter().collect::<Vec<_>>()),
                None => "all keys".to_owned(),
            };
            let text = format!("{}: {} of {keys}", scope.name, scope.threshold);
            let left_out = left_out(scope.covers.targets.as_deref(), &allowed, &covered);
            let left_out = left_out.map(|targets| ("not in the scope", targets));
            [Some(("scope", text)), left_out]
        };
        self.scopes.iter().flat_map(rows).flatten().collect()
    }

    /// The targets of allowed artifacts, as far as the policy enforces that.
    fn enforced_targets(&self) -> Targets {
        let list = self.allow.targets.as_deref();
        meant([list.filter(|_| self.mode(CheckName::Target) == Mode::Enforce)])
    }

    fn revocation_rows(&self) -> Vec<Row> {
        let keys = self.revoked_keys.iter();
        let keys = keys.map(|(id, revoked)| {
            let from = revoked.from.map(|from| format!(" from {from} on"));
            let text = format!("{id}{}: {}", from.unwrap_or_default(), revoked.reason);
            ("revoked key", text)
        });
        let images = self.revoked_digests.iter();
        let images =
            images.map(|(digest, reason)| ("revoked image", format!("{digest}: {reason}")));
        keys.chain(images).collect()
    }

    /// The allowed values of artifacts, and how they must be loaded.
    fn allowed_rows(&self) -> Vec<Row> {
        let mut rows = vec![
            ("applications", one_of(&self.allow.applications, "any")),
            ("targets", one_of(&self.allow.targets, "any")),
            ("channels", one_of(&self.allow.channels, "any")),
            ("profiles", one_of(&self.allow.profiles, "any")),
            ("imports", one_of(&self.allow.imports, "any")),
        ];
        for (application, version) in &self.minimum_versions {
            rows.push(("lowest version", format!("{application}: {version}")));
        }
        if let Some(mode) = self.minimum_load_mode {
            rows.push(("load mode", format!("{mode} or better")));
        }
        rows
    }

    /// The engines that may have made the code.
    fn compiler_rows(&self) -> Vec<Row> {
        let minimum = self.compiler.minimum;
        let minimum = minimum.map_or("any".to_owned(), |m| format!("from {m} on"));
        let mut rows = vec![("wasmtime", minimum)];
        if let Some(minimum) = self.builder_minimum {
            rows.push(("edgec", format!("from {minimum} on")));
        }
        let allowed = self.enforced_targets();
        let denied_in = self.denied_targets();
        for denied in &self.compiler.denied {
            let targets = one_of(&denied.targets, "all targets");
            let text = format!("{} for {targets}: {}", denied.range, denied.reason);
            rows.push(("denied", text));
            let alike = denied_in.get(&bounds(denied.range));
            let left_out =
                alike.and_then(|alike| left_out(denied.targets.as_deref(), &allowed, alike));
            rows.extend(left_out.map(|targets| ("not denied", targets)));
        }
        rows
    }

    /// The targets for which each range of versions is denied.
    fn denied_targets(&self) -> BTreeMap<Bounds, Targets> {
        let mut denied: BTreeMap<Bounds, Targets> = BTreeMap::new();
        for rule in &self.compiler.denied {
            let alike = denied.entry(bounds(rule.range)).or_default();
            alike.extend(meant([rule.targets.as_deref()]));
        }
        denied
    }

    fn provenance_text(&self) -> String {
        let Some(rules) = &self.provenance else {
            return "not asked for".to_owned();
        };
        let keys = rules.keys.as_ref().map(|keys| keys.iter().collect());
        let sbom = match rules.sbom {
            true => "; with a bill of materials",
            false => "",
        };
        format!(
            "required; builders: {}; sources: {}; signed by: {}{sbom}",
            one_of(&rules.builders, "any"),
            one_of(&rules.sources, "any"),
            one_of::<&String>(&keys, "any trusted key")
        )
    }

    /// The checks that a policy can ask for, and those that refuse nothing.
    fn check_rows(&self) -> Vec<Row> {
        let asked = [
            ("no advisories", self.compiler.advisories),
            ("code audit", self.compiler.audit),
            ("artifacts expire", self.expiry_required),
        ];
        let asked = asked.map(|(name, on)| {
            let text = if on { "required" } else { "not asked for" };
            (name, text.to_owned())
        });
        let mut rows = Vec::from(asked);
        rows.push(("provenance", self.provenance_text()));
        rows.extend(self.statement_rows());
        if let Some(log) = &self.log {
            let witnesses = format!("{} of {} witnesses", log.threshold, log.witnesses.len());
            rows.push(("log", format!("`{}`; {witnesses}", log.log.name())));
        }
        for (check, mode) in &self.modes {
            let mode = match mode {
                Mode::Enforce => continue,
                Mode::Off => "off",
                Mode::Warn => "warns only",
            };
            rows.push(("not enforced", format!("{check}: {mode}")));
        }
        rows
    }
}

/// A range of versions as a key: the first version, and the first version after the range.
type Bounds = (EngineVersion, Option<EngineVersion>);

fn bounds(range: VersionRange) -> Bounds {
    (range.from, range.before)
}

/// The targets that at least one of these lists means. It is called once for all rules, because a
/// policy can have ten thousand of them.
fn meant<'p>(lists: impl IntoIterator<Item = Option<&'p [TargetPattern]>>) -> Targets {
    let of_list = |list: Option<&'p [TargetPattern]>| {
        let targets = edgec_targets::all().filter(move |target| pattern::means(list, target));
        targets.map(|target| target.id)
    };
    lists.into_iter().flat_map(of_list).collect()
}

/// The targets that a rule leaves out, although they have all features of a target in the rule.
/// Targets that another such rule covers (`covered`), and targets that are not `allowed`, do not
/// count.
fn left_out(
    rule: Option<&[TargetPattern]>,
    allowed: &Targets,
    covered: &Targets,
) -> Option<String> {
    let targets = pattern::left_out(rule?).into_iter().map(|target| target.id);
    let concerns = |id: &&'static str| allowed.contains(id) && !covered.contains(id);
    let targets: Vec<&str> = targets.filter(concerns).collect();
    let them = pattern::join(&targets);
    (!targets.is_empty()).then(|| format!("{them}: each includes a target that is listed"))
}

fn one_of<P: Display>(list: &Option<Vec<P>>, all: &str) -> String {
    let list = list.as_ref();
    list.map_or(all.to_owned(), |list| pattern::join(list))
}

#[cfg(test)]
mod tests;
