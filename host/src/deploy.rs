//! Loads applications, and replaces them while requests run.

mod current;
mod file;
mod policy;
mod source;
mod troubles;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edgec_loader::store::{
    Application as Named, Deployment, Preparation, RefreshError, Refreshed, StoreError, Versions,
    WHILE_EXHAUSTED,
};
use edgec_loader::{EngineProfile, Expected, LoadError, Manifest, error_chain};

use self::current::Current;
use self::file::ArtifactFile;
pub use self::file::application_in;
pub use self::policy::Policy;
pub(crate) use self::source::Source;
use self::source::is_of;
use self::troubles::Troubles;
use crate::HostError;
use crate::Program;
use crate::application::{Application, Deployed};
use crate::config::{ApplicationConfig, LogLevel, ServeConfig};
use crate::interfaces::{check_imports, stub_missing_imports};
use crate::linker::linker;
use crate::pools::{Pools, Size};

/// Loads and refreshes.
#[derive(Debug)]
pub(crate) struct Deployer {
    source: Source,
    policy: Policy,
    pools: Pools,
    /// The manifests at the start.
    planned: Vec<Manifest>,
    /// A version is not trusted any more if the policy was not read for so long.
    stale_after: Duration,
    troubles: Troubles,
}

impl Deployer {
    pub(crate) fn new(
        config: &ServeConfig,
        source: Source,
        policy: Policy,
        pools: Pools,
        planned: Vec<Manifest>,
    ) -> Self {
        let refresh = config.store.as_ref().map(|store| store.refresh.get());
        let stale = refresh.unwrap_or_default().saturating_mul(30);
        Self {
            source,
            policy,
            pools,
            planned,
            stale_after: stale.max(Duration::from_secs(60)),
            troubles: Troubles::default(),
        }
    }

    pub(crate) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Loads all applications, several at a time.
    pub(crate) fn deploy_all(&self, applications: &[Arc<Application>]) -> Result<(), HostError> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let length = applications.len().div_ceil(processors).max(1);
        let failures = Mutex::new(Vec::new());
        let current = Current::default();
        let current = &current;
        std::thread::scope(|scope| {
            for part in applications.chunks(length) {
                let failures = &failures;
                scope.spawn(move || {
                    for application in part {
                        if let Err(error) = self.deploy(application, current) {
                            // A file does not come by itself, so its failure ends the host.
                            if application.config().artifact.is_none() {
                                self.troubles.note(application, error_chain(&error));
                                continue;
                            }
                            let failures = failures.lock();
                            failures.unwrap_or_else(PoisonError::into_inner).push(error);
                        }
                    }
                });
            }
        });
        let failures = failures
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// Loads these applications. The log says which of them cannot be loaded. The next refresh
    /// tries again.
    pub(crate) fn deploy_or_note(&self, applications: &[Arc<Application>]) {
        let current = Current::default();
        for application in applications {
            match self.deploy(application, &current) {
                Ok(()) => self.troubles.well(application),
                Err(error) => self.troubles.note(application, error_chain(&error)),
            }
        }
    }

    /// Loads an application for the first time.
    fn deploy(&self, application: &Arc<Application>, current: &Current) -> Result<(), HostError> {
        let config = application.config();
        let name = || application.name().to_owned();
        let failed = |source| match source {
            // This speaks of a store, which a single file does not have.
            LoadError::Store(StoreError::NoFit { targets, .. }) if config.artifact.is_some() => {
                let application = name();
                HostError::NoFit {
                    application,
                    targets,
                }
            }
            source => match &config.artifact {
                Some(path) => HostError::File {
                    application: name(),
                    path: path.clone(),
                    source: Box::new(source),
                },
                None => HostError::Load {
                    application: name(),
                    source,
                },
            },
        };
        let (versions, size) = match &config.artifact {
            Some(path) => {
                let policy = self.policy.source.policy();
                let policy = policy.map_err(|error| failed(LoadError::Policy(error)))?;
                let manifest = ArtifactFile::manifest(path, config, &policy)?;
                let size = Size::of(&manifest);
                let expected = expected(&manifest.name, config);
                let source = ArtifactFile::new(path, &config.statements, &manifest);
                (Versions::from_source(source, expected), size)
            }
            None => self.in_store(config, current)?,
        };
        let pool = self.pools.of(size).ok_or_else(|| failed(no_pool()))?;
        let link = linker(&pool.engine);
        let link = link.map_err(|error| failed(LoadError::Link(error)))?;
        let (weak, stubs) = (Arc::downgrade(application), config.stub_imports);
        let telemetry = Arc::clone(application.telemetry());
        let name = application.label().to_owned();
        let preparation = Preparation::component_with(
            move |component| {
                let mut link = link.clone();
                if stubs {
                    let stubs = stub_missing_imports(&mut link, component)?;
                    let count = stubs.len();
                    let what = format!("{count} imports are stubs: {}", stubs.join(", "));
                    telemetry.log(LogLevel::Info, Some(&name), what);
                } else {
                    check_imports(&link, component)?;
                }
                Ok(link)
            },
            move |component| Program::of(component, &weak),
        );
        let policy = self.policy.source.clone();
        let deployment = Deployment::of(versions, &pool.engine, policy, preparation);
        // Otherwise the end of the grace time would never be reached.
        let stale_after = self.stale_after.saturating_add(config.grace.get());
        let deployment = deployment.map_err(failed)?.stale_after(stale_after);
        application.deploy(Deployed {
            engine: pool.engine.clone(),
            slots: pool.slots.clone(),
            deployment: Arc::new(deployment),
        });
        Ok(())
    }

