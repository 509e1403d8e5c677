//! `[sync]` of `edgec serve`: the same work in a thread of the host. Whatever goes wrong there, the
//! host goes on serving, and the thread begins again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use edgec_host::config::{LogLevel, PolicyConfig, SyncConfig};
use edgec_host::{ServeConfig, Telemetry};
use edgec_loader::store::{ArtifactStore, PolicySource};
use edgec_sync::config::Url;
use edgec_sync::{FleetConfig, Level, Report, Stop};
use edgec_verifier::read_guarded;

use super::{Own, parts};
use crate::failure::Failure;
use crate::failures::loader::store_failure;
use crate::trust::{TrustArguments, followed};

/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// The time before the next attempt, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The work of `[sync]`, which begins when the host listens.
pub(crate) struct Inside {
    config: SyncConfig,
    store: PathBuf,
    policy: Option<PolicyConfig>,
    fixed: Option<PolicySource>,
}

impl Inside {
    /// What the configuration of a host asks for, checked once: a host with a
    /// malformed `FLEET.toml` does not start.
    pub(crate) fn of(
        config: &ServeConfig,
        trust: &TrustArguments,
    ) -> Result<Option<Self>, Failure> {
        let (Some(sync), Some(store)) = (&config.sync, &config.store) else {
            return Ok(None);
        };
        let inside = Self {
            config: sync.clone(),
            store: store.path.clone(),
            policy: config.policy.clone(),
            fixed: match trust.file() {
                Some(_) => None,
                None => trust.followed()?,
            },
        };
        let fleet = parts::read_config(&sync.fleet)?;
        parts::name(sync.name.as_deref(), &fleet)?;
        Ok(Some(inside))
    }

    /// Begins the work. `listening` is the first address at which the host listens: that of its
    /// admin interface, if it has one.
    pub(crate) fn start(self, listening: &str, telemetry: Arc<Telemetry>) {
        let admin = admin(listening);
        let report: Arc<dyn Report> = Arc::new(InLog(telemetry));
        let told = Arc::clone(&report);
        let work = move || self.forever(admin.as_ref(), &report);
        let started = thread::Builder::new().name("sync".to_owned()).spawn(work);
        if let Err(error) = started {
            let text = format!("the store is not kept current: no thread can be started: {error}");
            told.line(Level::Error, None, &text);
        }
    }

    fn forever(&self, admin: Option<&Url>, report: &Arc<dyn Report>) {
        let mut pause = PAUSES.0;
        loop {
            let begin = Instant::now();
            let worked = catch_unwind(AssertUnwindSafe(|| self.work(admin, report)));
            let what = match worked {
                // The file has changed.
                Ok(Ok(())) => {
                    report.line(Level::Info, None, "FLEET.toml was read again");
                    pause = PAUSES.0;
                    continue;
                }
                Ok(Err(failure)) => parts::text(&failure),
                Err(_) => "a fault of edgec; please report it".to_owned(),
            };
            if begin.elapsed() > PAUSES.1 {
                pause = PAUSES.0;
            }
            let text = format!("the store is not kept current: {what}; again in {pause:?}");
            report.line(Level::Error, None, &text);
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    /// Works until the file changes.
    fn work(&self, admin: Option<&Url>, report: &Arc<dyn Report>) -> Result<(), Failure> {
        let read = || read_guarded(&self.config.fleet).ok();
        let before = read();
        let config = parts::read_config(&self.config.fleet)?;
        let sync = self.own(&config, admin)?.open(&config, report)?;
        let stop = Arc::new(Stop::default());
        let told = Arc::clone(&stop);
        let thread = super::started(move || sync.run(&told))?;
        while !thread.is_finished() {
            thread::sleep(PERIOD);
            if read().is_some_and(|now| before.as_ref() != Some(&now)) {
                // A file that cannot be used does not take the place of one that can.
                let config = parts::read_config(&self.config.fleet);
                let usable = config.and_then(|it| self.own(&it, admin)?.parts(&it, report));
                match usable {
                    Ok(_) => {
                        stop.tell();
                        break;
                    }
                    Err(failure) => {
                        let text = format!("FLEET.toml is not used: {}", parts::text(&failure));
                        report.line(Level::Error, None, &text);
                        wait_for_change(&read);
                    }
                }
            }
        }
        super::joined(thread);
        Ok(())
    }

    /// What the host says, for a file.
    fn own(&self, config: &FleetConfig, admin: Option<&Url>) -> Result<Own, Failure> {
        let store = ArtifactStore::create(&self.store);
        let policy = match (&self.fixed, &config.policy, &self.policy) {
            (Some(fixed), _, _) => Some(fixed.clone()),
            (None, Some(_), _) | (None, None, None) => None,
            // That of the host decides here too.
            (None, None, Some(own)) => Some(followed(&own.file, &own.roots, own.state.clone())?),
        };
        Ok(Own {
            fleet: self.config.fleet.clone(),
            store: store.map_err(|error| store_failure(&error))?,
            name: self.config.name.clone(),
            host: None,
            state: self.config.state.clone(),
            policy,
            admin: admin.cloned(),
        })
    }
}

/// The admin interface, if this is its address.
fn admin(listening: &str) -> Option<Url> {
    let address = listening.strip_suffix(" (admin)")?;
    match address.strip_prefix("unix:") {
        Some(path) => std::path::absolute(path).ok().map(Url::unix),
        None => Url::read(address).ok(),
    }
}

/// Waits until a file has other bytes.
fn wait_for_change(read: &dyn Fn() -> Option<Vec<u8>>) {
    let before = read();
    while read() == before {
        thread::sleep(PERIOD);
    }
}

/// Lines in the log of the host.
struct InLog(Arc<Telemetry>);

impl Report for InLog {
    fn line(&self, level: Level, application: Option<&str>, message: &str) {
        let level = match level {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            _ => LogLevel::Info,
        };
        self.0
            .log(level, application, format_args!("sync: {message}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_may_be_the_admin_interface() {
        let shown = |address: &str| admin(address).map(|url| url.to_string());
        let tcp = shown("http://127.0.0.1:9090 (admin)").unwrap();
        assert_eq!(tcp, "http://127.0.0.1:9090/");
        let unix = shown("unix:/run/admin (admin)").unwrap();
        assert_eq!(unix, "unix:/run/admin");
        assert!(shown("unix:admin (admin)").unwrap().starts_with("unix:/"));
        assert_eq!(shown("http://127.0.0.1:8080"), None);
    }
}
