//! Refuses rules that can match nothing: lists of keys and scopes, minimum versions and resets that
//! lie outside of what `[allow]` allows. The author of such a rule meant something else.

use edgec_targets::{Target, nearest_alike};

use crate::check::{CheckName, Mode};
use crate::pattern::{self, Pattern};
use crate::policy::{PolicyError, Selector, TrustPolicy};

/// The number of steps for one policy. What is left then is not compared, so a policy of very many
/// or very long patterns takes no longer to read. Usual policies need a small part of it.
const MAX_STEPS: usize = 1 << 25;

pub(super) fn refuse(policy: &TrustPolicy) -> Result<(), PolicyError> {
    let mut comparison = Comparison::of(policy);
    for rule in &policy.keys {
        let of = || format!("trusted key `{}`", rule.trusted.name);
        comparison.selector(of, &rule.covers)?;
    }
    for scope in &policy.scopes {
        comparison.selector(|| scope.name.clone(), &scope.covers)?;
    }
    for name in policy.minimum_versions.keys() {
        comparison.name(|| format!("`[minimum-version]` of `{name}`"), name)?;
    }
    for reset in &policy.resets {
        let name = &reset.application;
        comparison.name(|| format!("`[[reset]]` of `{name}`"), name)?;
    }
    Ok(())
}

/// What `[allow]` allows and the policy enforces, and the steps that are left.
struct Comparison<'p> {
    applications: Option<&'p [Pattern]>,
    channels: Option<&'p [Pattern]>,
    targets: Option<Vec<&'static Target>>,
    steps: usize,
}

impl<'p> Comparison<'p> {
    fn of(policy: &'p TrustPolicy) -> Self {
        let allow = &policy.allow;
        let targets = enforced(policy, CheckName::Target, &allow.targets);
        let meant = |list| {
            let all = edgec_targets::all();
            all.filter(|target| pattern::means(Some(list), target))
                .collect()
        };
        Self {
            applications: enforced(policy, CheckName::Application, &allow.applications),
            channels: enforced(policy, CheckName::Channel, &allow.channels),
            targets: targets.map(meant),
            steps: MAX_STEPS,
        }
    }

    /// Refuses a list that selects nothing that is allowed.
    fn selector(&mut self, of: impl Fn() -> String, covers: &Selector) -> Result<(), PolicyError> {
        let lists = [
            ("applications", &covers.applications, self.applications),
            ("channels", &covers.channels, self.channels),
        ];
        for (list, own, allowed) in lists {
            let (Some(own), Some(allowed)) = (own, allowed) else {
                continue;
            };
            let meet = |pattern: &Pattern| allowed.iter().any(|other| pattern.meets(other));
            if self.takes(length(own), allowed) && !own.iter().any(meet) {
                let near = |it: &Pattern| nearest(it.as_str(), allowed);
                let nearest = own.iter().find_map(near);
                let of = of();
                return Err(PolicyError::Disjoint { of, list, nearest });
            }
        }
        if let (Some(own), Some(allowed)) = (&covers.targets, &self.targets)
            && !allowed.iter().any(|it| pattern::means(Some(own), it))
        {
            return Err(PolicyError::Disjoint {
                of: of(),
                list: "targets",
                nearest: None,
            });
        }
        Ok(())
    }

    /// Refuses the name of an application that is not allowed.
    fn name(&mut self, of: impl Fn() -> String, name: &str) -> Result<(), PolicyError> {
        let Some(allowed) = self.applications else {
            return Ok(());
        };
        if self.takes(name.len(), allowed) && !pattern::allows(Some(allowed), name) {
            return Err(PolicyError::Disjoint {
                of: of(),
                list: "applications",
                nearest: nearest(name, allowed),
            });
        }
        Ok(())
    }

    /// Whether there are steps left to compare texts of this length with a list.
    fn takes(&mut self, length_of_own: usize, allowed: &[Pattern]) -> bool {
        let steps = length_of_own.saturating_mul(length(allowed));
        let left = self.steps.checked_sub(steps);
        self.steps = left.unwrap_or(0);
        left.is_some()
    }
}

/// The characters of all patterns, and one for each.
fn length(patterns: &[Pattern]) -> usize {
    patterns.iter().map(|it| it.as_str().len() + 1).sum()
}

