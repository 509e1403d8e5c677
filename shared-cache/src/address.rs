//! The URL of a shared cache.
//!
//! ```text
//! redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE][/PREFIX]     rediss: with TLS
//! s3://BUCKET[/PREFIX][?endpoint=URL][&region=NAME][&style=path|host]
//! webdav://[USER:PASSWORD@]HOST[:PORT][/PREFIX]               webdavs: with TLS
//! ghac://[PREFIX]
//! ```
//!
//! A URL may have a password in it, so nothing here repeats a URL as it was written: its text for
//! messages is made of its parts.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

/// What the URLs of shared caches begin with.
pub const SCHEMES: [&str; 6] = ["redis", "rediss", "s3", "webdav", "webdavs", "ghac"];

/// The URL of a shared cache, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(crate) place: Place,
    pub(crate) login: Login,
    /// The folder in it, without a slash at its ends; may be empty.
    pub(crate) prefix: String,
}

/// Where a shared cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Redis {
        tls: bool,
        host: String,
        port: u16,
        database: u16,
    },
    S3 {
        bucket: String,
        endpoint: Option<String>,
        region: Option<String>,
        /// Whether the bucket is a part of the host's name.
        in_host: bool,
    },
    WebDav {
        /// `http://HOST[:PORT]`, or the same with `https`.
        endpoint: String,
    },
    /// The cache of GitHub Actions. The runner's environment says where it is.
    Actions,
}

/// The user who logs in.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Zeroizing<String>>,
}

/// Why a text is not the URL of a shared cache. No error repeats the text.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not a URL.
    #[error("the URL of the shared cache is malformed: {source}")]
    Malformed {
        /// What the parser said.
        source: url::ParseError,
    },
    /// A URL of something else.
    #[error("`{scheme}://` is not a shared cache")]
    Scheme {
        /// What the URL begins with.
        scheme: String,
    },
    /// A host or a bucket is missing.
    #[error("the URL of the shared cache names no {missing}")]
    Missing {
        /// What is missing: `host` or `bucket`.
        missing: &'static str,
    },
    /// A user or a password where there cannot be one.
    #[error("the URL of the shared cache has a user or a password, and `{scheme}://` takes none")]
    Login {
        /// What the URL begins with.
        scheme: &'static str,
    },
    /// An `@` after the host, which is the end of a password that was not encoded.
    #[error(
        "the URL of the shared cache has `@` after its host: in a password, write %2F for /, %3F for ? \
         and %23 for #"
    )]
    At,
    /// A parameter that this kind of cache does not have, or one with an unfit value.
    #[error("the URL of the shared cache has an unknown or unfit parameter `{name}`")]
    Parameter {
        /// The parameter's name.
        name: String,
    },
}

impl AddressError {
    /// A short name for the error that does not change between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme { .. } => "cache-scheme",
            _ => "cache-url",
        }
    }
}

impl Address {
    /// Takes a URL apart.
    ///
    /// # Errors
    ///
    /// [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = |source| AddressError::Malformed { source };
        let url = Url::parse(text).map_err(malformed)?;
        // A password with a slash ends the host too early. Then its rest would be in messages.
        let after_host = [Some(url.path()), url.query(), url.fragment()];
        if after_host
            .into_iter()
            .flatten()
            .any(|text| text.contains('@'))
        {
            return Err(AddressError::At);
        }
        let mut parameters = Parameters::of(&url)?;
        let host = || match url.host_str() {
            Some(host) if !host.is_empty() => Ok(host.to_owned()),
            _ => Err(AddressError::Missing { missing: "host" }),
        };
        let mut prefix = decoded(url.path().trim_matches('/'));
        let scheme = url.scheme();
        let place = match scheme {
            "redis" | "rediss" => {
                let database;
                (database, prefix) = database_in(&prefix);
                Place::Redis {
                    tls: scheme == "rediss",
                    host: host()?,
                    port: url.port().unwrap_or(6379),
                    database,
                }
            }
            "s3" => {
                refuse_login(&url, "s3")?;
                let bucket = host().map_err(|_| AddressError::Missing { missing: "bucket" })?;
                Place::S3 {
                    bucket,
                    endpoint: parameters
                        .take("endpoint")
                        .map(checked_endpoint)
                        .transpose()?,
                    region: parameters.take("region"),
                    in_host: match parameters.take("style").as_deref() {
                        None | Some("path") => false,
                        Some("host") => true,
                        Some(_) => return Err(unfit("style")),
                    },
                }
            }
            "webdav" | "webdavs" => {
                let http = if scheme == "webdav" { "http" } else { "https" };
                let port = url.port().map(|port| format!(":{port}"));
                Place::WebDav {
                    endpoint: format!("{http}://{}{}", host()?, port.unwrap_or_default()),
                }
            }
            "ghac" => {
                refuse_login(&url, "ghac")?;
                let first = url.host_str().unwrap_or_default();
                prefix = format!("{first}/{prefix}").trim_matches('/').to_owned();
                Place::Actions
            }
            other => {
                let scheme = other.to_owned();
                return Err(AddressError::Scheme { scheme });
            }
        };
        parameters.refuse_others()?;
        let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
        let password = url.password().map(|text| Zeroizing::new(decoded(text)));
        Ok(Self {
            place,
            login: Login { user, password },
            prefix,
        })
    }

    /// The same cache. A user and a password that the URL does not name are these, if this kind of
    /// cache takes them.
    #[must_use]
    pub fn with_login(mut self, user: Option<String>, password: Option<Zeroizing<String>>) -> Self {
        if matches!(self.place, Place::Redis { .. } | Place::WebDav { .. }) {
            self.login.user = self.login.user.or(user);
            self.login.password = self.login.password.or(password);
        }
        self
    }
}

