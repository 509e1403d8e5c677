//! A release: which artifacts of an application belong together, and which release is newer.
//!
//! A signature on an artifact covers one target. A release binds all targets together, so a mirror
//! can neither withhold one unnoticed nor mix two releases. Its `serial` says which release is
//! newer, whatever order they arrive in.

use serde::{Deserialize, Serialize};

use crate::attestation::{AttestedSubject, Wire, image_subject};
use crate::companion::{self, CompanionError, in_range};
use crate::{Bytes, Image, MAX_VERSION, Manifest, Sha256Digest, check_name};

/// The predicate type of a release.
pub const RELEASE_PREDICATE_TYPE: &str = "https://edgec.dev/release/v1";
/// The greatest number of artifacts of a release: far more than there are targets and profiles.
const MAX_ARTIFACTS: usize = 256;

/// A statement about all artifacts of one release of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Release {
    /// The application.
    pub application: String,
    /// Its release channel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub channel: Option<String>,
    /// The version of every artifact, from 1 to 2^53 − 1.
    pub version: u64,
    /// A number that grows with every release of the application in the channel, from 1 to
    /// 2^53 − 1. A release of the same version that was compiled again has a higher one.
    pub serial: u64,
    /// The lowest version that may still run, from 0 to `version`.
    pub floor: u64,
    /// The portable program from which every artifact was made, as it was read.
    pub program: Bytes,
    /// Every artifact, sorted by target and profile, each once.
    pub artifacts: Vec<ReleasedArtifact>,
}

/// One artifact of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReleasedArtifact {
    /// Its target.
    pub target: String,
    /// Its engine profile.
    pub profile: String,
    /// Its image.
    pub image: Image,
    /// SHA-256 of the payload of its envelope: the statement with the manifest.
    pub manifest: Sha256Digest,
}

impl ReleasedArtifact {
    /// The artifact with this manifest, whose envelope has this payload.
    pub fn of(manifest: &Manifest, payload: &[u8]) -> Self {
        Self {
            target: manifest.target.id.clone(),
            profile: manifest.engine.profile.clone(),
            image: manifest.image.clone(),
            manifest: Sha256Digest::of(payload),
        }
    }

    /// Target and profile, for messages.
    pub fn fits(&self) -> String {
        format!("{} ({})", self.target, self.profile)
    }

    fn place(&self) -> (&str, &str) {
        (&self.target, &self.profile)
    }
}

impl Release {
    /// A release of these artifacts. They are sorted here.
    ///
    /// # Errors
    ///
    /// [`CompanionError`] if a value is out of its range, or two artifacts have the same target and
    /// profile.
    pub fn new(
        application: impl Into<String>,
        channel: Option<String>,
        numbers: ReleaseNumbers,
        program: Bytes,
        mut artifacts: Vec<ReleasedArtifact>,
    ) -> Result<Self, CompanionError> {
        artifacts.sort_by(|a, b| a.place().cmp(&b.place()));
        let release = Self {
            application: application.into(),
            channel,
            version: numbers.version,
            serial: numbers.serial,
            floor: numbers.floor,
            program,
            artifacts,
        };
        release.check()?;
        Ok(release)
    }

    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut subject = vec![AttestedSubject::file(
            &self.application,
            self.program.sha256,
        )];
        for artifact in &self.artifacts {
            let name = format!(
                "{}:{}:{}",
                self.application, artifact.target, artifact.profile
            );
            subject.push(image_subject(&name, &artifact.image));
        }
        Wire::encode(subject, RELEASE_PREDICATE_TYPE, self)
    }

    /// Parses a payload. Call it only for bytes that an accepted signature covers.
    ///
    /// # Errors
    ///
    /// [`CompanionError`] if the payload is not exactly what [`Self::encode`] writes.
    pub fn decode(payload: &[u8]) -> Result<Self, CompanionError> {
        let encode = |wire: &Wire<Self>| wire.predicate.encode();
        let release = companion::decode(payload, RELEASE_PREDICATE_TYPE, encode)?.predicate;
        release.check()?;
        Ok(release)
    }

    /// SHA-256 of the payload, which a timestamp names.
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.encode())
    }

    /// The artifact of this target and profile, if the release has one.
    pub fn artifact(&self, target: &str, profile: &str) -> Option<&ReleasedArtifact> {
        let wanted = (target, profile);
        self.artifacts.iter().find(|it| it.place() == wanted)
    }

    /// Whether the release lists the artifact with this payload.
    pub fn lists(&self, payload: Sha256Digest) -> bool {
        self.artifacts.iter().any(|it| it.manifest == payload)
    }

    fn check(&self) -> Result<(), CompanionError> {
        check_name(&self.application)?;
        self.channel.as_deref().map_or(Ok(()), check_name)?;
        in_range("version", self.version, 1, MAX_VERSION)?;
        in_range("serial", self.serial, 1, MAX_VERSION)?;
        in_range("floor", self.floor, 0, self.version)?;
        let sorted = self.artifacts.is_sorted_by(|a, b| a.place() < b.place());
        if !sorted || self.artifacts.is_empty() || self.artifacts.len() > MAX_ARTIFACTS {
            return Err(CompanionError::Artifacts {
                most: MAX_ARTIFACTS,
            });
        }
        for artifact in &self.artifacts {
            check_name(&artifact.target)?;
            check_name(&artifact.profile)?;
        }
        Ok(())
    }
}

