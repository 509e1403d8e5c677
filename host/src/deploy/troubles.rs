//! The troubles of applications, each of which the log has once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::application::Application;
use crate::config::LogLevel;

/// Why an application is not served, or not its newest version.
pub(super) struct Trouble {
    pub(super) level: LogLevel,
    pub(super) what: String,
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        let level = LogLevel::Error;
        Self { level, what }
    }
}

/// The last trouble of each application.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<HashMap<String, String>>);

impl Troubles {
    /// Logs a trouble, if it is new.
    pub(super) fn note(&self, application: &Application, trouble: Trouble) {
        let Trouble { level, what } = trouble;
        let name = name(application);
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if troubles.get(&name).map(|told| timeless(told)) != Some(timeless(&what)) {
            let telemetry = application.telemetry();
            telemetry.log(level, Some(application.label()), &what);
            troubles.insert(name, what);
        }
    }

    pub(super) fn well(&self, application: &Application) {
        let name = name(application);
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

/// A trouble without the time at which it was seen, which is new at each refresh.
fn timeless(trouble: &str) -> &str {
    trouble.split("; it is now ").next().unwrap_or(trouble)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_the_same_at_another_time() {
        let at = |now| format!("the trust policy expired at 2026; it is now {now}");
        assert_eq!(timeless(&at("12:00:01")), timeless(&at("12:00:02")));
        assert_ne!(
            timeless(&at("12:00:01")),
            timeless("another; it is now 12:00:01")
        );
        assert_eq!(timeless("no time"), "no time");
    }
}
