//! What an application uses beside its instance: its connections, its buckets, its values. This
//! makes them from the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use edgec_loader::verifier::read_guarded;

use crate::HostError;
use crate::config::{
    ApplicationConfig, KeyValueConfig, Limits, LogLevel, OutboundConfig, SocketKind,
};
use crate::interfaces::{GuestLevel, GuestLog, Shared};
use crate::keyvalue::{KeyValue, KeyValueError, KeyValueLimits, Place, RedisServer};
use crate::outbound::{
    Denial, Outbound, ProcessConnections, Roots, Rules, Settings, SocketKinds, Sockets,
};

/// Lines about refusals and failures of one application in a second. Counters count all of them.
const LINES: u32 = 20;

/// Hears of an application's use of its services. It must not block.
pub(crate) trait Observer: Send + Sync {
    /// A limit was hit: its [name](crate::Limit::name).
    fn limit(&self, name: &str);
    /// Something that the log should have.
    fn line(&self, level: LogLevel, what: &dyn Display);
}

/// What all applications of a host share.
#[derive(Debug)]
pub(crate) struct Process {
    connections: Arc<ProcessConnections>,
    /// By address and number of connections.
    redis: Mutex<BTreeMap<(String, u32), Arc<RedisServer>>>,
}

impl Process {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            connections: ProcessConnections::new(
                count(limits.outbound_connections),
                count(limits.sockets),
                count(limits.dns_lookups),
            ),
            redis: Mutex::default(),
        }
    }

    /// The server of an address. Applications with the same one share its connections.
    fn redis(
        &self,
        url: &str,
        config: &KeyValueConfig,
        observer: &Arc<dyn Observer>,
    ) -> Result<Arc<RedisServer>, HostError> {
        let mut servers = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (url.to_owned(), config.max_connections);
        if let Some(server) = servers.get(&key) {
            return Ok(Arc::clone(server));
        }
        let lines = Lines::new(observer);
        let server = RedisServer::new(url, count(config.max_connections), move |reason| {
            lines.write(LogLevel::Error, &format_args!("Redis: {reason}"));
        });
        let server = Arc::new(server.map_err(|error| service("the Redis server", error))?);
        servers.insert(key, Arc::clone(&server));
        Ok(server)
    }
}

/// What the instances of one application share.
#[derive(Debug)]
pub(crate) struct Services {
    outbound: Arc<Outbound>,
    shared: Arc<Shared>,
    /// The configuration of its buckets.
    keyvalue: Option<KeyValueConfig>,
}

impl Services {
    /// The services of an application, with its limits. `before` are its services by an earlier
    /// configuration: if the buckets are the same, it keeps what is in them.
    ///
    /// # Errors
    ///
    /// [`HostError::Service`] if certificates or a Redis server's address cannot be used.
    pub(crate) fn new(
        config: &ApplicationConfig,
        limits: &Limits,
        process: &Process,
        observer: &Arc<dyn Observer>,
        before: Option<&Self>,
    ) -> Result<Self, HostError> {
        let before = before.filter(|before| before.keyvalue == config.keyvalue);
        let keyvalue = match &config.keyvalue {
            _ if let Some(before) = before => before.shared.keyvalue.clone(),
            Some(own) => Some(keyvalue(&config.name, own, process, observer)?),
            None => None,
        };
        let (guest, failures) = (Arc::clone(observer), Lines::new(observer));
        let failed = Arc::clone(observer);
        let shared = Shared {
            config: config.config.clone(),
            keyvalue,
            log: Box::new(move |line| log(&*guest, line)),
            keyvalue_failed: Box::new(move |error: &KeyValueError| {
                // Of everything else, the server's connections have told why.
                if let Some(rule) = error.rule() {
                    failed.limit(rule);
                    failures.write(LogLevel::Warn, &format_args!("{rule}: {error}"));
                }
            }),
        };
        Ok(Self {
            outbound: outbound(&config.outbound, limits, process, observer)?,
            shared: Arc::new(shared),
            keyvalue: config.keyvalue.clone(),
        })
    }

    /// What the application may connect to.
    pub(crate) fn outbound(&self) -> &Arc<Outbound> {
        &self.outbound
    }

    /// What its interfaces share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The sockets of a new instance.
    pub(crate) fn sockets(&self) -> Sockets {
        Sockets::new(Arc::clone(&self.outbound))
    }
}

