//! The faults of the engine's code generation that this edgec knows.
//!
//! Wrong code stays in an artifact until the program is compiled again. A newer host still loads
//! it, because the engine compares only major versions. Faults of the engine's runtime are not
//! listed: an upgrade of the host fixes them.

use serde::Serialize;

use crate::engine_version::{EngineVersion, VersionRange};

/// A fault in the code that some versions of the engine make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Advisory {
    /// The public identifier, or edgec's own if there is no public one.
    pub id: &'static str,
    /// What goes wrong, in a few words.
    pub title: &'static str,
    /// Which programs are affected, and what can happen.
    pub effect: &'static str,
    /// The versions that make such code. All are versions of the 48 line, because edgec accepts no
    /// others.
    pub affected: VersionRange,
    /// The CPU families, named like the first part of a triple; empty: all.
    pub families: &'static [&'static str],
    /// The WebAssembly features, by wasmparser's names; a program with one of them is affected.
    /// Empty: all programs.
    pub features: &'static [&'static str],
    /// If set, only programs of this shape are affected. The text says what a build does about
    /// them. Manifests do not state the shape, so no policy uses such an advisory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<&'static str>,
    /// The source of these facts.
    pub source: &'static str,
}

/// The advisories in this edgec, the newest fix first. No version of this engine line fixes the
/// ones at the top. State: November 2026.
pub const SHIPPED: &[Advisory] = &[
    Advisory {
        id: "EDGEC-2026-0003",
        title: "calls between a component and one inside of it always trap",
        effect: "such a call ends with `cannot enter component instance`; later engines allow such calls",
        affected: VersionRange {
            from: EngineVersion::new(48, 0, 0),
            before: Some(EngineVersion::new(49, 0, 0)),
        },
        families: &[],
        features: &["component_model"],
        shape: Some(
            "calls from one of its components to one that it contains or lies in, or to itself; \
             `edgec build` warns",
        ),
        source: "https://docs.rs/crate/wasmtime-environ/48.0.8/source/src/fact/trampoline.rs",
    },
    Advisory {
        id: "EDGEC-2026-0002",
        title: "calls between components never end for types of more than 1000 items",
        effect: "a call that passes such a value ends with `call stack exhausted`",
        affected: VersionRange {
            from: EngineVersion::new(48, 0, 0),
            before: Some(EngineVersion::new(49, 0, 0)),
        },
        families: &[],
        features: &["component_model"],
        shape: Some(
            "calls from one of its components to another, with a variant, enum, record or tuple \
             of more than 1000 cases, fields or elements; `edgec build` refuses them",
        ),
        source: "https://github.com/bytecodealliance/wasmtime/issues/14354",
    },
    Advisory {
        id: "GHSA-43j2-gcp4-m22g",
        title: "stale base of the collector's heap in compiled code",
        effect: "a program that uses the collector can abort the host",
        affected: before(9),
        families: &[],
        features: &["gc_types"],
        shape: None,
        source: "https://github.com/bytecodealliance/wasmtime/releases/tag/v48.0.9",
    },
    Advisory {
        id: "GHSA-mghf-wjfp-p5xm",
        title: "a large `br_table` can jump to a wrong address (CVE-2026-115893)",
        effect: "a program with a `br_table` of very many targets can leave its sandbox",
        affected: before(7),
        families: &["aarch64"],
        features: &[],
        shape: None,
        source: "https://github.com/bytecodealliance/wasmtime/security/advisories/GHSA-mghf-wjfp-p5xm",
    },
    Advisory {
        id: "EDGEC-2026-0001",
        title: "another layout of instances with an odd number of exception tags",
        effect: "code from before 48.0.6 reads wild pointers in a later host; seen in the \
                 difference of wasmtime-environ 48.0.5 and 48.0.6 (vmoffsets.rs)",
        affected: before(6),
        families: &[],
        features: &["exceptions"],
        shape: None,
        source: "https://docs.rs/crate/wasmtime-environ/48.0.6/source/src/vmoffsets.rs",
    },
    Advisory {
        id: "GHSA-hw8m-q44c-ggrf",
        title: "collected values may not be rooted across `try_call`",
        effect: "a program with exceptions can corrupt the collector's heap",
        affected: before(4),
        families: &[],
        features: &["exceptions"],
        shape: None,
        source: "https://github.com/bytecodealliance/wasmtime/releases/tag/v48.0.5",
    },
    Advisory {
        id: "GHSA-32h6-97mm-8q3c",
        title: "results of asynchronous callbacks are not checked (CVE-2026-115384)",
        effect: "a component with asynchronous lifts can write past a buffer of the host",
        affected: before(4),
        families: &[],
        features: &["cm_async"],
        shape: None,
        source: "https://github.com/bytecodealliance/wasmtime/releases/tag/v48.0.5",
    },
    Advisory {
        id: "GHSA-cfhf-m2cr-62wj",
        title: "imported exception tags are matched too loosely",
        effect: "a component that links tags between modules can corrupt the collector's heap",
        affected: before(4),
        families: &[],
        features: &["exceptions"],
        shape: None,
        source: "https://github.com/bytecodealliance/wasmtime/releases/tag/v48.0.5",
    },
];

