//! Whether a host can run what an artifact holds.

use edgec_artifact::Manifest;
use edgec_targets::{EngineProfile, HostCpu, Misfit};
use serde::Deserialize;

use crate::engine_version::EngineVersion;
use crate::policy_toml::where_and_what;

/// The engine of this version of edgec.
pub const ENGINE_VERSION: EngineVersion = EngineVersion::new(48, 0, 8);

/// The first version with another layout of instances that have exception tags.
const NEW_LAYOUT: EngineVersion = EngineVersion::new(48, 0, 6);

/// What a version that cannot be read is taken for.
const OLDEST: EngineVersion = EngineVersion::new(0, 0, 0);

/// What a host offers: a CPU and an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProfile {
    cpu: HostCpu,
    engine: EngineVersion,
    profiles: Vec<String>,
}

/// Why a host cannot run an artifact.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// The artifact is for hosts with other engine settings.
    #[error("the artifact is of engine profile `{found}`, this host runs {}", wanted.join(", "))]
    Profile {
        /// The profile in the manifest.
        found: String,
        /// The profiles that the host has.
        wanted: Vec<String>,
    },
    /// The artifact was compiled by another major version of the engine.
    #[error("the artifact was compiled by Wasmtime {found}, this host runs {host}")]
    EngineVersion {
        /// The full version in the manifest.
        found: String,
        /// The host's version.
        host: EngineVersion,
    },
    /// Code with exceptions from one side of a change in the engine's data, for a host on the
    /// other (EDGEC-2026-0001).
    #[error(
        "programs with exceptions that Wasmtime {found} compiled do not fit Wasmtime {host}: \
         {NEW_LAYOUT} has another layout of instances (EDGEC-2026-0001)"
    )]
    Layout {
        /// The full version in the manifest.
        found: String,
        /// The host's version.
        host: EngineVersion,
    },
    /// The code needs another CPU than the host's.
    #[error("the artifact does not fit this host")]
    Cpu(#[from] Misfit),
}

impl Unfit {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Profile { .. } => "profile",
            Self::EngineVersion { .. } | Self::Layout { .. } => "engine-version",
            Self::Cpu(_) => "host",
        }
    }
}

/// A text that is no host profile.
#[derive(Debug, thiserror::Error)]
#[error("malformed host profile: {0}")]
pub struct HostProfileError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    arch: String,
    features: Vec<String>,
    engine: EngineVersion,
    profiles: Vec<String>,
}

impl HostProfile {
    /// The machine that this runs on, with the engine of this edgec.
    pub fn here() -> Self {
        Self {
            cpu: HostCpu::detect(),
            engine: ENGINE_VERSION,
            profiles: EngineProfile::ALL.map(|p| p.name().to_owned()).to_vec(),
        }
    }

    /// This machine, where it runs artifacts of one engine profile only.
    pub fn of_profile(profile: EngineProfile) -> Self {
        Self {
            profiles: vec![profile.name().to_owned()],
            ..Self::here()
        }
    }

    /// Another machine, described in TOML: `arch`, `features`, `engine`, `profiles`
    /// (`docs/trust.md`).
    ///
    /// # Errors
    ///
    /// [`HostProfileError`] says where.
    pub fn from_toml(text: &str) -> Result<Self, HostProfileError> {
        let file: File =
            toml::from_str(text).map_err(|error| HostProfileError(where_and_what(text, &error)))?;
        let known = |name: &String| {
            let mut features = edgec_targets::all().flat_map(|target| target.features);
            features.any(|feature| feature.name == name)
        };
        if let Some(unknown) = file.features.iter().find(|name| !known(name)) {
            return Err(HostProfileError(format!(
                "no CPU feature is called `{unknown}`"
            )));
        }
        Ok(Self {
            cpu: HostCpu::new(&file.arch, file.features),
            engine: file.engine,
            profiles: file.profiles,
        })
    }

    /// How much of this host's CPU a target uses, in features; none: it does not run here, or is not
    /// known.
    pub fn rank(&self, target: &str) -> Option<usize> {
        let target = edgec_targets::all().find(|known| known.id == target)?;
        target.fits(&self.cpu).ok()?;
        Some(target.features.len())
    }

    /// Whether the host can run what this manifest describes: engine profile, major version
    /// of the engine, CPU family and features. Whether the manifest is true is another
    /// matter.
    ///
    /// # Errors
    ///
    /// [`Unfit`] names the first thing in the way; of CPU features, all that are missing.
    pub fn can_run(&self, manifest: &Manifest) -> Result<(), Unfit> {
        let engine = &manifest.engine;
        if !self.profiles.contains(&engine.profile) {
            return Err(Unfit::Profile {
                found: engine.profile.clone(),
                wanted: self.profiles.clone(),
            });
        }
        // As the engine itself compares them.
        if engine.major() != self.engine.major.to_string() {
            return Err(Unfit::EngineVersion {
                found: engine.version.clone(),
                host: self.engine,
            });
        }
        let found = engine.version.parse().unwrap_or(OLDEST);
        let exceptions = manifest.wasm_features.iter().any(|f| f == "exceptions");
        if exceptions && (found < NEW_LAYOUT) != (self.engine < NEW_LAYOUT) {
            return Err(Unfit::Layout {
                found: engine.version.clone(),
                host: self.engine,
            });
        }
        let features = manifest.target.cpu_features.iter().map(String::as_str);
        Ok(self.cpu.can_run(manifest.target.family(), features)?)
    }
}
