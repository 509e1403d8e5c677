//! `[log]`: what a host writes about its work.

use serde::Deserialize;

/// What a host writes about its work, to standard error.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// What is written.
    pub level: LogLevel,
    /// Whether there is a line for each request.
    pub requests: bool,
    /// Whether such a line has the query of the target. A query may hold secrets.
    pub request_query: bool,
    /// Whether the admin interface has the status page `/_edgec/`.
    pub status_page: bool,
    /// Where spans are sent: the address of an OpenTelemetry collector. Only in a program with the
    /// feature `otlp`.
    pub otlp: Option<String>,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: LogLevel::Info,
            requests: false,
            request_query: false,
            status_page: false,
            otlp: None,
        }
    }
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object.
    Json,
}

/// What is written to the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LogLevel {
    /// What an operator must look at.
    Error,
    /// Also what may become an error.
    Warn,
    /// Also what changes: versions, trust, listeners.
    Info,
    /// Everything.
    Debug,
}
