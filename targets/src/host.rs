//! What a machine can run.
//!
//! Detection asks the CPU through the standard library, and reads no file. The result is a value,
//! so a caller can also state the features of another machine.

use std::collections::BTreeSet;

/// The family of a machine and its CPU features, by their Rust names.
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
        /// Every missing feature, in the order of the request.
        missing: Vec<String>,
    },
}

impl HostCpu {
    /// A host whose features the caller states.
    pub fn new(arch: &str, features: impl IntoIterator<Item = String>) -> Self {
        Self {
            arch: arch.to_owned(),
            features: features.into_iter().collect(),
        }
    }

    /// The family's Rust name.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// The host's features that any target may use, by their Rust names, sorted.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// The machine that this program runs on.
    pub fn detect() -> Self {
        Self::new(
            std::env::consts::ARCH,
            detected().into_iter().map(str::to_owned),
        )
    }

    /// Whether code of the family `arch` that may use `features` runs on this host.
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

/// Expands to a check of each feature. The standard library's macros need literals, and a `literal`
/// fragment would hide them.
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
        // If detection did not look for a feature, every host would be refused.
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
