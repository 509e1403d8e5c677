//! `[sync]` of `edgec serve`: the same work in a thread of the host. Whatever goes wrong there, the
//! host goes on serving, and the thread begins again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use edgec_host::config::{LogLevel, PolicyConfig, SyncConfig};
use edgec_host::{ServeConfig, Telemetry};
use edgec_loader::store::{ArtifactStore, NewStore, PolicySource};
use edgec_sync::config::Url;
use edgec_sync::{FleetConfig, Level, Report, Stop};

use super::{Own, parts};
use crate::failure::{Exit, Failure};
use crate::failures::loader::store_failure;
use crate::trust::{TrustArguments, followed};

/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// The time until a file that cannot be used is tried again, although it is the same: what it names
/// may be there by then.
const AGAIN: Duration = Duration::from_secs(5);
/// The time before the next attempt, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The work of `[sync]`, which begins when the host listens.
pub(crate) struct Inside {
    config: SyncConfig,
    store: PathBuf,
    /// The store, if it is new. It is removed again unless the host listens.
    new: Option<NewStore>,
    policy: Option<PolicyConfig>,
    fixed: Option<PolicySource>,
}

impl Inside {
    /// What the configuration of a host asks for, checked once: a host with a malformed
    /// `FLEET.toml` does not start. If there is no store yet, it is made: a new host waits for what
    /// the work brings.
    pub(crate) fn of(
        config: &ServeConfig,
        trust: &TrustArguments,
    ) -> Result<Option<Self>, Failure> {
        let (Some(sync), Some(store)) = (&config.sync, &config.store) else {
            return Ok(None);
        };
        let fixed = match trust.file() {
            Some(_) => None,
            None => trust.followed()?,
        };
        let fleet = parts::read_config(&sync.fleet)?;
        parts::name(sync.name.as_deref(), &fleet)?;
        let made = ArtifactStore::create_new(&store.path);
        let (_, new) = made.map_err(|error| store_failure(&error))?;
        Ok(Some(Self {
            config: sync.clone(),
            store: store.path.clone(),
            new,
            policy: config.policy.clone(),
            fixed,
        }))
    }

    /// Begins the work. `listening` is the first address at which the host listens: that of its
    /// admin interface, if it has one.
    pub(crate) fn start(mut self, listening: &str, telemetry: Arc<Telemetry>) {
        if let Some(new) = self.new.take() {
            new.keep();
        }
        let report: Arc<dyn Report> = Arc::new(InLog(telemetry));
        let told = Arc::clone(&report);
        let mut work = Work {
            inside: self,
            admin: admin(listening),
            report,
            used: None,
            trouble: None,
            tried: None,
        };
        let thread = thread::Builder::new().name("sync".to_owned());
        if let Err(error) = thread.spawn(move || work.forever()) {
            let text = format!("the store is not kept current: no thread can be started: {error}");
            told.line(Level::Error, None, &text);
        }
    }
}

/// What the file says.
#[derive(Clone)]
struct Fleet {
    bytes: Vec<u8>,
    config: FleetConfig,
}

/// What a look at the file finds.
enum Look {
    /// It says what is in use.
    Same,
    /// It is what could not be used a moment ago.
    Tried,
    /// It says something else, which can be used.
    Another(Box<Fleet>),
}

/// The work, and the file that it follows.
struct Work {
    inside: Inside,
    admin: Option<Url>,
    report: Arc<dyn Report>,
    /// What the work was made of last.
    used: Option<Fleet>,
    /// Why the file cannot be used, as the log has it.
    trouble: Option<String>,
    /// What could not be used, and when that was tried.
    tried: Option<(Vec<u8>, Instant)>,
}

