//! What a machine can run.
//!
//! Detection asks the CPU (through the standard library), never a file. The result
//! is a value, so that another machine's features can be stated instead of detected.

use std::collections::BTreeSet;

/// The family of a machine and the CPU features it has, by their Rust names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCpu {
    arch: String,
    features: BTreeSet<String>,
}

/// Why code does not run on a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The code is for another family.
    #[error("code for {code} cannot run on a {host} host")]
    Arch {
        /// The family that the code is for.
        code: String,
        /// The host's family.
        host: String,
    },
    /// The code may use features that the host lacks.
    #[error("the host's CPU lacks {}", missing.join(", "))]
    Features {
        /// Every missing feature, in the order they were asked for.
        missing: Vec<String>,
    },
}

impl HostCpu {
    /// A host that is stated, not detected.
    pub fn new(arch: &str, features: impl IntoIterator<Item = String>) -> Self {
        Self {
            arch: arch.to_owned(),
            features: features.into_iter().collect(),
        }
    }

    /// The family, by the name that Rust has for it.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// The features that it has and that any target may use, by their Rust names, sorted.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// The machine that this runs on.
    pub fn detect() -> Self {
        Self::new(
            std::env::consts::ARCH,
            detected().into_iter().map(str::to_owned),
        )
    }

    /// Whether code of the family `arch` that may use `features` runs here.
    ///
    /// # Errors
    ///
    /// [`Misfit`] names the other family, or every feature that is missing.
    pub fn can_run<'a>(
        &self,
        arch: &str,
        features: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Misfit> {
        if arch != self.arch {
            return Err(Misfit::Arch {
                code: arch.to_owned(),
                host: self.arch.clone(),
            });
        }
        let missing: Vec<String> = features
            .into_iter()
            .filter(|feature| !self.features.contains(*feature))
            .map(str::to_owned)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Misfit::Features { missing })
        }
    }
}

/// Expands to a check of each feature: the standard library's macros want the very
/// literals, which a `literal` fragment would hide from them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! detect {
    ($is_detected:path: $($name:tt)*) => {{
        use $is_detected as is_detected;
        let mut found = Vec::new();
        $(if is_detected!($name) {
            found.push($name);
        })*
        found
    }};
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<&'static str> {
    detect!(std::arch::is_x86_feature_detected:
        "sse3" "ssse3" "cmpxchg16b" "sse4.1" "sse4.2" "popcnt"
        "avx" "avx2" "bmi1" "bmi2" "fma" "lzcnt"
        "avx512f" "avx512dq" "avx512vl"
        "avx512bitalg" "avx512vbmi" "avx512vnni" "avxvnni")
}

#[cfg(target_arch = "aarch64")]
fn detected() -> Vec<&'static str> {
    detect!(std::arch::is_aarch64_feature_detected: "lse" "fp16" "dotprod" "i8mm")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> Vec<&'static str> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_features_are_named() {
        let host = HostCpu::new("x86_64", ["sse3".to_owned()]);
        assert_eq!(host.can_run("x86_64", ["sse3"]), Ok(()));
        assert_eq!(
            host.can_run("x86_64", ["sse3", "avx", "avx2"])
                .unwrap_err()
                .to_string(),
            "the host's CPU lacks avx, avx2"
        );
        assert_eq!(
            host.can_run("aarch64", []).unwrap_err().to_string(),
            "code for aarch64 cannot run on a x86_64 host"
        );
    }

    #[test]
    fn every_feature_of_every_target_is_detectable() {
        // A feature that detection never looks for would refuse every host.
        let source = include_str!("host.rs");
        for target in crate::all() {
            for feature in target.features {
                assert!(
                    source.contains(&format!("\"{}\"", feature.name)),
                    "{} of {} is never detected",
                    feature.name,
                    target.id
                );
            }
        }
    }
}
