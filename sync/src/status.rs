//! What a host says about itself: a document for other hosts and people, and metrics.

mod exposition;
mod server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use edgec_artifact::UnixTime;
use serde::Serialize;

use crate::source::Trouble;
use crate::state::{Bad, End, Healthy, Known, Newest, Trial};

pub use self::server::StatusServer;

/// The state of an application in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// Nothing is known yet.
    #[default]
    Starting,
    /// A newer release waits for this host's turn.
    Waiting,
    /// A release is fetched and admitted.
    Admitting,
    /// The gate watches a release.
    Watching,
    /// The gate has refused a release, and the host goes back.
    GoingBack,
    /// The newest release has passed its gate.
    Healthy,
    /// The newest release was bad, and the host went back to the version before.
    WentBack,
    /// The newest release was bad, and the host could not go back.
    Failed,
}

impl Phase {
    /// All phases.
    pub const ALL: [Self; 8] = [
        Self::Starting,
        Self::Waiting,
        Self::Admitting,
        Self::Watching,
        Self::GoingBack,
        Self::Healthy,
        Self::WentBack,
        Self::Failed,
    ];

    /// The name in the status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting => "waiting",
            Self::Admitting => "admitting",
            Self::Watching => "watching",
            Self::GoingBack => "going-back",
            Self::Healthy => "healthy",
            Self::WentBack => "went-back",
            Self::Failed => "failed",
        }
    }

    /// The phase that follows from what is known.
    #[must_use]
    pub fn of(known: &Known) -> Self {
        use crate::state::Stage;

        let waits = known.wanted().is_some();
        match (&known.trial, &known.bad) {
            (Some(trial), _) => match trial.stage {
                Stage::Admitting => Self::Admitting,
                Stage::Watching => Self::Watching,
                Stage::GoingBack { .. } => Self::GoingBack,
            },
            (None, _) if waits => Self::Waiting,
            (None, Some(bad)) => match bad.end {
                End::WentBack(_) => Self::WentBack,
                End::Stays { .. } => Self::Failed,
            },
            (None, None) if known.healthy.is_some() => Self::Healthy,
            (None, None) => Self::Starting,
        }
    }
}

/// What is said about an application.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ApplicationStatus {
    /// Its name.
    pub name: String,
    /// Its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Where its releases are.
    pub reference: String,
    /// Its state.
    pub phase: Phase,
    /// The version that the store has current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The wave of this host for the newest release, from 0.
    pub wave: usize,
    /// How many waves there are.
    pub waves: usize,
    /// What it waits for, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// The newest release that was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<NewestStatus>,
    /// The release that is being tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<ReleaseStatus>,
    /// The last release that passed its gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<HealthyStatus>,
    /// The last release that did not pass its gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad: Option<BadStatus>,
    /// The last verdict that an operator took back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forgiven: Option<ForgivenStatus>,
    /// What failed last. Nothing: the last step did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorStatus>,
    /// How often the reference was looked at since the start.
    pub polls: u64,
    /// How many of these looks failed.
    pub failures: u64,
    /// How many bytes of artifacts were fetched since the start.
    pub bytes: u64,
    /// When a look succeeded last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polled: Option<UnixTime>,
}

/// A release.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReleaseStatus {
    /// The version of its artifacts.
    pub version: u64,
    /// Its serial.
    pub serial: u64,
    /// SHA-256 of its signed payload.
    pub digest: String,
}

/// The newest release.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NewestStatus {
    /// The release.
    #[serde(flatten)]
    pub release: ReleaseStatus,
    /// When this host saw it first.
    pub first_seen: UnixTime,
}

/// A release that passed its gate.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HealthyStatus {
    /// The release.
    #[serde(flatten)]
    pub release: ReleaseStatus,
    /// When.
    pub since: UnixTime,
}

/// A release that did not pass its gate.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BadStatus {
    /// The release.
    #[serde(flatten)]
    pub release: ReleaseStatus,
    /// When.
    pub at: UnixTime,
    /// Why.
    pub reason: String,
    /// The version that the host went back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub went_back_to: Option<u64>,
    /// Why it could not go back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
}

