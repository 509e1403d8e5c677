//! A host: its applications, and the work of its whole life.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use edgec_loader::machine_memory;

use crate::application::Application;
use crate::config::{ApplicationConfig, ConfigFile, Limits, ServeConfig};
use crate::deploy::{Deployer, Policy, Source};
use crate::door::Door;
use crate::finished::Finished;
use crate::listener::Certificates;
use crate::peers::{Peers, Requesters};
use crate::pools::{Pools, largest_memory};
use crate::queue::Room;
use crate::routing::Router;
use crate::telemetry::Telemetry;
use crate::wake::Wake;
use crate::{HostError, open_files};

/// The memory that is assumed if the system does not say how much it has, in bytes (4 GiB).
const ASSUMED: u64 = 4 << 30;

/// A host that serves applications.
pub struct Host {
    /// The configuration at the start, as it was written.
    written: ServeConfig,
    /// The same, with the limits that fit this machine.
    config: ServeConfig,
    served: RwLock<Arc<Served>>,
    telemetry: Arc<Telemetry>,
    door: Arc<Door>,
    connections: Room,
    peers: Arc<Peers>,
    requesters: Requesters,
    deployer: Deployer,
    draining: AtomicBool,
    follows: OnceLock<Follows>,
    /// A refresh holds this lock.
    refreshing: Mutex<()>,
    wake: Arc<Wake>,
}

/// What is served: all of it changes at one moment.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) router: Router<Arc<Application>>,
    pub(crate) applications: Vec<Arc<Application>>,
}

impl Served {
    pub(crate) fn new(applications: Vec<Arc<Application>>) -> Self {
        let mut router = Router::default();
        for application in &applications {
            let own = application.config();
            router.add(&own.host, &own.path, application);
        }
        Self {
            router,
            applications,
        }
    }
}

/// The file whose changes take effect.
#[derive(Debug)]
pub(crate) struct Follows {
    pub(crate) file: ConfigFile,
    /// Why it could not be read the last time.
    trouble: Mutex<Option<String>>,
}

impl Follows {
    /// Remembers why the file cannot be read now. Returns whether that is new.
    pub(crate) fn unread(&self, why: Option<&str>) -> bool {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let new = trouble.as_deref() != why;
        *trouble = why.map(str::to_owned);
        new
    }
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
    pub fn open(config: ServeConfig, policy: Option<Policy>) -> Result<Arc<Self>, HostError> {
        // Before the work of loading. It is read again when the host listens.
        if let Some(tls) = &config.listen.tls {
            Certificates::read(tls)?;
        }
        let telemetry = Telemetry::new(&config.log)?;
        let (written, mut config) = (config.clone(), config);
        open_files::divide(&mut config, &telemetry)?;
        let applications = config.applications.len();
        machine_limits(&mut config.limits, applications);
        let policy = match (policy, &config.policy) {
            (Some(policy), _) => policy,
            (None, Some(file)) => Policy::of(file)?,
            (None, None) => return Err(HostError::NoPolicy),
        };
        let source = Source::open(&config)?;
        let needs = source.needs(&config, &policy, &telemetry)?;
        let pools = Pools::new(&config, &needs)?;
        let host = Self {
            written,
            served: RwLock::new(Arc::new(Served::new(Vec::new()))),
            door: Arc::new(Door::new(&config.limits, &telemetry)?),
            telemetry,
            connections: Room::new(config.limits.connections),
            peers: Peers::new(config.limits.address_connections),
            requesters: Requesters::new(config.limits.address_requests),
            deployer: Deployer::new(&config, source, policy, pools),
            config,
            draining: AtomicBool::new(false),
            follows: OnceLock::new(),
            refreshing: Mutex::default(),
            wake: Arc::default(),
        };
        let applications = host.config.applications.iter();
        let applications = applications.map(|own| host.application(own, &host.config.limits, None));
        let applications: Vec<_> = applications.collect::<Result<_, HostError>>()?;
        host.deployer.deploy_all(&applications)?;
        host.serve_from_now(Served::new(applications));
        Ok(Arc::new(host))
    }

    /// Follows the file of its configuration: each refresh reads it again, and what has changed in
    /// its applications takes effect (`docs/serve.md`). Only the first call has an effect.
    pub fn follow(&self, file: ConfigFile) {
        let trouble = Mutex::default();
        let _ = self.follows.set(Follows { file, trouble });
    }

    /// The configuration at the start, with the limits that fit this machine.
    pub fn config(&self) -> &ServeConfig {
        &self.config
    }

    /// All applications of the configuration now, whether they are served or not.
    pub fn applications(&self) -> Vec<Arc<Application>> {
        self.served().applications.clone()
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

    /// What is served now.
    pub(crate) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves this from now on.
    pub(crate) fn serve_from_now(&self, served: Served) {
        let mut now = self.served.write().unwrap_or_else(PoisonError::into_inner);
        *now = Arc::new(served);
    }

    /// An application of this host, which is not loaded yet.
    pub(crate) fn application(
        &self,
        config: &ApplicationConfig,
        limits: &Limits,
        before: Option<&Application>,
    ) -> Result<Arc<Application>, HostError> {
        let (door, telemetry) = (&self.door, &self.telemetry);
        let application = Application::new(config.clone(), limits, door, telemetry, before)?;
        Ok(Arc::new(application))
    }

    pub(crate) fn as_written(&self) -> &ServeConfig {
        &self.written
    }

    /// The largest memory for which the pools have room.
    pub(crate) fn largest_memory(&self) -> u64 {
        largest_memory(&self.config)
    }

    pub(crate) fn follows(&self) -> Option<&Follows> {
        self.follows.get()
    }

    pub(crate) fn deployer(&self) -> &Deployer {
        &self.deployer
    }

    /// Wakes the thread that refreshes.
    pub(crate) fn wake(&self) -> &Arc<Wake> {
        &self.wake
    }

    /// The connections of each address.
    pub(crate) fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// The requests of each address.
    pub(crate) fn requesters(&self) -> &Requesters {
        &self.requesters
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

    /// Reads the configuration (if the host [follows](Self::follow) a file), the policy and the
    /// store again, once for all applications. The work blocks.
    pub fn refresh(&self) {
        let refreshing = self.refreshing.lock();
        let _refreshing = refreshing.unwrap_or_else(PoisonError::into_inner);
        self.reload();
        self.deployer.refresh_all(&self.served().applications);
    }
}

/// Names the limits of memory that a configuration leaves open.
pub(crate) fn machine_limits(limits: &mut Limits, applications: usize) {
    let memory = machine_memory::total().unwrap_or(ASSUMED);
    limits.for_machine(memory, applications);
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("applications", &self.applications())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TlsConfig;

    #[test]
    fn a_certificate_is_checked_before_anything_is_loaded() {
        let mut config = ServeConfig::default();
        let code = |config: &ServeConfig| Host::open(config.clone(), None).unwrap_err().code();
        assert_eq!(code(&config), "no-trust");
        config.listen.tls = Some(TlsConfig::new("/nonexistent/cert", "/nonexistent/key"));
        assert_eq!(code(&config), "io");
    }
}
