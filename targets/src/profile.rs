//! Engine profiles: named sets of engine settings that an artifact and its host share.
//!
//! This file has the names, and `settings.rs` has the values. `edgec_compiler` sets them for
//! compiled code, and `edgec_loader` for a host's engine.

use std::str::FromStr;

/// The kind of host that the code is for. An artifact states its profile in the manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineProfile {
    /// For an unmodified Wasmtime 48: its default engine loads the artifacts. A host cannot
    /// interrupt a program, because there is neither fuel nor epochs.
    #[default]
    Default,
    /// For a host with many tenants. It can interrupt programs (epochs). The image has only the
    /// engine metadata that a load, an instantiation or a call reads, so there are no backtraces.
    Edge,
}

/// A name that no profile has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no engine profile is called `{0}`: there are default and edge")]
pub struct UnknownProfile(String);

impl EngineProfile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::Default, Self::Edge];

    /// The profile's name, on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Edge => "edge",
        }
    }
}

impl FromStr for EngineProfile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let known = Self::ALL.into_iter().find(|profile| profile.name() == name);
        known.ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_its_profile() {
        for profile in EngineProfile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        let unknown = "fast".parse::<EngineProfile>().unwrap_err();
        let expected = "no engine profile is called `fast`: there are default and edge";
        assert_eq!(unknown.to_string(), expected);
    }
}