/// The newest version of the engine line that its maintainers have published. A fix in a later one
/// cannot be had yet. State: November 2026.
const NEWEST_PUBLISHED: EngineVersion = EngineVersion::new(48, 0, 8);

/// The 48 line before this patch. The patch has the fix.
const fn before(patch: u64) -> VersionRange {
    VersionRange {
        from: EngineVersion::new(48, 0, 0),
        before: Some(EngineVersion::new(48, 0, patch)),
    }
}

impl Advisory {
    /// The first version with the fix in the line of `engine`. `None` if no version of the line has
    /// it.
    pub fn fixed_in(&self, engine: EngineVersion) -> Option<EngineVersion> {
        let fixed = self.affected.before;
        fixed.filter(|fixed| fixed.major == engine.major)
    }

    /// Whether a version with the fix is published in the line of `engine`. If not, only a change
    /// of the program helps.
    pub fn is_fix_published(&self, engine: EngineVersion) -> bool {
        let fixed = self.fixed_in(engine);
        fixed.is_some_and(|fixed| fixed <= NEWEST_PUBLISHED)
    }

    /// Whether the advisory concerns code that engine `version` made for `triple` from a program
    /// with `features`. If the fault depends on the program's shape, the answer is always `false`.
    pub fn concerns(&self, version: EngineVersion, triple: &str, features: &[String]) -> bool {
        if self.shape.is_some() {
            return false;
        }
        let family = triple.split('-').next().unwrap_or("");
        let uses = |feature: &&str| features.iter().any(|used| used == *feature);
        self.affected.contains(version)
            && (self.families.is_empty() || self.families.contains(&family))
            && (self.features.is_empty() || self.features.iter().any(uses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advisory_is_about_versions_families_and_features() {
        let concerning = |version: &str, triple, features: &[&str]| {
            let features: Vec<String> = features.iter().map(ToString::to_string).collect();
            let version = version.parse().unwrap();
            let found = SHIPPED
                .iter()
                .filter(|a| a.concerns(version, triple, &features));
            found.map(|advisory| advisory.id).collect::<Vec<_>>()
        };
        let (arm, x86) = ("aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu");
        assert_eq!(concerning("48.0.6", arm, &[]), ["GHSA-mghf-wjfp-p5xm"]);
        assert!(concerning("48.0.6", x86, &[]).is_empty());
        assert!(concerning("48.0.8", arm, &[]).is_empty());
        assert_eq!(
            concerning("48.0.8", x86, &["gc_types"]),
            ["GHSA-43j2-gcp4-m22g"]
        );
        assert_eq!(concerning("48.0.3", x86, &["exceptions"]).len(), 3);
        assert_eq!(concerning("48.0.3", x86, &["cm_async"]).len(), 1);
    }

    /// The end of the line is not a fix.
    #[test]
    fn a_fix_is_of_the_same_line() {
        let engine = EngineVersion::new(48, 0, 8);
        for advisory in SHIPPED {
            let fixed = advisory.fixed_in(engine);
            assert_eq!(fixed.is_none(), advisory.shape.is_some(), "{}", advisory.id);
        }
        let fixed = |id: &str| {
            let advisory = SHIPPED.iter().find(|a| a.id == id).unwrap();
            advisory.fixed_in(engine)
        };
        let patch = EngineVersion::new(48, 0, 7);
        assert_eq!(fixed("GHSA-mghf-wjfp-p5xm"), Some(patch));
        assert_eq!(fixed("EDGEC-2026-0002"), None);
        let published = |id: &str| {
            let advisory = SHIPPED.iter().find(|a| a.id == id).unwrap();
            advisory.is_fix_published(engine)
        };
        assert!(published("GHSA-mghf-wjfp-p5xm"));
        assert!(!published("GHSA-43j2-gcp4-m22g"));
        assert!(!published("EDGEC-2026-0002"));
        // As soon as this edgec has a later engine, the constant is out of date.
        assert!(NEWEST_PUBLISHED >= crate::ENGINE_VERSION);
    }

    #[test]
    fn identifiers_are_unique() {
        let ids: std::collections::BTreeSet<&str> = SHIPPED.iter().map(|a| a.id).collect();
        assert_eq!(ids.len(), SHIPPED.len());
    }
}
