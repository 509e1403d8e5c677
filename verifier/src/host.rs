//! Whether a host can run the program of an artifact.
//!
//! A [`HostProfile`] describes a machine: the loader's own machine, or one in a file
//! (`host_file.rs`). The same function compares artifacts with both. So an answer for another
//! machine is the same as the answer of the loader there.

use std::cmp::Reverse;

use edgec_artifact::Manifest;
use edgec_targets::{Arch, EngineProfile, HostCpu, Misfit, Rank};

use crate::engine_version::EngineVersion;
use crate::pool_limits::{PoolLimits, PoolMisfit};

/// The engine of this version of edgec.
pub const ENGINE_VERSION: EngineVersion = EngineVersion::new(48, 0, 8);

/// The first version with another layout of instances that have exception tags.
const NEW_LAYOUT: EngineVersion = EngineVersion::new(48, 0, 6);

/// Stands for a version that cannot be read.
const OLDEST: EngineVersion = EngineVersion::new(0, 0, 0);

/// A host's CPU and engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProfile {
    /// Its name, if it has one.
    pub(crate) name: Option<String>,
    pub(crate) cpu: HostCpu,
    /// The kernel's page size in bytes, if it is known.
    pub(crate) page_size: Option<u64>,
    pub(crate) engine: EngineVersion,
    pub(crate) profiles: Vec<String>,
    /// The pool of the instances; `None`: memory on demand.
    pub(crate) pool: Option<PoolLimits>,
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
    /// The code has exceptions, and the host's engine is on the other side of a change in the
    /// engine's data (EDGEC-2026-0001).
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
    /// The code needs another CPU.
    #[error("this host cannot run the artifact")]
    Cpu(#[from] Misfit),
    /// The kernel's pages are larger than the pages of the image's layout. The engine makes whole
    /// pages executable.
    #[error("the image is laid out for pages of {image} bytes, this host's have {host}")]
    PageSize {
        /// The size of the largest page that fits the image.
        image: u64,
        /// The size of the kernel's pages.
        host: u64,
    },
    /// An instance does not fit into the host's pool.
    #[error("the program is too large for this host's instance pool")]
    Pool(#[from] PoolMisfit),
}

impl Unfit {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Profile { .. } => "profile",
            Self::EngineVersion { .. } | Self::Layout { .. } => "engine-version",
            Self::Cpu(_) | Self::PageSize { .. } => "host",
            Self::Pool(_) => "pool-limits",
        }
    }
}

impl HostProfile {
    /// The machine of this process, with the engine of this edgec and memory on demand.
    pub fn here() -> Self {
        Self {
            name: None,
            cpu: HostCpu::detect(),
            page_size: page_size(),
            engine: ENGINE_VERSION,
            profiles: EngineProfile::ALL.map(|p| p.name().to_owned()).to_vec(),
            pool: None,
        }
    }

    /// This machine, as a host that runs artifacts of one engine profile only.
    pub fn of_profile(profile: EngineProfile) -> Self {
        Self::here().with_profiles([profile.name()])
    }

    /// The same host with this CPU, for example an emulated CPU, or one without some features.
    #[must_use]
    pub fn with_cpu(self, cpu: HostCpu) -> Self {
        Self { cpu, ..self }
    }

    /// The same host with an engine of this version. A host may run a later patch than edgec's own.
    #[must_use]
    pub fn with_engine(self, engine: EngineVersion) -> Self {
        Self { engine, ..self }
    }

