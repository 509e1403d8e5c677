//! Values of a policy's fields that a TOML type alone does not describe.

use edgec_artifact::UnixTime;
use serde::{Deserialize, Deserializer, de};

use crate::check::CheckName;

/// A text that reports show on one line.
pub(super) struct Line(pub(super) String);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.contains(char::is_control) {
            true => Err(de::Error::custom("control characters are not allowed here")),
            false => Ok(Self(text)),
        }
    }
}

/// A check that has a mode.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turnable(pub(super) CheckName);

impl<'de> Deserialize<'de> for Turnable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = CheckName::WITH_MODE.into_iter();
        let found = known.clone().find(|check| check.name() == text);
        found.map(Self).ok_or_else(|| {
            let names: Vec<&str> = known.map(CheckName::name).collect();
            de::Error::custom(format!(
                "unknown check `{text}`; checks with a mode are {}",
                names.join(", ")
            ))
        })
    }
}

/// A time, from TOML's date-time in UTC.
pub(super) struct DateTime(pub(super) UnixTime);

impl<'de> Deserialize<'de> for DateTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut time = toml::value::Datetime::deserialize(deserializer)?;
        // A leap second has no number of seconds since 1970.
        if time.time.is_some_and(|time| time.second == Some(60)) {
            return Err(de::Error::custom("a time cannot have a second 60"));
        }
        if time.offset == Some(toml::value::Offset::Custom { minutes: 0 }) {
            time.offset = Some(toml::value::Offset::Z);
        }
        let seconds = humantime::parse_rfc3339(&time.to_string())
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .filter(|since| since.subsec_nanos() == 0)
            .map(|since| Self(UnixTime::from_seconds(since.as_secs())));
        seconds.ok_or_else(|| {
            let example = "2027-01-01T00:00:00Z";
            de::Error::custom(format!("a time is in UTC and whole seconds, as {example}"))
        })
    }
}