    /// The versions in the store, and the size of the current one.
    fn in_store(
        &self,
        config: &ApplicationConfig,
        current: &Current,
    ) -> Result<(Versions, Size), HostError> {
        let Some(store) = &self.source.store else {
            let application = config.name.clone();
            let source = no_pool();
            return Err(HostError::Load {
                application,
                source,
            });
        };
        let mut named = Named::new(&config.name);
        if let Some(channel) = &config.channel {
            named = named.in_channel(channel);
        }
        let versions = Versions::in_store(store, named);
        if let Some(manifest) = self.planned.iter().find(|it| is_of(it, config)) {
            return Ok((versions, Size::of(manifest)));
        }
        // It came later.
        let current = current.manifests(|| Ok(store.manifests()?.manifests))?;
        let own: Vec<&Manifest> = current.iter().filter(|it| is_of(it, config)).collect();
        let edge = |it: &&&Manifest| it.engine.profile == EngineProfile::Edge.name();
        let size = match own.iter().find(edge) {
            Some(manifest) => Size::of(manifest),
            None => match own.first() {
                Some(manifest) => {
                    return Err(HostError::NotEdge {
                        application: config.name.clone(),
                        profile: manifest.engine.profile.clone(),
                    });
                }
                // The load says what is wrong.
                None => Size::Small,
            },
        };
        Ok((versions, size))
    }

    /// Refreshes all applications, and loads those that could not be loaded before.
    pub(crate) fn refresh_all(&self, applications: &[Arc<Application>]) {
        let current = Current::default();
        for application in applications {
            let outcome = match application.deployed() {
                None => self
                    .deploy(application, &current)
                    .map_err(|error| error_chain(&error)),
                Some(deployed) => refresh(application, &deployed.deployment),
            };
            match outcome {
                Ok(()) => self.troubles.well(application),
                Err(what) => self.troubles.note(application, what),
            }
        }
    }
}

/// Takes the version that is current now.
fn refresh(application: &Application, deployment: &Deployment<Program>) -> Result<(), String> {
    let grace = application.config().grace.get();
    match deployment.refresh_within(grace) {
        Ok(Refreshed::Replaced { from, to }) => {
            let what = format!("version {to} in place of {from}");
            let telemetry = application.telemetry();
            telemetry.log(LogLevel::Info, Some(application.label()), what);
            if let Ok(loaded) = deployment.current() {
                application.tell_loaded(&loaded);
            }
            Ok(())
        }
        Ok(_) => Ok(()),
        // The rest of the grace time changes at each refresh.
        Err(RefreshError::Unread { source, .. }) => {
            let holds = match source.is_exhausted() {
                true => grace.max(WHILE_EXHAUSTED),
                false => grace,
            };
            Err(format!(
                "the trust policy cannot be read, and the last one holds for {holds:?}: {}",
                error_chain(&source)
            ))
        }
        // The text of this error speaks of a store.
        Err(RefreshError::Kept(source)) if application.config().artifact.is_some() => Err(format!(
            "the file was not loaded, and the version in use stays: {}",
            error_chain(&source)
        )),
        Err(error) => Err(error_chain(&error)),
    }
}

fn expected(name: &str, config: &ApplicationConfig) -> Expected {
    let expected = Expected::application(name);
    match &config.channel {
        Some(channel) => expected.in_channel(channel),
        None => expected,
    }
}

/// There is always a pool, and a store for what comes from one.
fn no_pool() -> LoadError {
    LoadError::Source("the host has no pool or store for it".into())
}
