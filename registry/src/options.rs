//! How a host talks to registries.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a host talks to registries. A folder needs none of it.
///
/// **TLS or not.** The connection has TLS, with two exceptions: `plain_http` is set, which holds
/// for every registry; or the registry's name is `localhost`, 127.0.0.0/8 or `[::1]` and no
/// certificate authority is given, since such a connection does not leave the host.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Whether to talk to registries without TLS.
    pub plain_http: bool,
    /// Certificate authorities to trust besides Mozilla's list, each as PEM (with one or more
    /// certificates) or DER.
    pub ca: Vec<Vec<u8>>,
    /// Who the host says it is.
    pub credentials: Credentials,
    /// How often and when failed requests are repeated.
    pub retries: Retries,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl ConnectOptions {
    /// Talks to registries without TLS.
    #[must_use]
    pub fn plain_http(mut self, plain: bool) -> Self {
        self.plain_http = plain;
        self
    }

    /// Trusts another certificate authority, in PEM or DER.
    #[must_use]
    pub fn ca(mut self, ca: Vec<u8>) -> Self {
        self.ca.push(ca);
        self
    }

    /// Uses these credentials.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Repeats failed requests in this way.
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// Waits for these times.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

/// Where the credentials for registries come from. Printing one never shows a secret.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credentials {
    /// From the configuration of Docker and its helpers (`$DOCKER_CONFIG/config.json`, or
    /// `~/.docker/config.json`), then that of Podman (`$XDG_RUNTIME_DIR/containers/auth.json`).
    /// Without an entry for a registry, none are sent to it.
    #[default]
    Docker,
    /// From this file, which has the form of Docker's `config.json`.
    File(PathBuf),
    /// None.
    Anonymous,
    /// A name and a password, for every registry of these options.
    Basic {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker => f.write_str("Docker"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Basic { name, .. } => f.debug_struct("Basic").field("name", name).finish(),
        }
    }
}

/// How often and when a failed request is repeated: after a random time between nothing and
/// `first`, then twice that, and so on, up to `longest`. If the registry says when to come back, at
/// least that long.
///
/// Source: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), "full jitter".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retries {
    /// How often a request is sent, all in all. At least 1.
    pub attempts: u32,
    /// The longest time before the first repetition.
    pub first: Duration,
    /// The longest time before any repetition. If a registry says to wait longer than six times
    /// this, the request fails at once.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(10),
        }
    }
}

impl Retries {
    /// The given number of attempts, with the given longest times before the first and before any
    /// repetition.
    pub fn new(attempts: u32, first: Duration, longest: Duration) -> Self {
        Self {
            attempts: attempts.max(1),
            first,
            longest,
        }
    }
}

/// How long to wait. No limit holds for a whole transfer: a slow link is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the start of an answer, and for each 64 KiB of a download or 16 KiB of an upload.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    /// The given times for a connection, and for the next part of a transfer.
    pub fn new(connect: Duration, idle: Duration) -> Self {
        Self { connect, idle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_printed() {
        let options = ConnectOptions::default().credentials(Credentials::Basic {
            name: "ci".into(),
            password: "hunter2".into(),
        });
        let text = format!("{options:?}");
        assert!(text.contains("ci") && !text.contains("hunter2"), "{text}");
    }
}
