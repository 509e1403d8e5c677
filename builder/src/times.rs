//! How long the stages of a build took.
//!
//! These are wall times. Stages of different artifacts may overlap, so their sum may exceed the
//! time of the build.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// Measures one stage after the other.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    lap: Instant,
}

impl Stopwatch {
    /// Starts the first lap.
    pub(crate) fn start() -> Self {
        Self {
            lap: Instant::now(),
        }
    }

    /// The time since the start, or since the last lap.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.lap, now)
    }

    /// Like [`Self::lap`], but does not start a new lap.
    pub(crate) fn elapsed(&self) -> Duration {
        self.lap.elapsed()
    }
}

/// How long the stages took that all artifacts of an input share. [`Prepared`](crate::Prepared) has
/// the times of validation, initialization and optimization. As JSON, each time is a number of
/// seconds.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// Removing the names of functions.
    #[serde(rename = "namesSeconds", serialize_with = "seconds")]
    pub removing_names: Duration,
    /// The cold-start lint, at the same time as the compiler.
    #[serde(rename = "coldStartSeconds", serialize_with = "seconds")]
    pub linting: Duration,
    /// From the start of the first compiler to the last stripped and trimmed image.
    #[serde(rename = "compileSeconds", serialize_with = "seconds")]
    pub compiling: Duration,
    /// Verifying and auditing all artifacts.
    #[serde(rename = "checkSeconds", serialize_with = "seconds")]
    pub checking: Duration,
    /// The whole build of this input, from its bytes to the bytes of the checked artifacts. Work of
    /// the caller between the steps does not count.
    #[serde(rename = "totalSeconds", serialize_with = "seconds")]
    pub total: Duration,
}

/// How long the stages of one artifact took. As JSON, each time is a number of seconds.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ArtifactTimes {
    /// The compiler's process.
    #[serde(rename = "compileSeconds", serialize_with = "seconds")]
    pub compiling: Duration,
    /// Stripping and trimming the image.
    #[serde(rename = "stripSeconds", serialize_with = "seconds")]
    pub stripping: Duration,
    /// Making the debug file.
    #[serde(rename = "debugFileSeconds", serialize_with = "seconds")]
    pub debug_file: Duration,
    /// The digests and the manifest.
    #[serde(rename = "packageSeconds", serialize_with = "seconds")]
    pub packaging: Duration,
    /// Signing, including any wait for a signing program or a token.
    #[serde(rename = "signSeconds", serialize_with = "seconds")]
    pub signing: Duration,
    /// Verifying the artifact as a host does.
    #[serde(rename = "verifySeconds", serialize_with = "seconds")]
    pub verifying: Duration,
    /// Auditing its code.
    #[serde(rename = "auditSeconds", serialize_with = "seconds")]
    pub auditing: Duration,
}

impl ArtifactTimes {
    /// The sum of all stages.
    pub fn sum(&self) -> Duration {
        self.compiling
            + self.stripping
            + self.debug_file
            + self.packaging
            + self.signing
            + self.verifying
            + self.auditing
    }
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
