//! Versions in the names of interfaces.
//!
//! Hosts offer an interface in one version, and programs ask for it in another. Two versions are
//! compatible if they differ only in the last number, or, from 1.0.0 on, in the last two. A
//! pre-release is compatible with itself alone.
//!
//! Source: component model, `Explainer.md`, "Import and Export Definitions"; wit-parser 0.254,
//! `PackageName::version_compat_track`.

use wasmparser::names::{ComponentName, ComponentNameKind};
use wit_parser::PackageName;

/// The part of an interface's name before its version. `None` for other names.
pub(super) fn without_version(name: &str) -> Option<&str> {
    let parsed = ComponentName::new(name, 0).ok()?;
    let ComponentNameKind::Interface(_) = parsed.kind() else {
        return None;
    };
    Some(name.split('@').next().unwrap_or(name))
}

/// What all compatible versions of an interface have in common: `wasi:io/poll@0.2`. For any other
/// name, the name itself. `suffix` is the rest of the version, if the name has only its beginning.
pub(super) fn track(name: &str, suffix: Option<&str>) -> String {
    on_track(name, suffix).unwrap_or_else(|| name.to_owned())
}

fn on_track(name: &str, suffix: Option<&str>) -> Option<String> {
    let parsed = ComponentName::new(name, 0).ok()?;
    let ComponentNameKind::Interface(interface) = parsed.kind() else {
        return None;
    };
    let version = interface.version(suffix).ok()??;
    let track = PackageName::version_compat_track_string(&version);
    Some(format!("{}@{track}", without_version(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_versions_have_the_same_track() {
        for (name, same) in [
            ("wasi:io/poll@0.2.0", "wasi:io/poll@0.2"),
            ("wasi:io/poll@0.2.12", "wasi:io/poll@0.2"),
            ("wasi:io/poll@0.2", "wasi:io/poll@0.2"),
            ("wasi:io/poll@0.3.0", "wasi:io/poll@0.3"),
            ("a:b/c@1.2.3", "a:b/c@1"),
            ("a:b/c@0.0.3", "a:b/c@0.0.3"),
            ("a:b/c@0.2.0-rc.1", "a:b/c@0.2.0-rc.1"),
            ("a:b/c", "a:b/c"),
            ("run", "run"),
            ("not a name@1.0.0", "not a name@1.0.0"),
        ] {
            assert_eq!(track(name, None), same);
        }
        assert_eq!(track("a:b/c@0.2", Some(".6")), "a:b/c@0.2");
        assert_eq!(without_version("a:b/c@0.2.0"), Some("a:b/c"));
        assert_eq!(without_version("a:b/c"), Some("a:b/c"));
        assert_eq!(without_version("run"), None);
    }
}
