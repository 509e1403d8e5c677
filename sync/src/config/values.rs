//! Values that a TOML type alone does not describe. A value checks itself while it is read, so that
//! the parser adds its place.

use std::fmt;

use edgec_configuration::{Word, words};
use edgec_registry::Reference;
use serde::{Deserialize, Deserializer, de};

words!(Url, Followed, Mirror);

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

/// A reference that is followed.
pub(super) struct Followed(pub(super) Reference);

impl Word for Followed {
    const WRITE: &'static str = "a reference, such as \"registry.example/shop:stable\"";

    fn read(text: &str) -> Result<Self, String> {
        let read = text.parse().map(Self);
        read.map_err(|error| format!("write {}: {error}", Self::WRITE))
    }
}

/// A registry that has what others have: `HOST` or `HOST:PORT`, as in a reference, and perhaps the
/// first parts of its repositories there, such as the project of a proxy cache of Harbor.
pub(super) struct Mirror(pub(super) String);

impl Word for Mirror {
    const WRITE: &'static str = "a host, such as \"cache.example\", \"cache:5000\" or \
                                 \"harbor.example/proxy\"; a name without a dot needs a port";

    fn read(text: &str) -> Result<Self, String> {
        let place = format!("{text}/name");
        let reference = format!("{place}:tag").parse::<Reference>();
        let is_read_so = reference.is_ok_and(|it| {
            let (host, repository) = (it.registry(), it.repository());
            host.zip(repository).zip(place.split_once('/')).is_some_and(
                |((host, repository), (first, rest))| {
                    host.eq_ignore_ascii_case(first) && repository == rest
                },
            )
        });
        match is_read_so {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("write {}", Self::WRITE)),
        }
    }
}
