//! How an index names the CPU of a native image. edgec itself chooses by target and profile; this
//! is for people and tools that read an index.

use edgec_artifact::TargetCpu;

use super::media;
use crate::Platform;

/// The platform of a native image.
pub(crate) fn of(target: &TargetCpu) -> Platform {
    let (architecture, variant) = match target.family() {
        "x86_64" => ("amd64", amd64(&target.level)),
        "aarch64" => ("arm64", arm64(&target.level)),
        other => (other, None),
    };
    Platform {
        architecture: architecture.to_owned(),
        os: media::OS.to_owned(),
        variant,
        os_features: target.cpu_features.clone(),
    }
}

/// The variants of Go's `GOAMD64`. The baseline of edgec has none, because skopeo takes no entry
/// with a variant for a machine that states none.
fn amd64(level: &str) -> Option<String> {
    match level.strip_prefix("x86-64-") {
        Some("v2") | None => None,
        Some(variant) => Some(variant.to_owned()),
    }
}

/// The variants of `arm64`: `v8` for the baseline, `v8.2` or `v9` for others.
fn arm64(level: &str) -> Option<String> {
    let number = level.strip_prefix("Armv")?.strip_suffix("-A")?;
    Some(format!("v{}", number.strip_suffix(".0").unwrap_or(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_has_the_variant_that_others_expect() {
        assert_eq!(amd64("x86-64-v2"), None);
        assert_eq!(amd64("x86-64-v1").as_deref(), Some("v1"));
        assert_eq!(amd64("x86-64-v4").as_deref(), Some("v4"));
        assert_eq!(arm64("Armv8.0-A").as_deref(), Some("v8"));
        assert_eq!(arm64("Armv8.2-A").as_deref(), Some("v8.2"));
        assert_eq!(arm64("Armv9.0-A").as_deref(), Some("v9"));
        assert_eq!(arm64("other"), None);
    }
}
