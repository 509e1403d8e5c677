//! What a policy asks for, in words.

use std::fmt::Display;

use crate::check::Mode;
use crate::moment::moment;
use crate::pattern;
use crate::policy::TrustPolicy;

/// A name and a text.
type Row = (&'static str, String);

impl TrustPolicy {
    /// What the policy asks for, in words: a name and a text each.
    pub fn summary(&self) -> Vec<(&'static str, String)> {
        let mut rows = self.scope_rows();
        rows.extend(self.revocation_rows());
        rows.extend(self.allowed_rows());
        rows.extend(self.compiler_rows());
        rows.extend(self.check_rows());
        let expires = self.expires.map_or("never".to_owned(), moment);
        rows.push(("policy expires", expires));
        rows
    }

    fn scope_rows(&self) -> Vec<Row> {
        let row = |scope: &crate::policy::Scope| {
            let keys = match &scope.keys {
                Some(keys) => keys.iter().cloned().collect::<Vec<_>>().join(", "),
                None => "all keys".to_owned(),
            };
            let text = format!("{}: {} of {keys}", scope.name, scope.threshold);
            ("scope", text)
        };
        self.scopes.iter().map(row).collect()
    }

    fn revocation_rows(&self) -> Vec<Row> {
        let keys = self.revoked_keys.iter();
        let keys = keys.map(|(id, reason)| ("revoked key", format!("{id}: {reason}")));
        let images = self.revoked_digests.iter();
        let images =
            images.map(|(digest, reason)| ("revoked image", format!("{digest}: {reason}")));
        keys.chain(images).collect()
    }

    /// What an artifact may be, and how it must be loaded.
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

    /// Which engines may have made the code.
    fn compiler_rows(&self) -> Vec<Row> {
        let minimum = self.compiler.minimum;
        let minimum = minimum.map_or("any".to_owned(), |m| format!("from {m} on"));
        let mut rows = vec![("wasmtime", minimum)];
        for denied in &self.compiler.denied {
            let targets = one_of(&denied.targets, "all targets");
            let text = format!("{} for {targets}: {}", denied.range, denied.reason);
            rows.push(("denied", text));
        }
        rows
    }

    /// The checks that a policy can ask for, and those that do not refuse anything.
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

fn one_of<P: Display>(list: &Option<Vec<P>>, all: &str) -> String {
    let list = list.as_ref();
    list.map_or(all.to_owned(), |list| pattern::join(list))
}
