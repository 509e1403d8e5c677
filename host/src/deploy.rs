//! Loads applications, and replaces them while requests run.

mod file;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edgec_loader::store::{
    Application as Named, ArtifactStore, Deployment, PolicyFile, PolicySource, Preparation,
    RefreshError, Refreshed, StoreError, Versions, WHILE_EXHAUSTED,
};
use edgec_loader::verifier::read_guarded;
use edgec_loader::{
    EngineProfile, Expected, LoadError, Manifest, PublicKey, TrustPolicy, error_chain,
};

use self::file::ArtifactFile;
pub use self::file::application_in;
use crate::HostError;
use crate::Program;
use crate::application::{Application, Deployed};
use crate::config::{ApplicationConfig, LogLevel, PolicyConfig, ServeConfig};
use crate::interfaces::{check_imports, stub_missing_imports};
use crate::linker::linker;
use crate::pools::{Pools, Size};
use crate::telemetry::Telemetry;

/// For so long, one reading of the policy serves all applications.
const SHARED: Duration = Duration::from_millis(100);

/// What decides which artifacts a host loads.
#[derive(Clone, Debug)]
pub struct Policy {
    source: PolicySource,
    /// The policy at the start.
    first: TrustPolicy,
}

impl Policy {
    /// A policy that stays the same.
    pub fn fixed(policy: TrustPolicy) -> Self {
        Self {
            source: policy.clone().into(),
            first: policy,
        }
    }

    /// The policy of a configuration. It is read again at each refresh.
    pub(crate) fn of(config: &PolicyConfig) -> Result<Self, HostError> {
        let mut roots = Vec::new();
        for path in &config.roots {
            let wrong = |source| {
                let path = path.clone();
                HostError::Root { path, source }
            };
            let text = read_guarded(path).map_err(|error| wrong(error.into()))?;
            let text = String::from_utf8(text).map_err(|error| wrong(error.into()))?;
            roots.push(PublicKey::from_pem(&text).map_err(|error| wrong(error.into()))?);
        }
        let file = PolicyFile::new(&config.file).signed_by(roots);
        let file = match &config.state {
            Some(state) => file.remembered_in(state),
            None => file,
        };
        let first = file.read().map_err(|source| HostError::Policy {
            path: config.file.clone(),
            state: config.state.clone(),
            source: Box::new(source),
        })?;
        // All applications of a refresh follow one reading.
        let source = PolicySource::from(file).at_most_every(SHARED);
        Ok(Self { source, first })
    }
}

/// Where artifacts come from.
#[derive(Debug)]
pub(crate) struct Source {
    store: Option<ArtifactStore>,
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

fn is_of(manifest: &Manifest, config: &ApplicationConfig) -> bool {
    config.artifact.is_none() && manifest.name == config.name && manifest.channel == config.channel
}

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
    /// The last trouble of each application, so that the log has it once.
    troubles: Mutex<HashMap<String, String>>,
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
            troubles: Mutex::default(),
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
                                self.note(application, error_chain(&error));
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
                Ok(()) => self.well(application),
                Err(error) => self.note(application, error_chain(&error)),
            }
        }
    }

    /// Loads an application for the first time.
    fn deploy(&self, application: &Arc<Application>) -> Result<(), HostError> {
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
            source => HostError::Load {
                application: name(),
                source,
            },
        };
        let (versions, size) = match &config.artifact {
            Some(path) => {
                let policy = self.policy.source.policy();
                let policy = policy.map_err(|error| failed(LoadError::Policy(error)))?;
                let manifest = ArtifactFile::manifest(path, config, &policy)?;
                let size = Size::of(&manifest);
                let expected = expected(&manifest.name, config);
                let source = ArtifactFile::new(path, &manifest);
                (Versions::from_source(source, expected), size)
            }
            None => self.in_store(config)?,
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
    fn in_store(&self, config: &ApplicationConfig) -> Result<(Versions, Size), HostError> {
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
        let current = store.manifests()?.manifests;
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
        for application in applications {
            let outcome = match application.deployed() {
                None => self
                    .deploy(application)
                    .map_err(|error| error_chain(&error)),
                Some(deployed) => refresh(application, &deployed.deployment),
            };
            match outcome {
                Ok(()) => self.well(application),
                Err(what) => self.note(application, what),
            }
        }
    }

    /// Logs a trouble, if it is new.
    fn note(&self, application: &Application, what: String) {
        let name = name(application);
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.get(&name) != Some(&what) {
            let telemetry = application.telemetry();
            telemetry.log(LogLevel::Error, Some(application.label()), &what);
            troubles.insert(name, what);
        }
    }

    fn well(&self, application: &Application) {
        let name = name(application);
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.remove(&name).is_some() {
            let telemetry = application.telemetry();
            telemetry.log(
                LogLevel::Info,
                Some(application.label()),
                "all is well again",
            );
        }
    }
}

/// What tells an application from all others.
fn name(application: &Application) -> String {
    let config = application.config();
    let channel = config.channel.as_deref().unwrap_or_default();
    format!("{}@{channel}", config.name)
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
