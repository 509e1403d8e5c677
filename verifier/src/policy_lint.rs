//! What a policy leaves off, and what in it has no effect now: for people who write policies and
//! for auditors. No verification depends on it.

use edgec_artifact::{Algorithm, UnixTime};

use crate::ENGINE_VERSION;
use crate::check::Mode;
use crate::engine_version::EngineVersion;
use crate::known_imports::{self, Unknown};
use crate::policy::TrustPolicy;
use crate::policy_summary::PolicyDemand;
use crate::role::Role;

impl TrustPolicy {
    /// Which of ten common protections the policy does without, and which checks it weakens, each
    /// with what that means. Not every host needs notaries, provenances, logs and root keys, so
    /// these are none of the ten.
    pub fn left_off(&self) -> Vec<PolicyDemand> {
        let compiler = &self.compiler;
        let asked = [
            (
                self.expires.is_some(),
                "policy expiry",
                "a host follows the policy for ever (`expires`)",
            ),
            (
                self.version.is_some(),
                "policy version",
                "no host can refuse an older edition (`version`)",
            ),
            (
                self.allow.applications.is_some(),
                "applications",
                "every application is accepted (`[allow] applications`)",
            ),
            (
                self.allow.imports.is_some(),
                "imports",
                "every import is accepted (`[allow] imports`)",
            ),
            (
                compiler.advisories,
                "advisories",
                "code with known faults of the engine is accepted (`[compiler] advisories`)",
            ),
            (
                compiler.audit,
                "audit",
                "the code is not read (`[compiler] audit`)",
            ),
            (
                self.expiry_required,
                "artifact expiry",
                "artifacts need not expire (`[validity] expiry-required`)",
            ),
            (
                self.demands.has(Role::Release),
                "release",
                "artifacts of different releases may run beside each other (`release`)",
            ),
            (
                self.demands.has(Role::Timestamp),
                "freshness",
                "a mirror can keep newer releases back for ever (`timestamp`)",
            ),
            (
                self.minimum_load_mode.is_some(),
                "load mode",
                "what is loaded need not be in a store (`minimum-load-mode`)",
            ),
        ];
        let off = asked.into_iter().filter(|(is_on, ..)| !is_on);
        let mut off: Vec<PolicyDemand> = off
            .map(|(_, name, text)| PolicyDemand::new(name, text))
            .collect();
        for (check, mode) in &self.modes {
            let text = match mode {
                Mode::Enforce => continue,
                Mode::Warn => "a failure only warns (`[checks]`)",
                Mode::Off => "the check is not made (`[checks]`)",
            };
            off.push(PolicyDemand::new(check.name(), text));
        }
        off
    }

    /// What in the policy has no effect at the time `now`, or another one than its author may
    /// think. The texts quote the policy.
    pub fn warnings(&self, now: UnixTime) -> Vec<String> {
        let mut warnings = self.about_keys(now);
        warnings.extend(self.about_orders());
        warnings.extend(self.about_compilers());
        for pattern in self.allow.imports.iter().flatten() {
            if let Some(Unknown { nearest }) = known_imports::unknown(pattern) {
                let meant = nearest.map(|nearest| format!("; did you mean `{nearest}`?"));
                warnings.push(format!(
                    "`[allow] imports` has `{pattern}`, which matches no interface of WASI that \
                     this edgec knows{}",
                    meant.unwrap_or_default()
                ));
            }
        }
        warnings
    }

    fn about_keys(&self, now: UnixTime) -> Vec<String> {
        let mut warnings = Vec::new();
        for rule in &self.keys {
            let name = &rule.trusted.name;
            if let Some(expires) = rule.expires.filter(|expires| now >= *expires) {
                warnings.push(format!("key `{name}` has not counted since {expires}"));
            }
            let mut needed = rule.trusted.required_keys();
            if needed.all(|key| key.algorithm() == Algorithm::MlDsa65) {
                warnings.push(format!(
                    "key `{name}` relies on ML-DSA-65 alone, whose implementation is not audited: \
                     a key of Ed25519 beside it costs little"
                ));
            }
        }
        if self.demands.has(Role::Root) && self.signed_by().is_empty() {
            warnings.push(
                "the policy demands root keys (`root`), and is not signed: no host follows it \
                 until they have signed it (`edgec policy sign`)"
                    .to_owned(),
            );
        }
        if !self.demands.has(Role::Root) {
            for root in self.keys_with(Role::Root) {
                warnings.push(format!(
                    "key `{}` has the role `root`, and the policy demands no roots (`root`)",
                    root.name
                ));
            }
        }
        for id in self.revoked_keys.keys() {
            if !self.keys.iter().any(|rule| rule.trusted.key(*id).is_some()) {
                warnings.push(format!("the revoked key {id} is none of the trusted keys"));
            }
        }
        warnings
    }

