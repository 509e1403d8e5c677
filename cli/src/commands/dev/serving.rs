//! The server of the development loop: the library of `edgec serve`, in a thread of this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use edgec_host::config::{ApplicationConfig, LogLevel, Period, StoreConfig};
use edgec_host::{Host, HostError, Policy, ServeConfig, run_until_signal};
use edgec_verifier::TrustPolicy;

use crate::failure::{Exit, Failure};
use crate::failures::serve::{config_failure, host_failure};
use crate::files;

/// How long a server may take to listen. Usually it takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long running requests may take at the end. A person waits for it.
const DRAIN: Period = Period::secs(1);

/// A server of one application. A signal ends it.
pub(super) struct Serving {
    host: Arc<Host>,
    thread: JoinHandle<Result<(), HostError>>,
    /// Where it listens, with its scheme.
    address: String,
}

impl Serving {
    /// Serves the application of this name.
    pub(super) fn start(
        config: ServeConfig,
        name: &str,
        policy: TrustPolicy,
    ) -> Result<Self, Failure> {
        let host = Host::open(config, Some(Policy::fixed(policy)));
        let host = host.map_err(|error| host_failure(&error))?;
        if host.applications().iter().all(|it| it.version().is_none()) {
            return Err(not_taken(name));
        }
        let (say, said) = channel();
        let served = Arc::clone(&host);
        let work = move || {
            run_until_signal(served, |address| {
                let _ = say.send(address.to_owned());
            })
        };
        let thread = std::thread::Builder::new().name("server".to_owned());
        let thread = thread.spawn(work);
        let thread = thread.map_err(|error| Failure::environment("io", &error))?;
        match said.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Self {
                host,
                thread,
                address,
            }),
            // It has ended, and says why.
            Err(RecvTimeoutError::Disconnected) => Err(ended(thread).err().unwrap_or_else(silent)),
            Err(RecvTimeoutError::Timeout) => Err(silent()),
        }
    }

    /// Where it listens, with its scheme.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Serves this version, which the store has now. Requests that run keep the old one.
    pub(super) fn take(&self, name: &str, version: u64) -> Result<(), Failure> {
        self.host.refresh();
        let mut current = self
            .host
            .applications()
            .into_iter()
            .filter_map(|it| it.version());
        match current.any(|current| current.manifest().version == version) {
            true => Ok(()),
            false => Err(not_taken(name)),
        }
    }

    /// Whether the server still runs. A signal ends it.
    pub(super) fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits for its end. Fails if anything other than a signal ended it.
    pub(super) fn end(self) -> Result<(), Failure> {
        ended(self.thread)
    }
}

fn ended(thread: JoinHandle<Result<(), HostError>>) -> Result<(), Failure> {
    match thread.join() {
        Ok(ended) => ended.map_err(|error| host_failure(&error)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn silent() -> Failure {
    Failure::new(Exit::Environment, "listen", "the server does not listen")
}

fn not_taken(name: &str) -> Failure {
    let message = format!("`{name}` was built, but cannot be served");
    Failure::new(Exit::Rejected, "not-served", message).hint("the lines above say why")
}

/// The configuration of a server of this application at this address. What the application may use
/// comes from its entry in a file, or else it may use nothing. It answers for every host and path.
pub(super) fn configuration(
    file: Option<&Path>,
    name: &str,
    address: SocketAddr,
    store: &Path,
) -> Result<ServeConfig, Failure> {
    let mut application = ApplicationConfig::new(name);
    let mut config = ServeConfig::default();
    // What changes is told anyway.
    config.log.level = LogLevel::Warn;
    if let Some(file) = file {
        let text = files::read_text(file)?;
        let found = ServeConfig::from_toml(&text);
        let mut found = found.map_err(|error| config_failure(&error, file))?;
        found.in_folder(file.parent().unwrap_or(Path::new("")));
        let mut named = found.applications.into_iter().filter(|it| it.name == name);
        let Some(own) = named.next() else {
            let message = format!("it has no application with the name `{name}`");
            return Err(Failure::new(Exit::Rejected, "serve-config", message)
                .in_file(file)
                .hint("--name chooses another one"));
        };
        application.environment = own.environment;
        application.config = own.config;
        application.keyvalue = own.keyvalue;
        application.outbound = own.outbound;
        application.limits = own.limits;
        application.stub_imports = own.stub_imports;
        application.reuse = own.reuse;
        config.limits = found.limits;
        config.pools = found.pools;
        config.log = found.log;
    }
    config.applications = vec![application];
    config.store = Some(StoreConfig::new(store));
    config.listen.http = vec![address];
    config.limits.drain_time = DRAIN;
    Ok(config)
}
