//! Values in a configuration that a TOML type alone does not describe. A value checks itself while
//! it is read, so that the parser adds its place.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserializer, de};

/// A value that is written as text, and sometimes as a number.
pub(super) trait Word: Sized {
    /// What users write there. The messages put "write" in front of it.
    const WRITE: &'static str;

    /// Reads the text. The error says what is wrong with it.
    fn read(text: &str) -> Result<Self, String>;

    /// The value of a bare number, if that is allowed.
    fn number(_: u64) -> Option<Self> {
        None
    }
}

/// Reads a [`Word`]. The visitor finds the error, so that the parser knows the place.
pub(super) fn word<'de, W: Word, D: Deserializer<'de>>(deserializer: D) -> Result<W, D::Error> {
    deserializer.deserialize_any(Reader(PhantomData))
}

struct Reader<W>(PhantomData<W>);

impl<W: Word> de::Visitor<'_> for Reader<W> {
    type Value = W;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(W::WRITE)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<W, E> {
        W::read(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<W, E> {
        let unexpected = || E::invalid_type(de::Unexpected::Unsigned(number), &self);
        W::number(number).ok_or_else(unexpected)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<W, E> {
        let unexpected = || E::invalid_type(de::Unexpected::Signed(number), &self);
        let number = u64::try_from(number).ok().and_then(W::number);
        number.ok_or_else(unexpected)
    }
}

macro_rules! words {
    ($($name:ty),* $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: serde::Deserializer<'de>,
            {
                $crate::config::values::word(deserializer)
            }
        }
    )*};
}
pub(super) use words;

words!(ByteSize, Period);

/// A number of bytes: `"64MiB"`, `"10KiB"`, `"2GiB"`, or a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This number of bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, at most as many as the machine can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
        let whole = |shift: u32| self.0 != 0 && self.0.is_multiple_of(1 << shift);
        match units.iter().find(|(shift, _)| whole(*shift)) {
            Some((shift, unit)) => write!(f, "{} {unit}", self.0 >> shift),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl Word for ByteSize {
    const WRITE: &'static str = "a size, such as \"64MiB\"";

    fn read(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let shift = match unit {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => {
                return Err(format!(
                    "write {}; its unit is KiB, MiB or GiB",
                    Self::WRITE
                ));
            }
        };
        let number: u64 = number
            .parse()
            .map_err(|_| format!("write {}", Self::WRITE))?;
        let bytes = number.checked_mul(1 << shift);
        bytes
            .map(Self)
            .ok_or_else(|| "the size is too large".to_owned())
    }

    fn number(number: u64) -> Option<Self> {
        Some(Self(number))
    }
}

/// A number of the configuration as one of things in memory.
pub(crate) fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A duration: `"10s"`, `"250ms"`, `"5min"`, `"1h"`. The longest is a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// The longest duration: a day.
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);

    /// This many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// This many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// The duration.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Word for Period {
    const WRITE: &'static str = "a duration, such as \"10s\" or \"250ms\"";

    fn read(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let number: u64 = number
            .parse()
            .map_err(|_| format!("write {}", Self::WRITE))?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            _ => {
                return Err(format!(
                    "write {}; its unit is ms, s, min or h",
                    Self::WRITE
                ));
            }
        };
        let millis = number.checked_mul(millis).map(Duration::from_millis);
        match millis.filter(|period| *period <= Self::MOST) {
            Some(period) => Ok(Self(period)),
            None => Err("the duration is too long; a day is the limit".to_owned()),
        }
    }
}

/// The digits at the beginning of a text, and the rest.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    (number, unit.trim_start())
}