/// The numbers of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a release has these three numbers"
)]
pub struct ReleaseNumbers {
    /// The version of every artifact.
    pub version: u64,
    /// Grows with every release.
    pub serial: u64,
    /// The lowest version that may still run.
    pub floor: u64,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn artifact(target: &str, text: &[u8]) -> ReleasedArtifact {
        ReleasedArtifact {
            target: target.to_owned(),
            profile: "default".to_owned(),
            image: Image::of(text),
            manifest: Sha256Digest::of(text),
        }
    }

    fn numbers(version: u64, serial: u64, floor: u64) -> ReleaseNumbers {
        ReleaseNumbers {
            version,
            serial,
            floor,
        }
    }

    fn release(
        numbers: ReleaseNumbers,
        artifacts: Vec<ReleasedArtifact>,
    ) -> Result<Release, CompanionError> {
        let channel = Some("stable".to_owned());
        Release::new("acme/shop", channel, numbers, Bytes::of(b"in"), artifacts)
    }

    #[test]
    fn a_release_survives_its_own_encoding() {
        let two = vec![artifact("x86_64", b"b"), artifact("aarch64", b"a")];
        let made = release(numbers(3, 7, 2), two).unwrap();
        assert_eq!(made.artifacts[0].target, "aarch64");
        let payload = made.encode();
        assert_eq!(Release::decode(&payload), Ok(made.clone()));
        assert!(made.lists(Sha256Digest::of(b"a")) && !made.lists(Sha256Digest::of(b"c")));
        assert!(made.artifact("x86_64", "default").is_some());
        assert!(made.artifact("x86_64", "edge").is_none());
        assert_eq!(made.digest(), Sha256Digest::of(&payload));
    }

    #[test]
    fn there_is_one_spelling() {
        let made = release(numbers(3, 7, 2), vec![artifact("x86_64", b"b")]).unwrap();
        let text = String::from_utf8(made.encode()).unwrap();
        let decode = |text: String| Release::decode(text.as_bytes()).unwrap_err();
        for other in [
            text.replacen("\"version\":3", "\"version\": 3", 1),
            // The subject no longer follows from the predicate.
            text.replacen("acme/shop:x86_64", "acme/shop:x86_65", 1),
            text.replacen("Statement/v1", "Statement/v0.1", 1),
        ] {
            let error = decode(other);
            assert!(matches!(error, CompanionError::Spelling(_)), "{error}");
        }
        let unknown = text.replacen("\"floor\":2", "\"floor\":2,\"x\":1", 1);
        assert!(matches!(decode(unknown), CompanionError::Statement(_)));
        let manifest = text.replace(RELEASE_PREDICATE_TYPE, crate::PREDICATE_TYPE);
        assert!(matches!(decode(manifest), CompanionError::Statement(_)));
    }

    #[test]
    fn values_have_ranges() {
        let one = || vec![artifact("x86_64", b"b")];
        for (bad, field) in [
            (numbers(0, 1, 0), "version"),
            (numbers(1, 0, 0), "serial"),
            (numbers(1, MAX_VERSION + 1, 0), "serial"),
            (numbers(1, 1, 2), "floor"),
        ] {
            let error = release(bad, one()).unwrap_err();
            assert!(
                matches!(error, CompanionError::Range { field: it, .. } if it == field),
                "{error}"
            );
        }
        for bad in [vec![], [one(), one()].concat()] {
            let error = release(numbers(1, 1, 0), bad).unwrap_err();
            assert!(matches!(error, CompanionError::Artifacts { .. }), "{error}");
        }
        let many = (0..257).map(|number| artifact(&format!("t{number:03}"), b"x"));
        let error = release(numbers(1, 1, 0), many.collect()).unwrap_err();
        assert!(matches!(error, CompanionError::Artifacts { .. }), "{error}");
        let error = Release::new("a*", None, numbers(1, 1, 0), Bytes::of(b""), one());
        assert!(matches!(error, Err(CompanionError::Name(_))));
    }

    #[test]
    fn a_long_statement_is_refused_before_it_is_parsed() {
        let long = vec![b' '; (1 << 20) + 1];
        let error = companion::companion_envelope(&long).unwrap_err();
        assert!(matches!(error, CompanionError::TooLong { .. }), "{error}");
        let error = companion::companion_envelope(b"{}").unwrap_err();
        assert!(matches!(error, CompanionError::Envelope(_)), "{error}");
    }
}