    /// The same host, running artifacts of these engine profiles only.
    #[must_use]
    pub fn with_profiles<'a>(self, profiles: impl IntoIterator<Item = &'a str>) -> Self {
        let profiles = profiles.into_iter().map(str::to_owned).collect();
        Self { profiles, ..self }
    }

    /// The same host, whose instances come from a pool.
    #[must_use]
    pub fn with_pool(self, pool: PoolLimits) -> Self {
        let pool = Some(pool);
        Self { pool, ..self }
    }

    /// The same host under a name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = Some(name.into());
        Self { name, ..self }
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its CPU.
    pub fn cpu(&self) -> &HostCpu {
        &self.cpu
    }

    /// Its engine's full version.
    pub fn engine(&self) -> EngineVersion {
        self.engine
    }

    /// The engine profiles of the artifacts that this host runs.
    pub fn profiles(&self) -> &[String] {
        &self.profiles
    }

    /// How much of this host's CPU a target uses; `None` if the target does not run here or is
    /// unknown.
    fn rank(&self, target: &str) -> Option<Rank> {
        let target = edgec_targets::all().find(|known| known.id == target)?;
        target.fits(&self.cpu).ok()?;
        Some(target.rank())
    }

    /// Of several artifacts of one release, those of an engine profile whose target this host's CPU
    /// can run. The first uses most of the CPU; those that use as much keep their order. `about`
    /// gives the target and the engine profile of an artifact. Other obstacles than the CPU are not
    /// considered.
    pub fn ranked<A>(
        &self,
        profile: EngineProfile,
        artifacts: impl IntoIterator<Item = A>,
        about: impl Fn(&A) -> (&str, &str),
    ) -> Vec<A> {
        let ranked = artifacts.into_iter().filter_map(|artifact| {
            let (target, found) = about(&artifact);
            let rank = self.rank(target).filter(|_| found == profile.name())?;
            Some((rank, artifact))
        });
        let mut ranked: Vec<(Rank, A)> = ranked.collect();
        ranked.sort_by_key(|(rank, _)| Reverse(*rank));
        ranked.into_iter().map(|(_, artifact)| artifact).collect()
    }

    /// The index of the best artifact for this host, among several of one release. That is the
    /// artifact that the host can run and whose target uses most of the CPU. If several are equal,
    /// it is the first. `None` if the host can run none of them.
    pub fn best<'a>(&self, manifests: impl IntoIterator<Item = &'a Manifest>) -> Option<usize> {
        let fit = manifests.into_iter().enumerate().filter_map(|(place, it)| {
            self.can_run(it).ok()?;
            let rank = self.rank(&it.target.id)?;
            Some((rank, Reverse(place)))
        });
        fit.max().map(|(_, place)| place.0)
    }

    /// Whether the host accepts the code that an engine of this version compiles for this profile,
    /// apart from conditions that depend on the program and its target.
    ///
    /// # Errors
    ///
    /// [`Unfit::Profile`] and [`Unfit::EngineVersion`].
    pub fn takes(&self, version: &str, profile: &str) -> Result<(), Unfit> {
        self.takes_profile(profile)?;
        self.takes_version(version)
    }

    fn takes_profile(&self, profile: &str) -> Result<(), Unfit> {
        match self.profiles.iter().any(|known| known == profile) {
            true => Ok(()),
            false => Err(Unfit::Profile {
                found: quoted(profile),
                wanted: self.profiles.clone(),
            }),
        }
    }

    fn takes_version(&self, version: &str) -> Result<(), Unfit> {
        // The engine itself compares like this.
        let major = version.split('.').next().unwrap_or("");
        if major != self.engine.major.to_string() {
            return Err(Unfit::EngineVersion {
                found: quoted(version),
                host: self.engine,
            });
        }
        Ok(())
    }

    /// Whether the host can run an artifact with this manifest: engine profile, major version of
    /// the engine, CPU family and features, page size, pool. It does not check whether the manifest
    /// is true.
    ///
    /// # Errors
    ///
    /// The first of [`Self::obstacles`]. If CPU features are missing, the error has all of them.
    pub fn can_run(&self, manifest: &Manifest) -> Result<(), Unfit> {
        match self.obstacles(manifest).into_iter().next() {
            None => Ok(()),
            Some(unfit) => Err(unfit),
        }
    }

    /// Everything that prevents this host from running an artifact with this manifest.
    pub fn obstacles(&self, manifest: &Manifest) -> Vec<Unfit> {
        let engine = &manifest.engine;
        let mut found = Vec::new();
        found.extend(self.takes_profile(&engine.profile).err());
        found.extend(self.takes_version(&engine.version).err());
        found.extend(self.layout(manifest).err());
        let features = manifest.target.cpu_features.iter().map(String::as_str);
        let cpu = self.cpu.can_run(manifest.target.family(), features);
        found.extend(cpu.err().map(Unfit::Cpu));
        let arch = Arch::named(manifest.target.family());
        if let (Some(host), Some(arch)) = (self.page_size, arch)
            && arch.name() == self.cpu.arch()
            && host > arch.page_size()
        {
            let image = arch.page_size();
            found.push(Unfit::PageSize { image, host });
        }
        if let Some(pool) = &self.pool {
            let misfits = pool.misfits(&manifest.resources);
            found.extend(misfits.into_iter().map(Unfit::Pool));
        }
        found
    }

    fn layout(&self, manifest: &Manifest) -> Result<(), Unfit> {
        let version = &manifest.engine.version;
        let found = version.parse().unwrap_or(OLDEST);
        let exceptions = manifest.wasm_features.iter().any(|f| f == "exceptions");
        if exceptions && (found < NEW_LAYOUT) != (self.engine < NEW_LAYOUT) {
            return Err(Unfit::Layout {
                found: quoted(version),
                host: self.engine,
            });
        }
        Ok(())
    }
}

/// The longest text of a manifest that an [`Unfit`] quotes, in bytes. There can be one [`Unfit`]
/// for every host.
const MAX_QUOTED_LEN: usize = 128;

/// The beginning of a text of any length.
fn quoted(text: &str) -> String {
    match text.get(..text.floor_char_boundary(MAX_QUOTED_LEN)) {
        Some(begin) if begin.len() < text.len() => format!("{begin}…"),
        _ => text.to_owned(),
    }
}

#[cfg(unix)]
fn page_size() -> Option<u64> {
    u64::try_from(rustix::param::page_size()).ok()
}

#[cfg(not(unix))]
fn page_size() -> Option<u64> {
    None
}
