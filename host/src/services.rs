//! What an application uses beside its instance: its connections, its buckets, its values. This
//! makes them from the configuration.

mod observer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use edgec_loader::verifier::read_guarded;

pub(crate) use self::observer::Observer;
use self::observer::{Lines, kind};
use crate::HostError;
use crate::config::{
    ApplicationConfig, KeyValueConfig, Limits, LogLevel, OutboundConfig, SocketKind, count,
};
use crate::interfaces::Shared;
use crate::keyvalue::{KeyValue, KeyValueError, KeyValueLimits, Place, RedisServer};
use crate::outbound::{
    Denial, Outbound, ProcessConnections, Roots, Rules, Settings, SocketKinds, Sockets,
};

/// The connections that all applications of a host share.
#[derive(Debug)]
pub(crate) struct Process {
    connections: Arc<ProcessConnections>,
    /// Hears of what belongs to no application alone.
    observer: Arc<dyn Observer>,
    /// By address and number of connections.
    redis: Mutex<BTreeMap<(String, u32), Arc<RedisServer>>>,
}

impl Process {
    pub(crate) fn new(limits: &Limits, observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            connections: ProcessConnections::new(
                count(limits.outbound_connections),
                count(limits.sockets),
                count(limits.dns_lookups),
            ),
            redis: Mutex::default(),
        }
    }

    /// The server of an address. Applications with the same one share its connections.
    fn redis(&self, url: &str, config: &KeyValueConfig) -> Result<Arc<RedisServer>, HostError> {
        let mut servers = self.redis.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (url.to_owned(), config.max_connections);
        if let Some(server) = servers.get(&key) {
            return Ok(Arc::clone(server));
        }
        let lines = Lines::new(&self.observer);
        let server = RedisServer::new(url, count(config.max_connections), move |reason| {
            lines.write(LogLevel::Error, "Redis", &format_args!("Redis at {reason}"));
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
            Some(own) => Some(keyvalue(&config.name, own, process)?),
            None => None,
        };
        let (guest, failures) = (Arc::clone(observer), Lines::new(observer));
        let failed = Arc::clone(observer);
        let shared = Shared {
            config: config.config.clone(),
            keyvalue,
            log: Box::new(move |line| observer::said(&*guest, line)),
            keyvalue_failed: Box::new(move |error: &KeyValueError| {
                // Of everything else, the server's connections have told why.
                if let Some(limit) = error.limit() {
                    failed.limit(limit);
                    let kind = limit.name();
                    failures.write(LogLevel::Warn, kind, &format_args!("{limit}: {error}"));
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
        if let Some(limit) = denial.limit() {
            counted.limit(limit);
        }
        let (kind, rule) = (kind(denial), denial.rule());
        lines.write(LogLevel::Warn, &kind, &format_args!("{rule}: {denial}"));
    };
    let outbound = Outbound::new(rules, settings, &roots, &process.connections, told);
    outbound.map_err(|error| service("TLS", error))
}

fn keyvalue(
    application: &str,
    config: &KeyValueConfig,
    process: &Process,
) -> Result<Arc<KeyValue>, HostError> {
    let place = match &config.redis {
        None => Place::Memory,
        Some(url) => Place::Redis(process.redis(url.reveal(), config)?),
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
    use super::observer::tests::Heard;
    use super::*;

    fn process(heard: &Arc<Heard>) -> Process {
        let observer = Arc::clone(heard) as Arc<dyn Observer>;
        Process::new(&Limits::default(), observer)
    }

    #[test]
    fn applications_share_the_connections_to_a_redis_server() {
        let process = process(&Arc::default());
        let config = KeyValueConfig::default();
        let server = |url: &str| process.redis(url, &config).unwrap();
        let first = server("redis://127.0.0.1:1");
        assert!(Arc::ptr_eq(&first, &server("redis://127.0.0.1:1")));
        assert!(!Arc::ptr_eq(&first, &server("redis://127.0.0.1:2")));
        let error = process.redis("rediss://127.0.0.1", &config).unwrap_err();
        assert_eq!(error.code(), "service");
    }

    /// Nobody listens on the port of a listener that is gone.
    #[tokio::test]
    async fn trouble_with_a_shared_server_is_told_as_that_of_no_application() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let (host, own) = (Arc::<Heard>::default(), Arc::<Heard>::default());
        let process = process(&host);
        let config: KeyValueConfig =
            toml::from_str(&format!("redis = \"redis://:secret@{address}\"")).unwrap();
        let observer: Arc<dyn Observer> = Arc::clone(&own) as Arc<dyn Observer>;
        for name in ["acme/shop", "acme/blog"] {
            let mut application = ApplicationConfig::new(name);
            application.keyvalue = Some(config.clone());
            let (limits, process) = (Limits::default(), &process);
            let services = Services::new(&application, &limits, process, &observer, None).unwrap();
            let store = services.shared().keyvalue.clone().unwrap();
            let error = store.open("").unwrap().get("a").await.unwrap_err();
            assert_eq!(error, KeyValueError::Unavailable);
        }
        let told = host.0.lock().unwrap();
        let begin = format!("Redis at {address}: ");
        assert!(
            !told.is_empty() && told.iter().all(|line| line.starts_with(&begin)),
            "{told:?}"
        );
        assert!(!told.concat().contains("secret"), "{told:?}");
        assert_eq!(*own.0.lock().unwrap(), [""; 0]);
    }

    #[test]
    fn buckets_stay_if_their_configuration_does() {
        let process = process(&Arc::default());
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
        let process = process(&Arc::default());
        let observer: Arc<dyn Observer> = Arc::new(Heard::default());
        let mut config = ApplicationConfig::new("acme/app");
        config.outbound.ca_file = Some("/nonexistent/ca.pem".into());
        let error = Services::new(&config, &Limits::default(), &process, &observer, None);
        let error = error.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    }
}
