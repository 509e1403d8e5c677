//! Durations.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::word::{Word, number_and_unit, word};

/// A duration: `"10s"`, `"250ms"`, `"5min"`, `"1h"`, and `"2d"` if it may last longer than a day.
/// The longest that is read has `DAYS` days, so sums of them do not overflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period<const DAYS: u64>(Duration);

impl<const DAYS: u64> Period<DAYS> {
    /// The longest duration that is read.
    pub const MOST: Duration = Duration::from_secs(DAYS * 24 * 60 * 60);

    /// This many milliseconds.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// This many seconds.
    #[must_use]
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl<const DAYS: u64> fmt::Display for Period<DAYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<const DAYS: u64> Word for Period<DAYS> {
    const WRITE: &'static str = "a duration, such as \"30s\", \"10min\" or \"250ms\"";

    fn read(text: &str) -> Result<Self, String> {
        let (units, most) = match DAYS {
            1 => ("ms, s, min or h", "a day".to_owned()),
            days => ("ms, s, min, h or d", format!("{days} days")),
        };
        let (number, unit) = number_and_unit(text);
        let number = number.parse::<u64>();
        let number = number.map_err(|_| format!("write {}", Self::WRITE))?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" if DAYS > 1 => 86_400_000,
            _ => return Err(format!("write {}; its unit is {units}", Self::WRITE)),
        };
        let period = number.checked_mul(millis).map(Duration::from_millis);
        match period.filter(|period| *period <= Self::MOST) {
            Some(period) => Ok(Self(period)),
            None => Err(format!("the duration is too long; {most} is the limit")),
        }
    }
}

impl<'de, const DAYS: u64> Deserialize<'de> for Period<DAYS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_a_limit() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            (" 10 s ", 10_000),
            ("5min", 300_000),
            ("24h", 86_400_000),
        ] {
            assert_eq!(
                Period::<1>::read(text),
                Ok(Period::millis(millis)),
                "{text}"
            );
        }
        assert_eq!(Period::<366>::read("366d"), Ok(Period::secs(31_622_400)));
        for (text, says) in [
            ("", "write a duration"),
            ("s", "write a duration"),
            ("-1s", "write a duration"),
            ("99999999999999999999s", "write a duration"),
            ("1", "its unit is ms, s, min or h"),
            ("1d", "its unit is ms, s, min or h"),
            ("25h", "a day is the limit"),
            ("18446744073709551615h", "a day is the limit"),
        ] {
            let error = Period::<1>::read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = Period::<366>::read("367d").unwrap_err();
        assert!(error.contains("366 days is the limit"), "{error}");
        let error = Period::<366>::read("1m").unwrap_err();
        assert!(error.contains("its unit is ms, s, min, h or d"), "{error}");
        assert_eq!(Period::<1>::millis(1500).to_string(), "1.5s");
    }
}