/// A verdict that an operator took back.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ForgivenStatus {
    /// The verdict.
    #[serde(flatten)]
    pub verdict: BadStatus,
    /// When it was taken back.
    pub forgiven_at: UnixTime,
}

/// What failed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErrorStatus {
    /// A short name that does not change between releases.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl ApplicationStatus {
    /// Says what is known about the application.
    pub(crate) fn know(&mut self, known: &Known) {
        let release = |it: &crate::state::ReleaseId| ReleaseStatus {
            version: it.version,
            serial: it.serial,
            digest: it.digest.to_string(),
        };
        self.phase = Phase::of(known);
        self.newest = known.newest.as_ref().map(|it: &Newest| NewestStatus {
            release: release(&it.release),
            first_seen: it.first_seen,
        });
        self.trial = known.trial.as_ref().map(|it: &Trial| release(&it.release));
        self.healthy = known.healthy.as_ref().map(|it: &Healthy| HealthyStatus {
            release: release(&it.release),
            since: it.since,
        });
        let bad = |it: &Bad| BadStatus {
            release: release(&it.release),
            at: it.at,
            reason: it.reason.clone(),
            went_back_to: match it.end {
                End::WentBack(version) => Some(version),
                End::Stays { .. } => None,
            },
            stays: match &it.end {
                End::WentBack(_) => None,
                End::Stays { why } => Some(why.clone()),
            },
        };
        self.bad = known.bad.as_ref().map(bad);
        self.forgiven = known.forgiven.as_ref().map(|it| ForgivenStatus {
            verdict: bad(&it.verdict),
            forgiven_at: it.at,
        });
    }

    /// Why the newest release is not in use, and what to do, if the gate has refused it.
    #[must_use]
    pub fn why_bad(&self) -> Option<String> {
        let refused = matches!(self.phase, Phase::WentBack | Phase::Failed);
        let bad = self.bad.as_ref().filter(|_| refused)?;
        let ReleaseStatus {
            serial, version, ..
        } = bad.release;
        let reason = &bad.reason;
        let stays = match &bad.stays {
            Some(why) => format!("; it stays, because {why}"),
            None => String::new(),
        };
        Some(format!(
            "release {serial} (version {version}) was bad: {reason}{stays}; publish a newer \
             release, or try it again with --retry"
        ))
    }

    /// Says what failed.
    pub(crate) fn fail(&mut self, trouble: Option<&Trouble>) {
        self.error = trouble.map(|it| ErrorStatus {
            code: it.code,
            message: it.message.clone(),
        });
    }
}

/// What all parts of a process say, for the status.
#[derive(Debug)]
pub struct Board {
    host: String,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    applications: BTreeMap<String, ApplicationStatus>,
    /// The texts for clients, until something changes. All clients share them: with thousands of
    /// applications, each has some megabytes.
    document: Option<Arc<str>>,
    metrics: Option<Arc<str>>,
}

impl Board {
    /// The board of a host with this name.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            said: Mutex::default(),
        }
    }

    /// Replaces what is said about an application.
    pub(crate) fn put(&self, label: &str, status: &ApplicationStatus) {
        let mut said = self.lock();
        said.applications.insert(label.to_owned(), status.clone());
        (said.document, said.metrics) = (None, None);
    }

    /// What is said about all applications, by their labels.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, ApplicationStatus> {
        self.lock().applications.clone()
    }

    /// The document, as JSON.
    #[must_use]
    pub fn document(&self) -> Arc<str> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Document<'a> {
            schema: u32,
            host: &'a str,
            applications: Vec<&'a ApplicationStatus>,
        }
        let mut said = self.lock();
        if let Some(text) = &said.document {
            return Arc::clone(text);
        }
        let document = Document {
            schema: 1,
            host: &self.host,
            applications: said.applications.values().collect(),
        };
        // The values are of this crate, and none of them can fail.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        Arc::clone(said.document.insert(text.into()))
    }

    /// The metrics, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> Arc<str> {
        let mut said = self.lock();
        if let Some(text) = &said.metrics {
            return Arc::clone(text);
        }
        let text = exposition::text(&said.applications);
        Arc::clone(said.metrics.insert(text.into()))
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
