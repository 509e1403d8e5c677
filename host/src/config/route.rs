//! The requests that an application gets: by their host, and by the beginning of their path.

use std::str::FromStr;

use edgec_configuration::{Word, words};

use crate::destination::is_served_host;

words!(HostPattern, PathPrefix);

/// The hosts of an application: one name (`shop.example`), or all names below one
/// (`*.shop.example`, which `shop.example` itself is not). In lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(String);

impl HostPattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For all names below one: that name.
    pub fn below(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }
}

impl Word for HostPattern {
    const WRITE: &'static str = "a host name in quotes, such as \"shop.example\" or \"*.example\"";

    fn read(text: &str) -> Result<Self, String> {
        let pattern = text.to_ascii_lowercase();
        let name = pattern.strip_prefix("*.").unwrap_or(&pattern);
        if is_served_host(name) {
            return Ok(Self(pattern));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            let scheme: String = scheme.chars().take(20).collect();
            return Err(format!(
                "a host has no scheme: write {}, without `{scheme}://`",
                Self::WRITE
            ));
        }
        let port = "the port does not belong here: an application answers at every port";
        match text.rsplit_once(':') {
            Some((name, _)) if is_served_host(name) => Err(port.to_owned()),
            _ => Err(format!(
                "this is not the name of a host: write {}",
                Self::WRITE
            )),
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text)
    }
}

/// The beginning of the paths of an application, in whole segments: `/shop` stands for `/shop` and
/// `/shop/cart`, but not for `/shopping`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// The prefix as text. It begins with `/`. It ends with `/` only if it is `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PathPrefix {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl Word for PathPrefix {
    const WRITE: &'static str = "a path in quotes, such as \"/shop\"";

    fn read(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_graphic() && !['?', '#', '%', '\\', '*'].contains(&c);
        if !text.starts_with('/') {
            Err("the path does not begin with `/`".to_owned())
        } else if !text.chars().all(plain) {
            Err("write letters, digits and signs that a path has without `%`".to_owned())
        } else if text.split('/').any(|part| part == "." || part == "..") || text.contains("//") {
            Err("the path has an empty segment, `.` or `..`".to_owned())
        } else {
            let short = text.strip_suffix('/').unwrap_or(text);
            Ok(Self(if short.is_empty() { "/" } else { short }.to_owned()))
        }
    }
}

impl FromStr for PathPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text)
    }
}
