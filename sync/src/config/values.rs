//! Values that a TOML type alone does not describe. A value checks itself while it is read, so that
//! the parser adds its place.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use super::MAX_PERIOD;

/// A value that is written as text.
trait Word: Sized {
    /// What users write there. The messages put "write" in front of it.
    const WRITE: &'static str;

    /// Reads the text. The error says what is wrong with it.
    fn read(text: &str) -> Result<Self, String>;
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
}

macro_rules! words {
    ($($name:ty),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Reader(PhantomData))
            }
        }
    )*};
}

words!(Period, Url);

/// A duration: `"250ms"`, `"10s"`, `"5min"`, `"1h"`, `"2d"`. The longest is 366 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
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

impl Word for Period {
    const WRITE: &'static str = "a duration, such as \"30s\", \"10min\" or \"250ms\"";

    fn read(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text
            .split_at_checked(end.unwrap_or(text.len()))
            .unwrap_or((text, ""));
        let number: u64 = number
            .parse()
            .map_err(|_| format!("write {}", Self::WRITE))?;
        let millis = match unit.trim_start() {
            "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => {
                return Err(format!(
                    "write {}; its unit is ms, s, min, h or d",
                    Self::WRITE
                ));
            }
        };
        let millis = number.checked_mul(millis).map(Duration::from_millis);
        match millis.filter(|period| *period <= MAX_PERIOD) {
            Some(period) => Ok(Self(period)),
            None => Err("the duration is too long; 366 days is the limit".to_owned()),
        }
    }
}

/// Reads a duration that is not zero.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Period, D::Error> {
    match Period::deserialize(deserializer)? {
        period if period.get().is_zero() => Err(de::Error::custom(format!(
            "0 is no time: write {}",
            Period::WRITE
        ))),
        period => Ok(period),
    }
}

/// A part of a whole, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Share {
    /// Everything.
    pub const ALL: Self = Self(1.0);

    /// This part; `None` unless it is from 0 to 1.
    #[must_use]
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// The part, from 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;

        impl de::Visitor<'_> for Part {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1, such as 0.05")
            }

            fn visit_f64<E: de::Error>(self, share: f64) -> Result<Share, E> {
                let unexpected = de::Unexpected::Float(share);
                Share::new(share).ok_or_else(|| E::invalid_value(unexpected, &self))
            }

            fn visit_i64<E: de::Error>(self, share: i64) -> Result<Share, E> {
                match share {
                    0 => Ok(Share(0.0)),
                    1 => Ok(Share::ALL),
                    _ => Err(E::invalid_value(de::Unexpected::Signed(share), &self)),
                }
            }

            fn visit_u64<E: de::Error>(self, share: u64) -> Result<Share, E> {
                match i64::try_from(share) {
                    Ok(share) => self.visit_i64(share),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Unsigned(share), &self)),
                }
            }
        }

        deserializer.deserialize_any(Part)
    }
}

/// An address that is asked with HTTP: `http://HOST:PORT/PATH`, or `unix:/PATH`, a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    pub(crate) place: Place,
    /// The path of the request, from its slash.
    pub(crate) path: String,
}

/// Whom a [`Url`] names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A host, and its port.
    Tcp(String, u16),
    /// A socket of this machine.
    Unix(std::path::PathBuf),
}

impl Url {
    /// Reads it. The error says what to write.
    ///
    /// # Errors
    ///
    /// A text for users.
    pub fn read(text: &str) -> Result<Self, String> {
        <Self as Word>::read(text)
    }

    /// The Unix socket at this path.
    #[must_use]
    pub fn unix(path: std::path::PathBuf) -> Self {
        Self {
            place: Place::Unix(path),
            path: String::new(),
        }
    }

    /// The same place, asked for another path if the text named none.
    #[must_use]
    pub(crate) fn or_path(&self, path: &str) -> Self {
        match &*self.path {
            "/" | "" => Self {
                place: self.place.clone(),
                path: path.to_owned(),
            },
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp(host, port) => write!(f, "http://{host}:{port}{}", self.path),
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Word for Url {
    const WRITE: &'static str =
        "an address, such as \"http://10.0.0.1:9600/status\" or \"unix:/run/edgec/admin.sock\"";

    fn read(text: &str) -> Result<Self, String> {
        let wrong = || format!("write {}", Self::WRITE);
        if !text.chars().all(|c| c.is_ascii_graphic()) || text.len() > 2048 {
            return Err(wrong());
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = std::path::PathBuf::from(path);
            let place = Place::Unix(path);
            let path = String::new();
            return match &place {
                Place::Unix(at) if at.is_absolute() => Ok(Self { place, path }),
                _ => Err(wrong()),
            };
        }
        if text.starts_with("https:") {
            return Err("write an address with http: TLS is for a proxy in front of it".to_owned());
        }
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse::<u16>().map_err(|_| wrong())?)
            }
            _ => (authority, 80),
        };
        if host.is_empty() || host.contains(['@', '?', '#']) {
            return Err(wrong());
        }
        let path = match path {
            "" => "/",
            path => path,
        };
        Ok(Self {
            place: Place::Tcp(host.to_owned(), port),
            path: path.to_owned(),
        })
    }
}
