//! Full versions of the engine: exactly three numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A version of the engine, such as 48.0.8. Versions are ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct EngineVersion {
    /// The engine itself compares only this number when it loads code.
    pub major: u64,
    /// Zero in all releases so far.
    pub minor: u64,
    /// Patches fix code generation.
    pub patch: u64,
}

/// A text that is not a version of three numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an engine version is three numbers below 10^9, such as 48.0.8")]
#[non_exhaustive]
pub struct ParseVersionError;

impl EngineVersion {
    /// The version with these numbers.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl FromStr for EngineVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        let mut numbers = text.split('.').map(|part| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let shortest = part == "0" || !part.starts_with('0');
            (digits && shortest && part.len() <= 9)
                .then(|| part.parse().ok())
                .flatten()
        });
        let mut next = || numbers.next().flatten().ok_or(ParseVersionError);
        let version = Self::new(next()?, next()?, next()?);
        match numbers.next() {
            None => Ok(version),
            Some(_) => Err(ParseVersionError),
        }
    }
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl<'de> Deserialize<'de> for EngineVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for EngineVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Versions from one (included) up to another (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VersionRange {
    /// The first version of the range.
    pub from: EngineVersion,
    /// The first version after the range; `None` if all later versions are in it.
    pub before: Option<EngineVersion>,
}

impl VersionRange {
    /// Whether `version` lies in the range.
    pub fn contains(&self, version: EngineVersion) -> bool {
        self.from <= version && self.before.is_none_or(|before| version < before)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.before {
            Some(before) => write!(f, "from {} before {before}", self.from),
            None => write!(f, "from {} on", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers() {
        assert_eq!("48.0.8".parse(), Ok(EngineVersion::new(48, 0, 8)));
        for text in [
            "",
            "48",
            "48.0",
            "48.0.8.1",
            "48.0.08",
            "48.0.8-rc1",
            "48.0.+8",
            "48..8",
            " 48.0.8",
            "48.0.1000000000",
        ] {
            assert_eq!(
                text.parse::<EngineVersion>(),
                Err(ParseVersionError),
                "{text}"
            );
        }
    }

    #[test]
    fn ranges_have_their_start_and_not_their_end() {
        let version = |patch| EngineVersion::new(48, 0, patch);
        let mut range = VersionRange {
            from: version(2),
            before: Some(version(7)),
        };
        let inside: Vec<u64> = (0..10).filter(|p| range.contains(version(*p))).collect();
        assert_eq!(inside, [2, 3, 4, 5, 6]);
        range.before = None;
        assert!(range.contains(EngineVersion::new(50, 0, 0)));
    }
}
