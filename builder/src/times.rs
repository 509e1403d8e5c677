//! How long the stages of a build took.
//!
//! Wall time. Stages of different artifacts may overlap: their sum is then more than the build
//! took.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

/// Measures one stage after the other.
pub(super) struct Clock {
    lap: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self {
            lap: Instant::now(),
        }
    }

    /// The time since the start, or since the last lap.
    pub(super) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.lap, now)
    }

    /// The same, without starting a new lap.
    pub(super) fn elapsed(&self) -> Duration {
        self.lap.elapsed()
    }
}

/// How long the stages took that all artifacts of an input share. The report itself has those of
/// validation, initialization and optimization.
#[derive(Default, Serialize)]
pub(super) struct Times {
    /// Reading the input.
    #[serde(rename = "readSeconds", serialize_with = "seconds")]
    pub(super) reading: Duration,
    /// Taking the names of functions out.
    #[serde(rename = "namesSeconds", serialize_with = "seconds")]
    pub(super) naming: Duration,
    /// The cold-start lint, beside the compiler.
    #[serde(rename = "coldStartSeconds", serialize_with = "seconds")]
    pub(super) linting: Duration,
    /// From the start of the first compiler to the last image, stripped and trimmed.
    #[serde(rename = "compileSeconds", serialize_with = "seconds")]
    pub(super) compiling: Duration,
    /// Verifying and auditing all artifacts.
    #[serde(rename = "checkSeconds", serialize_with = "seconds")]
    pub(super) checking: Duration,
    /// Writing all files.
    #[serde(rename = "writeSeconds", serialize_with = "seconds")]
    pub(super) writing: Duration,
    /// The whole build of this input.
    #[serde(rename = "totalSeconds", serialize_with = "seconds")]
    pub(super) total: Duration,
}

/// How long the stages of one artifact took.
#[derive(Default, Serialize)]
pub(super) struct ArtifactTimes {
    /// The compiler's process.
    #[serde(rename = "compileSeconds", serialize_with = "seconds")]
    pub(super) compiling: Duration,
    /// Stripping and trimming the image.
    #[serde(rename = "stripSeconds", serialize_with = "seconds")]
    pub(super) stripping: Duration,
    /// Making the debug file.
    #[serde(rename = "debugFileSeconds", serialize_with = "seconds")]
    pub(super) debug_file: Duration,
    /// The digests and the manifest.
    #[serde(rename = "packageSeconds", serialize_with = "seconds")]
    pub(super) packaging: Duration,
    /// The signature; with a signing program or a token, also what that waits for.
    #[serde(rename = "signSeconds", serialize_with = "seconds")]
    pub(super) signing: Duration,
    /// Verifying the artifact as a host does.
    #[serde(rename = "verifySeconds", serialize_with = "seconds")]
    pub(super) verifying: Duration,
    /// Auditing its code.
    #[serde(rename = "auditSeconds", serialize_with = "seconds")]
    pub(super) auditing: Duration,
}

impl ArtifactTimes {
    /// All of them.
    pub(super) fn sum(&self) -> Duration {
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
