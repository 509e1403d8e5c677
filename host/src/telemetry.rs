//! What a host tells about its work. This one writes to standard error, and counts nothing.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use edgec_loader::{AcceptedSignature, LoadTimes};
use http::StatusCode;

use crate::config::{LogConfig, LogLevel};
use crate::{Application, Host, HostError, Limit, Outcome};

/// What a host tells about its work.
#[derive(Debug)]
pub struct Telemetry {
    level: LogLevel,
}

/// A page of the admin interface.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Page {
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its body.
    pub body: String,
}

impl Telemetry {
    /// As the configuration wants it.
    ///
    /// # Errors
    ///
    /// [`HostError`] if a collector cannot be used.
    pub fn new(config: &LogConfig) -> Result<Arc<Self>, HostError> {
        let level = config.level;
        Ok(Arc::new(Self { level }))
    }

    /// A request was let in.
    pub fn request_started(&self, _application: &Application) {}

    /// A request ended: its last byte was sent, or it failed.
    pub fn request_finished(
        &self,
        _application: &Application,
        _status: StatusCode,
        _took: Duration,
        _outcome: Outcome,
    ) {
    }

    /// A limit was hit, by an application or by a client that has none yet.
    pub fn limit_hit(&self, _application: Option<&Application>, _limit: Limit) {}

    /// A version of an application was loaded and is in use.
    pub fn loaded(
        &self,
        application: &Application,
        version: u64,
        _signers: &[AcceptedSignature],
        _times: LoadTimes,
    ) {
        let what = format!("version {version} is in use");
        self.log(LogLevel::Info, Some(application.name()), what);
    }

    /// An instance was made.
    pub fn instantiated(&self, _took: Duration) {}

    /// Requests that wait now.
    pub fn queue(&self, _depth: usize) {}

    /// Writes a line about an application or about the host.
    pub fn log(&self, level: LogLevel, application: Option<&str>, what: impl Display) {
        if level > self.level {
            return;
        }
        // Not `eprintln!`, which panics if its pipe is closed. A line is not worth a request.
        let _ = match application {
            // What programs and artifacts say may be hostile to a terminal.
            Some(name) => writeln!(std::io::stderr(), "{name}: {}", safe(&what)),
            None => writeln!(std::io::stderr(), "{}", safe(&what)),
        };
    }

    /// A page of the admin interface. `None`: there is no such page.
    pub fn page(&self, _path: &str, _host: &Host) -> Option<Page> {
        None
    }
}

/// A text without control characters.
fn safe(text: &impl Display) -> String {
    let text = text.to_string();
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}
