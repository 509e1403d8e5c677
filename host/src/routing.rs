//! From a request to its application: by the name of the host, then by the longest prefix of the
//! path.
//!
//! The host of a request is read strictly. If two readers of a request can disagree about its
//! host, one of them routes it to another tenant, so a request is refused if it is ambiguous: no
//! `Host` field or several, a user name, a field that differs from the authority in HTTP/2.
//!
//! Source: RFC 9110, sections 4.2 and 7.2; RFC 9112, section 3.2; RFC 9113, section 8.3.1.

use std::collections::HashMap;

use http::header::HOST;
use http::{HeaderMap, Uri, Version};

use crate::config::{HostPattern, PathPrefix};
use crate::destination::is_served_host;

/// Finds the application of a request. `A` is what it finds.
#[derive(Debug)]
pub struct Router<A> {
    /// By the whole name.
    exact: HashMap<String, Paths<A>>,
    /// By the end of the name, without `*.`.
    below: HashMap<String, Paths<A>>,
    /// For all other hosts.
    any: Paths<A>,
}

/// The prefixes of one host, the longest first.
type Paths<A> = Vec<(PathPrefix, A)>;

/// Why a request has no application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The request does not name exactly one host.
    #[error("the request does not name one host")]
    Host,
    /// The target of the request has a scheme that this host does not serve.
    #[error("the scheme of the request's target is neither http nor https")]
    Scheme,
    /// No application answers for the host.
    #[error("no application answers for this host")]
    UnknownHost,
    /// No application of the host answers for the path.
    #[error("no application answers for this path")]
    UnknownPath,
}

impl<A> Default for Router<A> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            any: Vec::new(),
        }
    }
}

impl<A: Clone> Router<A> {
    /// Adds an application. An empty list of hosts means all that no other application has.
    pub fn add(&mut self, hosts: &[HostPattern], path: &PathPrefix, application: &A) {
        let put = |paths: &mut Paths<A>| {
            paths.push((path.clone(), application.clone()));
            paths.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_str().len()));
        };
        if hosts.is_empty() {
            put(&mut self.any);
        }
        for host in hosts {
            let paths = match host.below() {
                Some(name) => self.below.entry(name.to_owned()),
                None => self.exact.entry(host.as_str().to_owned()),
            };
            put(paths.or_default());
        }
    }

    /// The application for a host in lower case and a path.
    ///
    /// # Errors
    ///
    /// [`RouteError`].
    pub fn find(&self, host: &str, path: &str) -> Result<&A, RouteError> {
        let paths = self.paths(host).ok_or(RouteError::UnknownHost)?;
        let found = paths
            .iter()
            .find(|(prefix, _)| begins(path, prefix.as_str()));
        found.map(|(_, it)| it).ok_or(RouteError::UnknownPath)
    }

    /// The most specific host: a whole name, then the longest end of the name, then the rest.
    fn paths(&self, host: &str) -> Option<&Paths<A>> {
        // Most hosts are here, and this makes no copy.
        if let Some(paths) = self.exact.get(host) {
            return Some(paths);
        }
        let mut rest = host;
        while !self.below.is_empty()
            && let Some((_, end)) = rest.split_once('.')
        {
            if let Some(paths) = self.below.get(end) {
                return Some(paths);
            }
            rest = end;
        }
        (!self.any.is_empty()).then_some(&self.any)
    }
}

/// Whether a path begins with a prefix, in whole segments.
fn begins(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    prefix == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The host that a request names, in lower case and without a port.
///
/// # Errors
///
/// [`RouteError::Host`] if the request does not name exactly one host, and [`RouteError::Scheme`]
/// if its target has another scheme than `http` and `https`.
pub fn host_of(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<String, RouteError> {
    // The port that a target without one means. A target that is only a path has no scheme.
    let usual_port = match uri.scheme_str() {
        None => None,
        Some(scheme) if scheme.eq_ignore_ascii_case("http") => Some(80),
        Some(scheme) if scheme.eq_ignore_ascii_case("https") => Some(443),
        Some(_) => return Err(RouteError::Scheme),
    };
    let mut fields = headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(RouteError::Host);
    }
    let field = field
        .map(|field| field.to_str().map_err(|_| RouteError::Host))
        .transpose()?;
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let named = match (authority, field) {
        // HTTP/1.1 needs the field, also beside an authority.
        (Some(_), None) if version == Version::HTTP_11 => return Err(RouteError::Host),
        (Some(authority), Some(field)) if !is_same(authority, field, usual_port) => {
            return Err(RouteError::Host);
        }
        (Some(authority), _) => authority,
        (None, Some(field)) => field,
        (None, None) => return Err(RouteError::Host),
    };
    host_in(named).ok_or(RouteError::Host)
}

/// Whether two authorities are the same. One may name the usual port that the other leaves out.
fn is_same(one: &str, other: &str, usual_port: Option<u16>) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let (Some((one, port)), Some((other, other_port))) = (parts(one), parts(other)) else {
        return false;
    };
    one.eq_ignore_ascii_case(other) && port.or(usual_port) == other_port.or(usual_port)
}

/// The host in `host[:port]`, in lower case.
fn host_in(text: &str) -> Option<String> {
    let (host, _) = parts(text)?;
    let host = host.to_ascii_lowercase();
    // A name may end with a dot, which means the root of the names.
    let short = host.strip_suffix('.').unwrap_or(&host);
    is_served_host(short).then(|| short.to_owned())
}

/// The host and the port of `host[:port]`. An empty port is none (RFC 3986, section 3.2.3).
fn parts(text: &str) -> Option<(&str, Option<u16>)> {
    // The port follows the last colon, and an IPv6 address ends with a bracket.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, port),
        _ => (text, ""),
    };
    let is_plain = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    match port {
        "" => Some((host, None)),
        _ if is_plain => Some((host, Some(port.parse().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
