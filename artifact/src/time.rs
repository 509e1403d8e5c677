//! Points in time, in manifests, in policies and from clocks.

use std::fmt;
use std::time::{Duration, SystemTime, SystemTimeError, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The first second that RFC 3339 cannot write: the beginning of the year 10000.
const AFTER_9999: u64 = 253_402_300_800;

/// A point in time, in whole seconds since 1970-01-01T00:00:00Z, as POSIX counts them: every day
/// has 86,400 seconds. In JSON, a time is that number.
///
/// ```
/// use edgec_artifact::UnixTime;
///
/// let expires = UnixTime::from_seconds(1_893_456_000);
/// assert_eq!(expires.to_string(), "2030-01-01T00:00:00Z");
/// assert!(UnixTime::EPOCH < expires);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// 1970-01-01T00:00:00Z, the earliest time.
    pub const EPOCH: Self = Self(0);
    /// The latest time, in a year long after 9999.
    pub const MAX: Self = Self(u64::MAX);

    /// The time this many seconds after 1970.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The number of seconds after 1970.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// The time after `duration`, in whole seconds. `None` if it is later than [`Self::MAX`].
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration.as_secs()).map(Self)
    }

    /// The time before `duration`, in whole seconds. If that lies before 1970, [`Self::EPOCH`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

/// Drops parts of a second.
///
/// # Errors
///
/// A time before 1970 has no [`UnixTime`].
impl TryFrom<SystemTime> for UnixTime {
    type Error = SystemTimeError;

    fn try_from(time: SystemTime) -> Result<Self, SystemTimeError> {
        Ok(Self(time.duration_since(UNIX_EPOCH)?.as_secs()))
    }
}

/// As in RFC 3339, in UTC. A time after the year 9999 is a number of seconds.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNIX_EPOCH.checked_add(Duration::from_secs(self.0)) {
            Some(time) if self.0 < AFTER_9999 => humantime::format_rfc3339(time).fmt(f),
            _ => write!(f, "{} s after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_in_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_893_456_000, "2030-01-01T00:00:00Z"),
            (AFTER_9999 - 1, "9999-12-31T23:59:59Z"),
            (AFTER_9999, "253402300800 s after 1970"),
            (u64::MAX, "18446744073709551615 s after 1970"),
        ] {
            assert_eq!(UnixTime::from_seconds(seconds).to_string(), text);
        }
    }

    #[test]
    fn in_json_a_time_is_a_number() {
        let time = UnixTime::from_seconds(7);
        assert_eq!(crate::canonical::encode(&time), b"7");
        assert_eq!(crate::canonical::decode::<UnixTime>(b"7"), Ok(time));
        let error = crate::canonical::decode::<UnixTime>(b"\"7\"").unwrap_err();
        assert!(error.to_string().contains("expected u64"), "{error}");
    }

    #[test]
    fn times_of_the_system_are_whole_seconds_from_1970_on() {
        let later = UNIX_EPOCH + Duration::from_millis(2500);
        assert_eq!(UnixTime::try_from(later).ok(), Some(UnixTime(2)));
        assert!(UnixTime::try_from(UNIX_EPOCH - Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_sum_is_a_time_or_nothing() {
        let time = UnixTime::from_seconds(5);
        let later = time.checked_add(Duration::from_millis(1999));
        assert_eq!(later, Some(UnixTime(6)));
        assert_eq!(UnixTime::MAX.checked_add(Duration::from_secs(1)), None);
        let earlier = |seconds| time.saturating_sub(Duration::from_secs(seconds));
        assert_eq!(earlier(3), UnixTime(2));
        assert_eq!(earlier(6), UnixTime::EPOCH);
    }
}
