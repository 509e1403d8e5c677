//! Where the artifacts of a host come from, and which of them it needs pools for.

use edgec_loader::store::ArtifactStore;
use edgec_loader::{EngineProfile, Manifest, error_chain};

use super::file::ArtifactFile;
use super::policy::Policy;
use crate::HostError;
use crate::config::{ApplicationConfig, LogLevel, ServeConfig};
use crate::telemetry::Telemetry;

/// Where artifacts come from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(super) store: Option<ArtifactStore>,
}

impl Source {
    pub(crate) fn open(config: &ServeConfig) -> Result<Self, HostError> {
        let store = config.store.as_ref();
        let store = store
            .map(|store| ArtifactStore::open(&store.path))
            .transpose()?;
        Ok(Self { store })
    }

    /// The manifests for which the host needs pools: those of its applications.
    pub(crate) fn needs(
        &self,
        config: &ServeConfig,
        policy: &Policy,
        telemetry: &Telemetry,
    ) -> Result<Vec<Manifest>, HostError> {
        let mut needs = Vec::new();
        for application in &config.applications {
            if let Some(path) = &application.artifact {
                needs.push(ArtifactFile::manifest(path, application, &policy.first)?);
            }
        }
        let Some(store) = &self.store else {
            return Ok(needs);
        };
        let current = store.manifests()?;
        for problem in &current.problems {
            let what = format!("not planned for: {}", error_chain(&problem.error));
            telemetry.log(LogLevel::Warn, None, what);
        }
        let edge = current.manifests.into_iter();
        let edge = edge.filter(|it| it.engine.profile == EngineProfile::Edge.name());
        needs.extend(edge.filter(|it| config.applications.iter().any(|own| is_of(it, own))));
        Ok(needs)
    }
}

/// Whether a manifest is of an application that comes from the store.
pub(super) fn is_of(manifest: &Manifest, config: &ApplicationConfig) -> bool {
    config.artifact.is_none() && manifest.name == config.name && manifest.channel == config.channel
}
