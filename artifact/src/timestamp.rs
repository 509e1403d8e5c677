//! A timestamp: which release was the newest at a time.
//!
//! It states the digest of one release, when it was issued and when it expires, and nothing else.
//! So a thief of the online key cannot choose code. The thief can only repeat a release that the
//! release key has signed, and a host that has seen a newer one refuses it.

use serde::{Deserialize, Serialize};

use crate::attestation::{AttestedSubject, Wire};
use crate::companion::{self, CompanionError, in_range};
use crate::{MAX_VERSION, Sha256Digest, UnixTime};

/// The predicate type of a timestamp.
pub const TIMESTAMP_PREDICATE_TYPE: &str = "https://edgec.dev/timestamp/v1";
/// The name of the one subject.
const SUBJECT: &str = "release";

/// A statement that a release was the newest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timestamp {
    /// SHA-256 of the release's payload ([`Release::digest`](crate::Release::digest)).
    pub release: Sha256Digest,
    /// When it was issued.
    pub issued: UnixTime,
    /// The first second at which it no longer says anything.
    pub expires: UnixTime,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Times {
    issued: UnixTime,
    expires: UnixTime,
}

impl Timestamp {
    /// A timestamp of the release with this digest.
    ///
    /// # Errors
    ///
    /// [`CompanionError::Range`] if it expires before it is issued, or after 2^53 − 1 seconds.
    pub fn new(
        release: Sha256Digest,
        issued: UnixTime,
        expires: UnixTime,
    ) -> Result<Self, CompanionError> {
        let after = issued.seconds().saturating_add(1);
        in_range("expires", expires.seconds(), after, MAX_VERSION)?;
        Ok(Self {
            release,
            issued,
            expires,
        })
    }

    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let subject = vec![AttestedSubject::file(SUBJECT, self.release)];
        let (issued, expires) = (self.issued, self.expires);
        Wire::encode(subject, TIMESTAMP_PREDICATE_TYPE, Times { issued, expires })
    }

    /// Parses a payload. Call it only for bytes that an accepted signature covers.
    ///
    /// # Errors
    ///
    /// [`CompanionError`] if the payload is not exactly what [`Self::encode`] writes.
    pub fn decode(payload: &[u8]) -> Result<Self, CompanionError> {
        let read = |wire: &Wire<Times>| Self {
            // A subject without this digest is not in the one spelling.
            release: stated(&wire.subject).unwrap_or(Sha256Digest([0; 32])),
            issued: wire.predicate.issued,
            expires: wire.predicate.expires,
        };
        let encode = |wire: &Wire<Times>| read(wire).encode();
        let wire = companion::decode(payload, TIMESTAMP_PREDICATE_TYPE, encode)?;
        let Self {
            release,
            issued,
            expires,
        } = read(&wire);
        Self::new(release, issued, expires)
    }
}

fn stated(subject: &[AttestedSubject]) -> Option<Sha256Digest> {
    let [only] = subject else { return None };
    only.digest.get("sha256")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_survives_its_own_encoding() {
        let at = UnixTime::from_seconds;
        let made = Timestamp::new(Sha256Digest::of(b"x"), at(5), at(9)).unwrap();
        let payload = made.encode();
        assert_eq!(Timestamp::decode(&payload), Ok(made));
        let text = String::from_utf8(payload).unwrap();
        for (from, to) in [
            ("\"name\":\"release\"", "\"name\":\"other\""),
            ("\"sha256\"", "\"sha512\""),
            ("\"issued\":5", "\"issued\":05"),
            ("\"expires\":9", "\"expires\":9,\"x\":1"),
            ("\"expires\":9", "\"expires\":5"),
            ("timestamp/v1", "timestamp/v2"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert!(Timestamp::decode(other.as_bytes()).is_err(), "{other}");
        }
        assert!(Timestamp::new(made.release, at(5), UnixTime::MAX).is_err());
    }
}
