//! Takes a changed configuration while requests run.
//!
//! An application that is the same as before stays as it is. Another one is made and loaded anew,
//! and then all routes change at one moment. Requests that run finish with what they began with.
//! What sizes the host's rooms, sockets and engines waits for a restart, and the log says so.

use std::sync::Arc;

use edgec_loader::error_chain;

use crate::HostError;
use crate::application::Application;
use crate::config::{ApplicationConfig, ConfigFileError, Limits, LogLevel, ServeConfig};
use crate::host::{Host, Served, machine_limits};

impl Host {
    /// Reads the configuration's file again, if the host follows one. If it cannot be used, the
    /// old configuration stays. The caller holds the lock for refreshes.
    pub(crate) fn reload(&self) {
        let Some(follows) = self.follows() else {
            return;
        };
        let outcome = match follows.file.changed() {
            Ok(None) => Ok(None),
            Ok(Some(config)) => match self.take(&config) {
                Ok(changes) => Ok(Some(changes)),
                Err(error) => {
                    // What is missing may come, such as a file of certificates.
                    follows.file.forget();
                    Err(error_chain(&error))
                }
            },
            Err(error) => {
                // The log says when it can be read again, also if it is as before.
                if let ConfigFileError::Guard { .. } = error {
                    follows.file.forget();
                }
                Err(error_chain(&error))
            }
        };
        let new = follows.unread(outcome.as_ref().err().map(String::as_str));
        let (level, what) = match outcome {
            Ok(None) => return,
            Ok(Some(changes)) => (LogLevel::Info, changes.line()),
            // A trouble that lasts is told once.
            Err(_) if !new => return,
            Err(why) => (
                LogLevel::Error,
                format!("the configuration stays as it was: {why}"),
            ),
        };
        self.telemetry().log(level, None, what);
    }

    /// Serves what a configuration says from now on.
    fn take(&self, config: &ServeConfig) -> Result<Changes, HostError> {
        let mut changes = Changes::default();
        let limits = self.limits_now(&config.limits, config.applications.len());
        let before = self.served();
        let (mut applications, mut new) = (Vec::new(), Vec::new());
        for own in &config.applications {
            let old = before.applications.iter().find(|it| is_same(it, own));
            match old {
                Some(old) if *old.config() == *own && *old.limits() == limits.of(&own.limits) => {
                    applications.push(Arc::clone(old));
                }
                _ => {
                    let application = self.application(own, &limits, old.map(Arc::as_ref))?;
                    new.push(Arc::clone(&application));
                    applications.push(application);
                    let list = match old {
                        Some(_) => &mut changes.changed,
                        None => &mut changes.added,
                    };
                    list.push(own.name.clone());
                }
            }
        }
        let gone = before.applications.iter();
        let gone = gone.filter(|old| !config.applications.iter().any(|own| is_same(old, own)));
        changes.removed = gone.map(|old| old.name().to_owned()).collect();
        changes.waiting = waiting(self.as_written(), config, self.largest_memory());
        // Requests go to the old ones until the new ones are loaded.
        self.deployer().deploy_or_note(&new);
        self.serve_from_now(Served::new(applications));
        Ok(changes)
    }

    /// The limits that applications have by a changed configuration: its own, and those of the
    /// running host that need a restart.
    fn limits_now(&self, changed: &Limits, applications: usize) -> Limits {
        let mut limits = changed.with_rooms_of(&self.config().limits);
        machine_limits(&mut limits, applications);
        limits
    }
}

/// Whether an application has this name and channel.
fn is_same(application: &Application, config: &ApplicationConfig) -> bool {
    let own = application.config();
    (&own.name, &own.channel) == (&config.name, &config.channel)
}

/// What changes without a restart, and what needs one.
#[derive(Debug, Default)]
struct Changes {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    waiting: Vec<String>,
}

impl Changes {
    fn line(&self) -> String {
        let mut line = "the configuration was read again".to_owned();
        for (what, names) in [
            ("added", &self.added),
            ("changed", &self.changed),
            ("removed", &self.removed),
            ("after a restart only", &self.waiting),
        ] {
            if !names.is_empty() {
                line.push_str(&format!("; {what}: {}", names.join(", ")));
            }
        }
        line
    }
}

/// What differs between two configurations and needs a restart, by its name in the file.
fn waiting(old: &ServeConfig, new: &ServeConfig, largest_memory: u64) -> Vec<String> {
    let mut names = Vec::new();
    for (name, is_same) in [
        ("[listen]", old.listen == new.listen),
        ("[store]", old.store == new.store),
        ("[policy]", old.policy == new.policy),
        ("[pools]", old.pools == new.pools),
        ("[log]", old.log == new.log),
    ] {
        if !is_same {
            names.push(name.to_owned());
        }
    }
    let rooms = old.limits.rooms_that_differ(&new.limits);
    names.extend(rooms.into_iter().map(|name| format!("limits.{name}")));
    // The slots of the pools have room for the largest memory at the start.
    let memories = new.applications.iter();
    let memories = memories.map(|it| (it, new.limits.of(&it.limits).memory.get()));
    let larger = memories.filter(|(_, memory)| *memory > largest_memory);
    names.extend(larger.map(|(it, _)| format!("more memory for `{}`", it.name)));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteSize, Period};

    fn config() -> ServeConfig {
        ServeConfig {
            applications: vec![ApplicationConfig::new("acme/app")],
            ..ServeConfig::default()
        }
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let old = config();
        let largest = old.limits.memory.get();
        assert_eq!(waiting(&old, &old, largest), Vec::<String>::new());
        let mut new = config();
        new.limits.cpu_time = Period::secs(2);
        new.limits.queue_time = Period::secs(2);
        new.applications[0].stub_imports = true;
        assert_eq!(waiting(&old, &new, largest), Vec::<String>::new());
        new.limits.connections = 5;
        new.limits.memory_total = Some(ByteSize::bytes(1 << 30));
        new.listen.systemd = true;
        new.log.requests = true;
        new.applications[0].limits.memory = Some(ByteSize::bytes(largest + 1));
        assert_eq!(
            waiting(&old, &new, largest),
            [
                "[listen]",
                "[log]",
                "limits.connections",
                "limits.memory-total",
                "more memory for `acme/app`"
            ]
        );
    }

    #[test]
    fn the_log_says_what_has_changed() {
        let changes = Changes {
            added: vec!["a".to_owned(), "b".to_owned()],
            waiting: vec!["[listen]".to_owned()],
            ..Changes::default()
        };
        let line = "the configuration was read again; added: a, b; after a restart only: [listen]";
        assert_eq!(changes.line(), line);
    }
}
