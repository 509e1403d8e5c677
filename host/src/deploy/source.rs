//! Where the artifacts of a host come from, and which of them it needs pools for.

use edgec_loader::store::{Application as Named, ArtifactStore};
use edgec_loader::{Manifest, error_chain};

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
        let stored = config.applications.iter();
        for application in stored.filter(|it| it.artifact.is_none()) {
            let current = match store.manifests_of(named(application)) {
                Ok(current) => current,
                // The load says so too, and is tried again.
                Err(error) => {
                    let what = format!("not planned for: {}", error_chain(&error));
                    telemetry.log(LogLevel::Warn, Some(&application.name), what);
                    continue;
                }
            };
            for problem in &current.problems {
                let what = format!("not planned for: {}", error_chain(&problem.error));
                telemetry.log(LogLevel::Warn, None, what);
            }
            needs.extend(current.manifests);
        }
        Ok(needs)
    }
}

/// How the store names an application.
pub(super) fn named(config: &ApplicationConfig) -> Named {
    let named = Named::new(&config.name);
    match &config.channel {
        Some(channel) => named.in_channel(channel),
        None => named,
    }
}