/// The URL without a user, a password and parameters.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Redis {
                tls,
                host,
                port,
                database,
            } => {
                let scheme = if *tls { "rediss" } else { "redis" };
                write!(f, "{scheme}://{host}:{port}/{database}")?;
            }
            Place::S3 { bucket, .. } => write!(f, "s3://{bucket}")?,
            Place::WebDav { endpoint } => f.write_str(&endpoint.replacen("http", "webdav", 1))?,
            Place::Actions if self.prefix.is_empty() => return f.write_str("ghac://"),
            Place::Actions => return write!(f, "ghac://{}", self.prefix),
        }
        match self.prefix.is_empty() {
            true => Ok(()),
            false => write!(f, "/{}", self.prefix),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The parameters of a URL.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(url: &Url) -> Result<Self, AddressError> {
        if url.fragment().is_some() {
            return Err(unfit("#"));
        }
        let pairs = url.query_pairs().into_owned();
        Ok(Self(pairs.collect()))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let found = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(found).1)
    }

    fn refuse_others(&self) -> Result<(), AddressError> {
        match self.0.first() {
            Some((name, _)) => Err(unfit(name)),
            None => Ok(()),
        }
    }
}

fn unfit(name: &str) -> AddressError {
    AddressError::Parameter {
        name: name.to_owned(),
    }
}

/// The endpoint of an S3 store: a URL of HTTP without a user.
fn checked_endpoint(text: String) -> Result<String, AddressError> {
    let url = Url::parse(&text).map_err(|_| unfit("endpoint"))?;
    let is_http = matches!(url.scheme(), "http" | "https");
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match is_http && is_bare {
        true => Ok(text),
        false => Err(unfit("endpoint")),
    }
}

fn refuse_login(url: &Url, scheme: &'static str) -> Result<(), AddressError> {
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(()),
        false => Err(AddressError::Login { scheme }),
    }
}

/// The number of a Redis database with which a path begins, and the rest of the path.
fn database_in(path: &str) -> (u16, String) {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first.parse() {
        Ok(database) => (database, rest.to_owned()),
        Err(_) => (0, path.to_owned()),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Address::parse(text).unwrap().to_string()
    }

    #[test]
    fn urls_are_shown_without_secrets() {
        for (text, expected) in [
            ("redis://h", "redis://h:6379/0"),
            ("redis://u:s3cret@h:1/2/a/b", "redis://h:1/2/a/b"),
            ("rediss://:s3cret@h/a", "rediss://h:6379/0/a"),
            ("s3://bucket", "s3://bucket"),
            (
                "s3://bucket/a/?endpoint=http://h:1&region=r&style=host",
                "s3://bucket/a",
            ),
            ("webdav://u:s3cret@h:8080/a", "webdav://h:8080/a"),
            ("webdavs://h", "webdavs://h"),
            ("ghac://", "ghac://"),
            ("ghac://edgec/a", "ghac://edgec/a"),
        ] {
            assert_eq!(shown(text), expected);
            let debug = format!("{:?}", Address::parse(text));
            assert!(!debug.contains("s3cret"), "{debug}");
        }
    }

    #[test]
    fn a_login_comes_from_the_url_or_from_elsewhere() {
        let given = || (Some("me".to_owned()), Some(Zeroizing::new("pw".to_owned())));
        let login = |text: &str| {
            let (user, password) = given();
            let login = Address::parse(text).unwrap().with_login(user, password);
            let Login { user, password } = login.login;
            (user, password.map(|it| it.as_str().to_owned()))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(login("redis://h"), (some("me"), some("pw")));
        assert_eq!(login("redis://:a%40b@h"), (some("me"), some("a@b")));
        assert_eq!(login("webdav://you:x@h"), (some("you"), some("x")));
        // The environment of AWS and of the runner has these.
        assert_eq!(login("s3://b"), (None, None));
        assert_eq!(login("ghac://"), (None, None));
    }

    #[test]
    fn each_error_has_a_case() {
        let error = |text: &str| Address::parse(text).unwrap_err();
        assert!(matches!(
            error("redis://h:x"),
            AddressError::Malformed { .. }
        ));
        assert!(matches!(error("cache"), AddressError::Malformed { .. }));
        for scheme in ["http", "file", "memcached"] {
            let text = format!("{scheme}://h");
            assert!(
                matches!(error(&text), AddressError::Scheme { .. }),
                "{text}"
            );
        }
        assert_eq!(
            error("redis:///1"),
            AddressError::Missing { missing: "host" }
        );
        for text in [
            "redis://u:12/3@h",
            "redis://u:1?p@h",
            "webdav://u:1#p@h",
            "s3://b?endpoint=http://u:s3cret@h",
        ] {
            assert_eq!(error(text), AddressError::At);
        }
        assert_eq!(
            error("s3:///x"),
            AddressError::Missing { missing: "bucket" }
        );
        assert_eq!(
            error("s3://key:s3cret@bucket"),
            AddressError::Login { scheme: "s3" }
        );
        for text in [
            "redis://h?x=1",
            "s3://b?style=x",
            "s3://b?endpoint=ftp://h",
            "webdav://h/#x",
        ] {
            let error = error(text);
            assert!(matches!(error, AddressError::Parameter { .. }), "{text}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        assert_eq!(error("redis://h?x=1").code(), "cache-url");
        assert_eq!(error("http://h").code(), "cache-scheme");
    }
}