fn outbound(
    config: &OutboundConfig,
    limits: &Limits,
    process: &Process,
    observer: &Arc<dyn Observer>,
) -> Result<Arc<Outbound>, HostError> {
    let roots = match &config.ca_file {
        None => Roots::public(),
        Some(path) => {
            let what = || format!("the certificates in {}", path.display());
            let pem = read_guarded(path).map_err(|error| service(what(), error))?;
            Roots::with_pem(&pem).map_err(|error| service(what(), error))?
        }
    };
    let rules = Rules::new(config.allow.clone(), config.allow_private.clone());
    let hosts = config.hosts.iter();
    let hosts = hosts.map(|(name, addresses)| (name.as_str().to_owned(), addresses.clone()));
    let kinds: &[SocketKind] = &config.sockets;
    let settings = Settings {
        connections: count(config.max_connections),
        open_sockets: count(limits.application_sockets),
        lookups: count(config.max_lookups),
        dns_timeout: config.dns_timeout.get(),
        connect_timeout: config.connect_timeout.get(),
        first_byte_timeout: config.response_timeout.get(),
        between_bytes_timeout: config.response_timeout.get(),
        idle_time: config.idle_time.get(),
        response_body: config.response_body.get(),
        sockets: SocketKinds {
            tcp: kinds.contains(&SocketKind::Tcp),
            udp: kinds.contains(&SocketKind::Udp),
        },
        hosts: hosts.collect(),
        ..Settings::default()
    };
    let (lines, counted) = (Lines::new(observer), Arc::clone(observer));
    let told = move |denial: &Denial| {
        if denial.is_limit() {
            counted.limit(denial.rule());
        }
        lines.write(LogLevel::Warn, &format_args!("{}: {denial}", denial.rule()));
    };
    let outbound = Outbound::new(rules, settings, &roots, &process.connections, told);
    outbound.map_err(|error| service("TLS", error))
}

fn keyvalue(
    application: &str,
    config: &KeyValueConfig,
    process: &Process,
    observer: &Arc<dyn Observer>,
) -> Result<Arc<KeyValue>, HostError> {
    let place = match &config.redis {
        None => Place::Memory,
        Some(url) => Place::Redis(process.redis(url.reveal(), config, observer)?),
    };
    let limits = KeyValueLimits {
        key: config.key.as_usize(),
        value: config.value.as_usize(),
        keys: count(config.max_keys),
        bytes: config.memory.as_usize(),
        operations: count(config.max_operations),
        timeout: config.timeout.get(),
        ..KeyValueLimits::default()
    };
    let buckets: BTreeSet<String> = config.buckets.iter().cloned().collect();
    Ok(KeyValue::new(application, place, buckets, limits))
}

/// Writes a line of a guest. Its context is in brackets, so that it does not pass for the host's.
fn log(observer: &dyn Observer, line: &GuestLog<'_>) {
    let level = match line.level {
        GuestLevel::Trace | GuestLevel::Debug => LogLevel::Debug,
        GuestLevel::Info => LogLevel::Info,
        GuestLevel::Warn => LogLevel::Warn,
        GuestLevel::Error | GuestLevel::Critical => LogLevel::Error,
    };
    let cut = if line.cut { " …" } else { "" };
    let last = if line.last {
        " (further lines of this instance are left out)"
    } else {
        ""
    };
    let (context, message) = (line.context, line.message);
    observer.line(level, &format_args!("[{context}] {message}{cut}{last}"));
}

/// Lines that a guest can cause as often as it wants.
struct Lines {
    observer: Arc<dyn Observer>,
    begin: Mutex<Instant>,
    written: AtomicU32,
}

impl Lines {
    fn new(observer: &Arc<dyn Observer>) -> Self {
        Self {
            observer: Arc::clone(observer),
            begin: Mutex::new(Instant::now()),
            written: AtomicU32::new(0),
        }
    }

