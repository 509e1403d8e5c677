//! `[gate]` and `[[watch]]`: what decides whether a release stays, and whom a host asks before it
//! takes one.

use edgec_configuration::positive;
use serde::Deserialize;

use super::Period;
use super::values::{Share, Url};

/// `[gate]`: what decides whether a release that was just admitted stays.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct GateConfig {
    /// A program and its arguments. In them, `{application}`, `{channel}`, `{version}`, `{serial}`
    /// and `{host}` stand for what is judged. Exit code 0 means healthy.
    #[serde(default)]
    pub command: Vec<String>,
    /// The metrics of the `edgec serve` that serves the application.
    pub metrics: Option<MetricsConfig>,
    /// How long a release is watched.
    #[serde(rename = "for", default = "watched_for")]
    pub watched_for: Period,
    /// The time between two checks.
    #[serde(default = "every", deserialize_with = "positive")]
    pub every: Period,
    /// How long a check may take.
    #[serde(default = "timeout", deserialize_with = "positive")]
    pub timeout: Period,
    /// After how many failed checks in a row the release is bad.
    #[serde(default = "failures")]
    pub failures: u32,
}

/// `metrics` of a gate: what `edgec serve` counts about the application.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct MetricsConfig {
    /// The admin interface of `edgec serve`. `None`: that of the host that `sync` runs inside.
    pub url: Option<Url>,
    /// The greatest part of requests that may fail.
    #[serde(default = "max_error_share")]
    pub max_error_share: Share,
    /// With fewer requests than this, nothing is said about failures and times.
    #[serde(default = "min_requests")]
    pub min_requests: u64,
    /// How many times as long as before a request may take, at the 99th percentile.
    pub max_p99_ratio: Option<f64>,
    /// How long the host may take until it serves the release.
    #[serde(default = "take", deserialize_with = "positive")]
    pub take: Period,
}

/// `[[watch]]`: a host of the fleet whose status this one reads.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct WatchConfig {
    /// Its name in the fleet, from which its wave follows.
    pub host: String,
    /// Where its status is served.
    pub url: Url,
    /// How long after the time of its own wave this host waits for an answer, at most. `None`:
    /// until there is one.
    pub patience: Option<Period>,
}

impl GateConfig {
    /// Says what is wrong with the gate.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.command.is_empty() && self.metrics.is_none() {
            return Err("write `command` or `metrics`: a gate needs a way to judge".to_owned());
        }
        if self.command.first().is_some_and(String::is_empty) {
            return Err("write the path of a program first in `command`".to_owned());
        }
        if self.failures == 0 {
            return Err("write 1 or more in `failures`".to_owned());
        }
        let ratio = self.metrics.as_ref().and_then(|it| it.max_p99_ratio);
        match ratio {
            Some(ratio) if !ratio.is_finite() || ratio < 1.0 => {
                Err("write 1.0 or more in `max-p99-ratio`".to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn watched_for() -> Period {
    Period::secs(60)
}

fn every() -> Period {
    Period::secs(5)
}

fn timeout() -> Period {
    Period::secs(10)
}

fn failures() -> u32 {
    3
}

fn max_error_share() -> Share {
    Share::new(0.01).unwrap_or(Share::ALL)
}

fn min_requests() -> u64 {
    50
}

fn take() -> Period {
    Period::secs(60)
}
