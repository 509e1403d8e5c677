//! A host: its applications, and the work of its whole life.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use edgec_loader::{HostEngine, Ticker, machine_memory};

use crate::application::{Application, Door};
use crate::config::ServeConfig;
use crate::deploy::{Deployer, Policy, Source};
use crate::pools::Pools;
use crate::queue::Room;
use crate::resident::Finished;
use crate::routing::Router;
use crate::run::TICK;
use crate::telemetry::Telemetry;
use crate::{HostError, open_files};

/// The memory that is assumed if the system does not say how much it has, in bytes (4 GiB).
const ASSUMED: u64 = 4 << 30;

/// A host that serves applications.
pub struct Host {
    config: ServeConfig,
    router: Router<Arc<Application>>,
    applications: Vec<Arc<Application>>,
    telemetry: Arc<Telemetry>,
    door: Arc<Door>,
    connections: Room,
    deployer: Deployer,
    draining: AtomicBool,
    _tickers: Vec<Ticker>,
}

impl Host {
    /// Opens the store, makes the engines, and loads the current version of each application, in
    /// parallel. An application that cannot be loaded is not served yet, and the log says why. The
    /// work blocks. The process may have as many open files as the system allows it from then on.
    ///
    /// `policy` decides what is loaded. `None`: the policy of the configuration.
    ///
    /// # Errors
    ///
    /// [`HostError`], also if a single file cannot be loaded: there is nothing to wait for.
    pub fn open(mut config: ServeConfig, policy: Option<Policy>) -> Result<Arc<Self>, HostError> {
        let telemetry = Telemetry::new(&config.log)?;
        open_files::divide(&mut config, &telemetry)?;
        let memory = machine_memory::total().unwrap_or(ASSUMED);
        let applications = config.applications.len();
        config.limits.for_machine(memory, applications);
        let policy = match (policy, &config.policy) {
            (Some(policy), _) => policy,
            (None, Some(file)) => Policy::of(file)?,
            (None, None) => return Err(HostError::NoPolicy),
        };
        let source = Source::open(&config)?;
        let needs = source.needs(&config, &policy, &telemetry)?;
        let pools = Pools::new(&config, &needs, &telemetry)?;
        let door = Arc::new(Door::new(&config.limits));
        let mut router = Router::default();
        let mut applications = Vec::new();
        for own in &config.applications {
            let application = Application::new(own.clone(), &config.limits, &door, &telemetry)?;
            let application = Arc::new(application);
            application.known();
            router.add(&own.host, &own.path, &application);
            applications.push(application);
        }
        let tickers = pools.engines().map(|engine: &HostEngine| engine.tick(TICK));
        let tickers = tickers.collect();
        let deployer = Deployer::new(&config, source, policy, pools, needs);
        deployer.deploy_all(&applications)?;
        Ok(Arc::new(Self {
            connections: Room::new(config.limits.connections),
            config,
            router,
            applications,
            telemetry,
            door,
            deployer,
            draining: AtomicBool::new(false),
            _tickers: tickers,
        }))
    }

    /// The configuration.
    pub fn config(&self) -> &ServeConfig {
        &self.config
    }

    /// All applications, whether they are served now or not.
    pub fn applications(&self) -> &[Arc<Application>] {
        &self.applications
    }

    /// What the host tells about its work.
    pub fn telemetry(&self) -> &Arc<Telemetry> {
        &self.telemetry
    }

    /// Requests that wait now.
    pub fn queue_depth(&self) -> usize {
        self.door.waiting.depth()
    }

    /// Whether the host takes new requests. It does until it is told to end.
    pub fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn router(&self) -> &Router<Arc<Application>> {
        &self.router
    }

    pub(crate) fn connections(&self) -> &Room {
        &self.connections
    }

    pub(crate) fn finished(&self) -> &Finished {
        &self.door.finished
    }

    pub(crate) fn pools(&self) -> &Pools {
        self.deployer.pools()
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Reads the policy and the store again, once for all applications. The work blocks.
    pub fn refresh(&self) {
        self.deployer.refresh_all(&self.applications);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("applications", &self.applications)
            .finish_non_exhaustive()
    }
}