    fn write(&self, level: LogLevel, what: &dyn Display) {
        let mut begin = self.begin.lock().unwrap_or_else(PoisonError::into_inner);
        if begin.elapsed() >= Duration::from_secs(1) {
            *begin = Instant::now();
            self.written.store(0, Ordering::Relaxed);
        }
        drop(begin);
        if self.written.fetch_add(1, Ordering::Relaxed) < LINES {
            self.observer.line(level, what);
        }
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn service(
    what: impl Into<String>,
    source: impl std::error::Error + Send + Sync + 'static,
) -> HostError {
    HostError::Service {
        what: what.into(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limit;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn limit(&self, name: &str) {
            self.0.lock().unwrap().push(format!("limit {name}"));
        }

        fn line(&self, _: LogLevel, what: &dyn Display) {
            self.0.lock().unwrap().push(what.to_string());
        }
    }

    /// Counters are made from the names of [`Limit`].
    #[test]
    fn every_rule_that_is_a_limit_is_known() {
        let names: BTreeSet<&str> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        let host = || crate::destination::Host::parse("a.example").unwrap();
        let (port, limit) = (1, 1);
        let address = "10.0.0.1".parse().unwrap();
        let class = crate::destination::AddressClass::Private;
        for denial in [
            Denial::NotAllowed { host: host(), port },
            Denial::NameNotAllowed(host()),
            Denial::Address {
                host: host(),
                address,
                class,
            },
            Denial::Socket("it"),
            Denial::LookupsInFlight,
            Denial::LookupTimeout(host()),
            Denial::ApplicationConnections,
            Denial::HostConnections,
            Denial::ApplicationSockets,
            Denial::HostSockets,
            Denial::ConnectTimeout(host()),
            Denial::FirstByteTimeout(host()),
            Denial::BetweenBytesTimeout(host()),
            Denial::ResponseSize { limit },
            Denial::ResponseHeaders,
        ] {
            assert!(denial.is_limit(), "{denial}");
            assert!(names.contains(denial.rule()), "{}", denial.rule());
        }
        let limit = 1;
        for error in [
            KeyValueError::Key { limit },
            KeyValueError::Value { limit },
            KeyValueError::Batch { limit },
            KeyValueError::Keys { limit },
            KeyValueError::Bytes { limit },
            KeyValueError::Busy,
            KeyValueError::Timeout,
        ] {
            let rule = error.rule().unwrap();
            assert!(names.contains(rule), "{rule}");
        }
    }

    #[test]
    fn a_guest_cannot_flood_the_log_with_refusals() {
        let heard = Arc::new(Heard::default());
        let observer: Arc<dyn Observer> = Arc::clone(&heard) as Arc<dyn Observer>;
        let lines = Lines::new(&observer);
        for _ in 0..100 {
            lines.write(LogLevel::Warn, &"refused");
        }
        let written = heard.0.lock().unwrap().len();
        // A second may begin in between.
        assert!((20..=40).contains(&written), "{written}");
    }

    #[test]
    fn applications_share_the_connections_to_a_redis_server() {
        let process = Process::new(&Limits::default());
        let observer: Arc<dyn Observer> = Arc::new(Heard::default());
        let config = KeyValueConfig::default();
        let server = |url: &str| process.redis(url, &config, &observer).unwrap();
        let first = server("redis://127.0.0.1:1");
        assert!(Arc::ptr_eq(&first, &server("redis://127.0.0.1:1")));
        assert!(!Arc::ptr_eq(&first, &server("redis://127.0.0.1:2")));
        let error = process
            .redis("rediss://127.0.0.1", &config, &observer)
            .unwrap_err();
        assert_eq!(error.code(), "service");
    }

    #[test]
    fn buckets_stay_if_their_configuration_does() {
        let process = Process::new(&Limits::default());
        let observer: Arc<dyn Observer> = Arc::new(Heard::default());
        let services = |config: &ApplicationConfig, before: Option<&Services>| {
            Services::new(config, &Limits::default(), &process, &observer, before).unwrap()
        };
        let mut config = ApplicationConfig::new("acme/app");
        config.keyvalue = Some(KeyValueConfig::default());
        let first = services(&config, None);
        config.stub_imports = true;
        let second = services(&config, Some(&first));
        let buckets = |it: &Services| it.shared().keyvalue.clone().unwrap();
        assert!(Arc::ptr_eq(&buckets(&first), &buckets(&second)));
        config.keyvalue = Some(KeyValueConfig {
            max_keys: 1,
            ..KeyValueConfig::default()
        });
        let third = services(&config, Some(&second));
        assert!(!Arc::ptr_eq(&buckets(&second), &buckets(&third)));
        config.keyvalue = None;
        assert!(services(&config, Some(&third)).shared().keyvalue.is_none());
    }

    #[test]
    fn certificates_that_are_not_there_are_an_error() {
        let process = Process::new(&Limits::default());
        let observer: Arc<dyn Observer> = Arc::new(Heard::default());
        let mut config = ApplicationConfig::new("acme/app");
        config.outbound.ca_file = Some("/nonexistent/ca.pem".into());
        let error = Services::new(&config, &Limits::default(), &process, &observer, None);
        let error = error.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    }
}
