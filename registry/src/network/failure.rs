//! Whether a failure is worth another attempt.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use crate::RegistryError;
use crate::checked::shown;

/// Why one attempt failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt may succeed.
    Again {
        /// The error if there is no other attempt.
        error: RegistryError,
        /// How long the registry wants to be left alone.
        wait: Option<Duration>,
    },
    /// Another attempt would fail too.
    Final(RegistryError),
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    pub(super) fn again(error: RegistryError) -> Self {
        Self::Again { error, wait: None }
    }

    /// A request that got no answer, or no whole one.
    pub(super) fn of_request(url: &Url, error: &reqwest::Error) -> Self {
        let host = host_of(url);
        if let Some(reason) = tls_reason(error) {
            return Self::Final(RegistryError::Tls { host, reason });
        }
        if let Some(reason) = syntax_reason(error) {
            return Self::Final(RegistryError::Answer {
                place: host,
                what: format!("it is not valid HTTP: {reason}"),
            });
        }
        let reason = innermost(error);
        let failed = RegistryError::Unreachable {
            host,
            attempts: 1,
            reason,
        };
        match error.is_builder() {
            true => Self::Final(failed),
            false => Self::again(failed),
        }
    }

    /// A peer that said nothing for too long.
    pub(super) fn of_silence(url: &Url, idle: Duration) -> Self {
        Self::again(RegistryError::Silent {
            host: host_of(url),
            attempts: 1,
            idle,
        })
    }
}

/// Whether the same request may succeed later.
///
/// Source: RFC 9110, section 15; RFC 6585, section 4.
pub(super) fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        )
}

/// The error after so many attempts.
pub(super) fn after(mut error: RegistryError, sent: u32) -> RegistryError {
    match &mut error {
        RegistryError::Unavailable { attempts, .. }
        | RegistryError::Unreachable { attempts, .. }
        | RegistryError::Silent { attempts, .. }
        | RegistryError::CutShort { attempts, .. } => *attempts = sent,
        _ => {}
    }
    error
}

pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The cause of an error. An `io::Error` gives the cause of what it wraps, and not that itself.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// The first cause of this type, or the error itself.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut causes = std::iter::successors(Some(error), |it| cause(*it));
    causes.find_map(|it| it.downcast_ref())
}

/// What is wrong with TLS, if that is what failed.
fn tls_reason(error: &reqwest::Error) -> Option<String> {
    Some(match find(error)? {
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        error => shown(&error.to_string()),
    })
}

/// Why the head of an answer cannot be read, if that is what failed. It would be the same again.
fn syntax_reason(error: &reqwest::Error) -> Option<String> {
    let error: &hyper::Error = find(error)?;
    let reason = match error {
        _ if error.is_parse_too_large() => "its headers, or a length that they state, are too long",
        _ if error.is_parse_status() => "its status is malformed",
        _ if error.is_parse() => "its first line or one of its headers is malformed",
        _ => return None,
    };
    Some(reason.to_owned())
}

/// The innermost cause says most. An error's own text has the address with its query, which may
/// have a secret.
fn innermost(error: &reqwest::Error) -> String {
    let mut inner: &(dyn Error + 'static) = error;
    let mut text = None;
    while let Some(it) = cause(inner) {
        inner = it;
        text = Some(inner.to_string());
    }
    let kind = match error {
        _ if error.is_timeout() => "no connection in time",
        _ if error.is_connect() => "no connection",
        _ => "the connection failed",
    };
    shown(&text.unwrap_or_else(|| kind.to_owned()))
}