fn nearest(name: &str, allowed: &[Pattern]) -> Option<String> {
    let allowed = allowed.iter().map(Pattern::as_str);
    nearest_alike(name, allowed).map(str::to_owned)
}

/// The allowed values, if the policy enforces them.
fn enforced<'p, T>(
    policy: &TrustPolicy,
    check: CheckName,
    list: &'p Option<Vec<T>>,
) -> Option<&'p [T]> {
    // An empty list allows nothing at all, and says so.
    let list = list.as_deref().filter(|list| !list.is_empty());
    list.filter(|_| policy.mode(check) == Mode::Enforce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(key: &str, rest: &str) -> Result<TrustPolicy, PolicyError> {
        let pem = "-----BEGIN PUBLIC KEY-----\\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\\n\
            -----END PUBLIC KEY-----\\n";
        TrustPolicy::from_toml(&format!(
            "threshold = 1\n[[key]]\nname = \"ci\"\npem = \"{pem}\"\n{key}\n{rest}"
        ))
    }

    #[test]
    fn what_matches_nothing_is_refused_with_the_nearest_name() {
        let allow = "[allow]\napplications = [\"acme/shop\", \"pay/*\"]\n\
            channels = [\"stable\"]\ntargets = [\"x86_64*\"]\n";
        for (key, rest, near) in [
            ("applications = [\"acme/shpo\"]", "", "acme/shop"),
            ("channels = [\"stabel\"]", "", "stable"),
            ("targets = [\"aarch64*\"]", "", ""),
            ("", "[minimum-version]\n\"acme/shpo\" = 3", "acme/shop"),
            (
                "",
                "[[reset]]\nnumber = 1\napplication = \"acme/shpo\"\nversion = 1\nserial = 1",
                "acme/shop",
            ),
            (
                "",
                "[[scope]]\nthreshold = 1\napplications = [\"other/*\"]",
                "",
            ),
        ] {
            let error = policy(key, &format!("{allow}{rest}"))
                .map(|_| ())
                .unwrap_err();
            let PolicyError::Disjoint { nearest, .. } = error else {
                panic!("{key} {rest}: {error}");
            };
            assert_eq!(nearest.unwrap_or_default(), near, "{key} {rest}");
            // Without a limit, or with one that only warns, it has an effect.
            assert!(policy(key, rest).is_ok(), "{key} {rest}");
            let warns = "[checks]\napplication = \"warn\"\nchannel = \"off\"\ntarget = \"warn\"\n";
            assert!(
                policy(key, &format!("{allow}{warns}{rest}")).is_ok(),
                "{key} {rest}"
            );
        }
        for (key, rest) in [
            ("applications = [\"*\", \"x\"]", ""),
            ("applications = [\"*shop\"]", ""),
            ("applications = [\"pay/shop\"]\nchannels = [\"s*\"]", ""),
            ("", "[minimum-version]\n\"pay/x\" = 3"),
        ] {
            assert!(
                policy(key, &format!("{allow}{rest}")).is_ok(),
                "{key} {rest}"
            );
        }
    }

    /// The text comes from anyone: comparing it must not take long.
    #[test]
    fn very_long_lists_are_not_compared() {
        let list = |letter: &str| {
            let patterns = (0..200).map(|number| format!("\"{}{number}\"", letter.repeat(100)));
            patterns.collect::<Vec<_>>().join(", ")
        };
        let (own, allowed) = (list("a"), list("b"));
        let key = format!("applications = [{own}]");
        let allow = format!("[allow]\napplications = [{allowed}]");
        assert!(policy(&key, &allow).is_ok());
    }

    #[test]
    fn a_key_that_never_counts_is_refused() {
        for until in ["2026-01-01T00:00:00Z", "2025-01-01T00:00:00Z"] {
            let times = format!("not-before = 2026-01-01T00:00:00Z\nexpires = {until}");
            let error = policy(&times, "").map(|_| ()).unwrap_err();
            assert!(matches!(error, PolicyError::NeverValid { .. }), "{error}");
        }
        let unknown = policy("", "[[scope]]\nthreshold = 1\nkeys = [\"co\"]");
        assert!(matches!(
            unknown.map(|_| ()),
            Err(PolicyError::UnknownKey { .. })
        ));
    }
}