impl Work {
    fn forever(&mut self) {
        let mut pause = PAUSES.0;
        loop {
            let begin = Instant::now();
            let worked = catch_unwind(AssertUnwindSafe(|| self.work()));
            let what = match worked {
                // The file has changed.
                Ok(Ok(())) => {
                    self.tell(Level::Info, "was read again");
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
            self.report.line(Level::Error, None, &text);
            self.rest(pause);
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
    }

    /// Works until the file says something else that can be used.
    fn work(&mut self) -> Result<(), Failure> {
        let fleet = self.begin()?;
        let own = self.own(&fleet.config)?;
        let sync = own.open(&fleet.config, &self.report)?;
        self.used = Some(fleet.clone());
        let stop = Arc::new(Stop::default());
        let told = Arc::clone(&stop);
        let thread = super::started(move || sync.run(&told))?;
        while !thread.is_finished() {
            thread::sleep(PERIOD);
            if let Some(next) = self.look(&fleet) {
                self.used = Some(next);
                stop.tell();
                super::joined(thread);
                return Ok(());
            }
        }
        super::joined(thread);
        // Only a fault of this program ends it.
        let text = "the work has ended by itself";
        Err(Failure::new(Exit::Environment, "internal", text))
    }

    /// What the work begins with: what the file says, or said when it could be used last.
    fn begin(&mut self) -> Result<Fleet, Failure> {
        if let Some(used) = self.used.clone() {
            return Ok(self.look(&used).unwrap_or(used));
        }
        let path = &self.inside.config.fleet;
        let bytes = parts::read_bytes(path)?;
        let config = parts::config_in(path, bytes.clone())?;
        Ok(Fleet { bytes, config })
    }

    /// What the file says, if that is something else than what is in use, and can be used. The log
    /// has each new reason why it cannot.
    fn look(&mut self, used: &Fleet) -> Option<Fleet> {
        match self.looked(used) {
            Ok(Look::Another(next)) => {
                self.trouble = None;
                Some(*next)
            }
            Ok(Look::Same) => {
                if self.trouble.take().is_some() {
                    self.tell(Level::Info, "can be used again, and is as it was");
                }
                None
            }
            Ok(Look::Tried) => None,
            Err(failure) => {
                let text = parts::text(&failure);
                if self.trouble.as_deref().map(timeless) != Some(timeless(&text)) {
                    let what = format!(
                        "is not used, and what it said before holds until it can be used: {text}"
                    );
                    self.tell(Level::Error, &what);
                    self.trouble = Some(text);
                }
                None
            }
        }
    }

    fn looked(&mut self, used: &Fleet) -> Result<Look, Failure> {
        let path = &self.inside.config.fleet;
        let bytes = parts::read_bytes(path)?;
        if bytes == used.bytes {
            self.tried = None;
            return Ok(Look::Same);
        }
        let tried = self.tried.as_ref();
        if tried.is_some_and(|(tried, at)| *tried == bytes && at.elapsed() < AGAIN) {
            return Ok(Look::Tried);
        }
        self.tried = Some((bytes.clone(), Instant::now()));
        let config = parts::config_in(path, bytes.clone())?;
        self.own(&config)?.parts(&config, &self.report)?;
        self.tried = None;
        Ok(Look::Another(Box::new(Fleet { bytes, config })))
    }

    /// Waits for a time, or until the file has other bytes: that may be the remedy.
    fn rest(&self, time: Duration) {
        let read = || parts::read_bytes(&self.inside.config.fleet).ok();
        let (begin, before) = (Instant::now(), read());
        while begin.elapsed() < time && read() == before {
            thread::sleep(PERIOD);
        }
    }

    /// A line about the file.
    fn tell(&self, level: Level, what: &str) {
        let path = self.inside.config.fleet.display();
        self.report.line(level, None, &format!("{path} {what}"));
    }

    /// What the host says, for a file.
    fn own(&self, config: &FleetConfig) -> Result<Own, Failure> {
        let inside = &self.inside;
        let store = ArtifactStore::create(&inside.store);
        let policy = match (&inside.fixed, &config.policy, &inside.policy) {
            (Some(fixed), _, _) => Some(fixed.clone()),
            (None, Some(_), _) | (None, None, None) => None,
            // That of the host decides here too.
            (None, None, Some(own)) => Some(followed(&own.file, &own.roots, own.state.clone())?),
        };
        Ok(Own {
            fleet: inside.config.fleet.clone(),
            store: store.map_err(|error| store_failure(&error))?,
            name: inside.config.name.clone(),
            host: None,
            state: inside.config.state.clone(),
            policy,
            admin: self.admin.clone(),
        })
    }
}

/// A reason without the time at which it was seen, which is new at each look.
fn timeless(reason: &str) -> &str {
    reason.split("; it is now ").next().unwrap_or(reason)
}

/// The admin interface, if this is its address.
fn admin(listening: &str) -> Option<Url> {
    let address = listening.strip_suffix(" (admin)")?;
    match address.strip_prefix("unix:") {
        Some(path) => std::path::absolute(path).ok().map(Url::unix),
        None => Url::read(address).ok(),
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