    /// Only a root can give orders.
    fn about_orders(&self) -> Option<String> {
        let orders = !self.resets.is_empty() || self.clock_reset.is_some();
        (orders && self.signed_by().is_empty()).then(|| {
            "`[[reset]]` and `[reset-clock]` have no effect until a root key has signed the policy"
                .to_owned()
        })
    }

    fn about_compilers(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(minimum) = self.compiler.minimum.filter(|it| *it > ENGINE_VERSION) {
            warnings.push(format!(
                "`[compiler] minimum` is {minimum}, and this edgec makes code with wasmtime \
                 {ENGINE_VERSION}"
            ));
        }
        let own: Option<EngineVersion> = env!("CARGO_PKG_VERSION").parse().ok();
        if let (Some(minimum), Some(own)) = (self.builder_minimum, own)
            && minimum > own
        {
            let text = format!("`[builder] minimum` is {minimum}, and this is edgec {own}");
            warnings.push(text);
        }
        // Hosts load code of one engine line.
        let line = EngineVersion::new(ENGINE_VERSION.major, 0, 0);
        let next = EngineVersion::new(ENGINE_VERSION.major + 1, 0, 0);
        for denied in &self.compiler.denied {
            let ends = denied.range.before.is_some_and(|before| before <= line);
            if ends || denied.range.from >= next {
                warnings.push(format!(
                    "`[[compiler.deny]]` of {} has no version of wasmtime {}, and no host of this \
                     edgec loads other code",
                    denied.range, line.major
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    const OTHER: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";

    fn key(name: &str, fields: &str, pem: &str) -> String {
        format!("[[key]]\nname = '{name}'\n{fields}\npem = '''\n{pem}'''\n")
    }

    fn policy(text: &str) -> TrustPolicy {
        // The key comes last: what comes before it may end with a table.
        let text = format!("threshold = 1\n{text}\n{}", key("ci", "", PEM));
        TrustPolicy::from_toml(&text).unwrap()
    }

    #[test]
    fn a_strict_policy_leaves_nothing_off() {
        let with = |modes: &str| {
            let text = format!(
                "threshold = 1\nname = 'x'\nversion = 1\nexpires = 2999-01-01T00:00:00Z\n\
                 release = 1\ntimestamp = 1\nminimum-load-mode = 'trusted-store'\n\
                 [allow]\napplications = ['a']\nimports = []\n\
                 [compiler]\nadvisories = true\naudit = true\n\
                 [validity]\nexpiry-required = true\n{modes}\n{}{}",
                key("ci", "roles = ['artifact', 'release']", PEM),
                key("clock", "roles = ['timestamp']", OTHER),
            );
            TrustPolicy::from_toml(&text).unwrap()
        };
        assert_eq!(with("").left_off(), []);
        assert_eq!(with("").warnings(NOW), Vec::<String>::new());
        assert_eq!(policy("").left_off().len(), 10);
        let warns = with("[checks]\nimports = 'warn'\nexpiry = 'off'\nfreshness = 'warn'");
        let names: Vec<&str> = warns.left_off().iter().map(|it| it.name).collect();
        assert_eq!(names, ["imports", "expiry", "freshness"]);
    }

    #[test]
    fn each_warning_has_a_case() {
        let id = "c8d3bb6025cbe9e854e97d68d6dc45d0a0fc1adb10194c401712f90be0a235b8";
        let revoked = format!("[[revoked-key]]\nid = '{id}'\nreason = 'x'");
        let root = key("other", "roles = ['root']", OTHER);
        let imports = "[allow]\nimports = ['wasi:clocsk/*']";
        let outside = "has no version of wasmtime";
        for (text, says) in [
            ("[compiler]\nminimum = '99.0.0'", "minimum` is 99.0.0"),
            ("[builder]\nminimum = '99.0.0'", "`[builder] minimum`"),
            (
                "[[compiler.deny]]\nbefore = '47.0.0'\nreason = 'x'",
                outside,
            ),
            ("[[compiler.deny]]\nfrom = '99.0.0'\nreason = 'x'", outside),
            (imports, "did you mean `wasi:clocks/*`?"),
            (&revoked, "is none of the trusted keys"),
            (&root, "key `other` has the role `root`"),
            (&format!("root = 1\n{root}"), "no host follows it until"),
            (
                "[reset-clock]\nnumber = 1\nto = 2026-01-01T00:00:00Z",
                "until a root key has signed",
            ),
        ] {
            let warnings = policy(text).warnings(NOW);
            let [warning] = warnings.as_slice() else {
                panic!("{text}: {warnings:?}");
            };
            assert!(warning.contains(says), "{text}: {warning}");
        }
        let key = edgec_artifact::PublicKey::ml_dsa_65(&[3; 1952]).unwrap();
        let text = format!(
            "threshold = 1\n[[key]]\nname = 'old'\nexpires = 2020-01-01T00:00:00Z\n\
             pem = '''\n{}'''\n",
            key.to_pem()
        );
        let warnings = TrustPolicy::from_toml(&text).unwrap().warnings(NOW);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
    }
}
