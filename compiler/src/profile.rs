//! Engine profiles: named sets of settings that an artifact and its host share.

/// Which host the code is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineProfile {
    /// An unmodified Wasmtime 48: its default engine loads the artifacts.
    #[default]
    Default,
    /// A host of many tenants. What runs can be interrupted (epochs), and of the engine's
    /// metadata the image has what a load, an instantiation and a call read.
    Edge,
}

impl EngineProfile {
    /// Every profile.
    pub const ALL: [EngineProfile; 2] = [EngineProfile::Default, EngineProfile::Edge];

    /// The profile's name, on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            EngineProfile::Default => "default",
            EngineProfile::Edge => "edge",
        }
    }

    /// The profile of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}
