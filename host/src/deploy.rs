//! Loads applications, and replaces them while requests run.

mod file;
mod policy;
mod source;
mod troubles;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edgec_loader::store::{
    Deployment, Preparation, RefreshError, Refreshed, StoreError, Versions, WHILE_EXHAUSTED,
};
use edgec_loader::{EngineProfile, Expected, LoadError, Manifest, error_chain};

use self::file::ArtifactFile;
pub use self::file::application_in;
pub use self::policy::Policy;
pub(crate) use self::source::Source;
use self::source::named;
use self::troubles::{Trouble, Troubles};
use crate::HostError;
use crate::Program;
use crate::application::{Application, Deployed};
use crate::config::{ApplicationConfig, LogLevel, ServeConfig};
use crate::interfaces::{check_imports, stub_missing_imports};
use crate::linker::linker;
use crate::needs;
use crate::pools::Pools;

/// Loads and refreshes.
#[derive(Debug)]
pub(crate) struct Deployer {
    source: Source,
    policy: Policy,
    pools: Pools,
    /// A version is not trusted any more if the policy was not read for so long.
    stale_after: Duration,
    troubles: Troubles,
    /// Whether `[sync]` fills the store.
    is_filled: bool,
}

impl Deployer {
    pub(crate) fn new(config: &ServeConfig, source: Source, policy: Policy, pools: Pools) -> Self {
        let refresh = config.store.as_ref().map(|store| store.refresh.get());
        let stale = refresh.unwrap_or_default().saturating_mul(30);
        Self {
            source,
            policy,
            pools,
            stale_after: stale.max(Duration::from_secs(60)),
            troubles: Troubles::default(),
            is_filled: config.sync.is_some(),
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
        std::thread::scope(|scope| {
            for part in applications.chunks(length) {
                let failures = &failures;
                scope.spawn(move || {
                    for application in part {
                        if let Err(error) = self.deploy(application) {
                            // A file does not come by itself, so its failure ends the host.
                            if application.config().artifact.is_none() {
                                self.troubles.note(application, self.trouble(&error));
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
        for application in applications {
            match self.deploy(application) {
                Ok(()) => self.troubles.well(application),
                Err(error) => self.troubles.note(application, self.trouble(&error)),
            }
        }
    }

    /// What the log says about a failure. If `[sync]` fills the store, it is no error that a
    /// version is not there yet.
    fn trouble(&self, error: &HostError) -> Trouble {
        let level = match error {
            HostError::Load {
                source: LoadError::Store(StoreError::Unknown { .. }),
                ..
            } if self.is_filled => LogLevel::Info,
            _ => LogLevel::Error,
        };
        Trouble {
            level,
            what: error_chain(error),
        }
    }

    /// Loads the current version of an application.
    fn deploy(&self, application: &Arc<Application>) -> Result<(), HostError> {
        self.deploy_as(application, self.manifest(application.config())?)
    }

    /// Loads an application whose current version has this manifest, if it has one.
    fn deploy_as(
        &self,
        application: &Arc<Application>,
        manifest: Option<Manifest>,
    ) -> Result<(), HostError> {
        let config = application.config();
        let failed = |source| failed(config, source);
        let limits = application.limits().clone();
        if let Some(manifest) = &manifest {
            let checked = needs::check(manifest, &limits);
            checked.map_err(|error| failed(LoadError::Declined(error.into())))?;
        }
        let pool = match &manifest {
            Some(manifest) => self.pools.for_program(manifest)?,
            None => self.pools.small().ok_or_else(|| failed(no_source()))?,
        };
        let versions = match (&config.artifact, &self.source.store, &manifest) {
            (Some(path), _, Some(manifest)) => {
                let expected = expected(&manifest.name, config);
                let source = ArtifactFile::new(path, &config.statements, manifest);
                Versions::from_source(source, expected)
            }
            (None, Some(store), _) => Versions::in_store(store, named(config)),
            _ => return Err(failed(no_source())),
        };
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
        // It holds for later versions too.
        let preparation = preparation
            .accepting(move |manifest| needs::check(manifest, &limits).map_err(Into::into));
        let policy = self.policy.source.clone();
        let deployment = Deployment::of(versions, &pool.engine, policy, preparation);
        // Otherwise the end of the grace time would never be reached.
        let stale_after = self.stale_after.saturating_add(config.grace.get());
        let deployment = deployment.map_err(failed)?.stale_after(stale_after);
        application.deploy(Deployed { pool, deployment });
        Ok(())
    }

    /// The manifest of an application's current version. `None`: the store has none.
    fn manifest(&self, config: &ApplicationConfig) -> Result<Option<Manifest>, HostError> {
        if let Some(path) = &config.artifact {
            let policy = self.policy.source.policy();
            let policy = policy.map_err(|error| failed(config, LoadError::Policy(error)))?;
            return ArtifactFile::manifest(path, config, &policy).map(Some);
        }
        let store = self.source.store.as_ref();
        let store = store.ok_or_else(|| failed(config, no_source()))?;
        let found = store.manifests_of(named(config));
        let mut own = found
            .map_err(|error| failed(config, error.into()))?
            .manifests;
        let edge = EngineProfile::Edge.name();
        match own.iter().position(|it| it.engine.profile == edge) {
            Some(at) => Ok(Some(own.swap_remove(at))),
            None => match own.pop() {
                Some(other) => Err(HostError::NotEdge {
                    application: config.name.clone(),
                    profile: other.engine.profile,
                }),
                None => Ok(None),
            },
        }
    }

    /// Refreshes all applications, and loads those that could not be loaded before.
    pub(crate) fn refresh_all(&self, applications: &[Arc<Application>]) {
        for application in applications {
            let outcome = match application.deployed() {
                None => self
                    .deploy(application)
                    .map_err(|error| self.trouble(&error)),
                Some(deployed) => refresh(application, &deployed.deployment)
                    .or_else(|what| self.in_larger_pool(application, &deployed, what))
                    .inspect(|()| self.leave_replaced(application))
                    .map_err(Trouble::from),
            };
            match outcome {
                Ok(()) => self.troubles.well(application),
                Err(trouble) => self.troubles.note(application, trouble),
            }
        }
    }

    /// Loads a version that failed with `what`, if that is because its pool has no room for it.
    fn in_larger_pool(
        &self,
        application: &Arc<Application>,
        deployed: &Deployed,
        what: String,
    ) -> Result<(), String> {
        // Why it cannot be read is in `what` too.
        let manifest = self.manifest(application.config()).ok().flatten();
        let Some(manifest) = manifest.filter(|it| !deployed.pool.has_room_for(it)) else {
            return Err(what);
        };
        let version = |application: &Application| {
            let version = application.version();
            version.map(|it| it.manifest().version.to_string())
        };
        let from = version(application);
        let moved = self.deploy_as(application, Some(manifest));
        moved.map_err(|error| format!("{what}; {}", error_chain(&error)))?;
        let (to, from) = (version(application), from.as_deref().unwrap_or("none"));
        let to = to.unwrap_or_default();
        let what = format!("version {to} in place of {from}, in a larger pool");
        let telemetry = application.telemetry();
        telemetry.log(LogLevel::Info, Some(application.label()), what);
        Ok(())
    }

    /// Moves an application out of a pool that another one has replaced. If that fails, it stays,
    /// and the next refresh tries again.
    fn leave_replaced(&self, application: &Arc<Application>) {
        let deployed = application.deployed();
        if deployed.is_some_and(|it| self.pools.has_replaced(&it.pool))
            && self.deploy(application).is_ok()
        {
            let telemetry = application.telemetry();
            let what = "it is in a new pool now".to_owned();
            telemetry.log(LogLevel::Info, Some(application.label()), what);
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

/// Why an application is not loaded.
fn failed(config: &ApplicationConfig, source: LoadError) -> HostError {
    let application = config.name.clone();
    match (source, &config.artifact) {
        // This speaks of a store, which a single file does not have.
        (LoadError::Store(StoreError::NoFit { targets, .. }), Some(_)) => HostError::NoFit {
            application,
            targets,
        },
        (source, Some(path)) => HostError::File {
            application,
            path: path.clone(),
            source: Box::new(source),
        },
        (source, None) => HostError::Load {
            application,
            source,
        },
    }
}

/// Cannot happen: there is always a pool, and each application has a file or a store.
fn no_source() -> LoadError {
    LoadError::Source("the host has no pool or store for it".into())
}
