//! Reads answers of registries, which are not trusted: with limits for length and time.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use oci_client::errors::OciEnvelope;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::NetworkRepository;
use super::failure::{Failure, host_of, is_temporary};
use super::loopback::is_loopback;
use crate::RegistryError;
use crate::checked::shown;

/// How many bytes of a transfer must come within the idle time: with its default of 30 seconds,
/// about 2 KB/s. A slow link with stalls meets that. A peer that sends less could hold a host for
/// days.
const STEP: u64 = 64 << 10;
/// How much is read of the text of an error, in bytes.
const MAX_ERROR_LEN: u64 = 16 << 10;

/// The request of an answer, for errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The repository, or the host of another service.
    pub(super) place: &'a str,
    /// What was asked for, such as `tag v1`.
    pub(super) what: &'a str,
    /// What the registry was to do, such as `give tag v1`.
    pub(super) request: &'a str,
    /// Whether it was to change something.
    pub(super) is_write: bool,
    /// Whether credentials were sent.
    pub(super) has_credentials: bool,
    /// The idle time.
    pub(super) idle: Duration,
}

/// The next bytes of an answer; `None` at its end.
pub(super) struct Body<'a> {
    response: &'a mut Response,
    idle: Duration,
    /// When so many bytes must have come.
    end: Instant,
    /// How many bytes came since `end` was set.
    moved: u64,
    /// When the caller got the last bytes. The time that it takes with them does not count.
    given: Instant,
}

impl<'a> Body<'a> {
    pub(super) fn new(response: &'a mut Response, idle: Duration) -> Self {
        let now = Instant::now();
        Self {
            response,
            idle,
            end: now + idle,
            moved: 0,
            given: now,
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
        self.end += self.given.elapsed();
        let next = timeout_at(self.end, self.response.chunk()).await;
        let next = next.map_err(|_| Failure::of_silence(self.response.url(), self.idle))?;
        let next = next.map_err(|error| Failure::of_request(self.response.url(), &error))?;
        if let Some(bytes) = &next {
            self.moved += bytes.len() as u64;
            if self.moved >= STEP {
                self.moved = 0;
                self.end = Instant::now() + self.idle;
            }
        }
        self.given = Instant::now();
        Ok(next)
    }
}

/// The whole body, of at most `limit` bytes. `what` is for errors.
pub(super) async fn read(
    response: &mut Response,
    what: &str,
    limit: u64,
    idle: Duration,
) -> Result<Vec<u8>, Failure> {
    let too_long = || {
        Failure::Final(RegistryError::TooLong {
            what: what.to_owned(),
            limit,
        })
    };
    // A registry may state any length, and send next to nothing of it.
    if length(response.headers()).is_some_and(|it| it > limit) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let mut body = Body::new(response, idle);
    while let Some(next) = body.next().await? {
        let next = next.as_ref();
        if bytes.len() as u64 + next.len() as u64 > limit {
            return Err(too_long());
        }
        bytes.extend_from_slice(next);
    }
    Ok(bytes)
}

/// What an answer other than success means.
pub(super) async fn refusal(response: &mut Response, asked: Asked<'_>) -> Failure {
    let status = response.status();
    let wait = retry_after(response.headers());
    let message = message(response, asked.idle).await;
    let place = asked.place.to_owned();
    if is_temporary(status) {
        let error = RegistryError::Unavailable {
            place,
            status: status.as_u16(),
            attempts: 1,
            message,
            retry_after: wait,
        };
        return Failure::Again { error, wait };
    }
    Failure::Final(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RegistryError::Denied {
            place,
            status: status.as_u16(),
            had_credentials: asked.has_credentials,
            message,
        },
        // A repository that does not exist has no place for what is sent.
        StatusCode::NOT_FOUND if !asked.is_write => RegistryError::Absent {
            place,
            what: asked.what.to_owned(),
        },
        status => RegistryError::Refused {
            place,
            request: asked.request.to_owned(),
            status: status.as_u16(),
            message,
        },
    })
}

/// What a registry says about an error. A text that is not of a registry is not shown: it is a page
/// of a proxy.
async fn message(response: &mut Response, idle: Duration) -> String {
    let Ok(bytes) = read(response, "", MAX_ERROR_LEN, idle).await else {
        return String::new();
    };
    let Ok(envelope) = serde_json::from_slice::<OciEnvelope>(&bytes) else {
        return String::new();
    };
    let first = envelope.errors.first();
    let code = first.and_then(|it| serde_json::to_value(&it.code).ok());
    let code = code.as_ref().and_then(|it| it.as_str()).unwrap_or_default();
    let text = first.map_or("", |it| it.message.as_str());
    match (code, text) {
        (code, "") => shown(code),
        ("", text) => shown(text),
        (code, text) => shown(&format!("{code}, {text}")),
    }
}

/// The time that a registry wants to be left alone, if it gives it in seconds. A date is ignored:
/// the clocks may differ, and the usual times double anyway.
///
/// Source: RFC 9110, section 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// Whether an answer sends on to another address.
///
/// Source: RFC 9110, section 15.4.
pub(super) fn is_moved(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// A number in a header.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

impl NetworkRepository {
    /// The address in the `Location` of an answer from `at`, which may be relative. A registry that
    /// has no TLS because it is on this host sends to no other host without TLS.
    pub(super) fn location(&self, headers: &HeaderMap, at: &Url) -> Result<Url, RegistryError> {
        let value = headers
            .get(header::LOCATION)
            .and_then(|it| it.to_str().ok());
        let url = value.and_then(|it| at.join(it).ok());
        let url = url.ok_or_else(|| RegistryError::Answer {
            place: host_of(at),
            what: "it has no valid `Location`".to_owned(),
        })?;
        let may_be_plain = || {
            let host = url.host_str().unwrap_or_default();
            let is_home = self.base.host_str() == Some(host);
            self.client.options.plain_http || is_home || is_loopback(host)
        };
        match (at.scheme(), url.scheme()) {
            (_, "https") => Ok(url),
            ("http", "http") if may_be_plain() => Ok(url),
            _ => Err(insecure(at, &url)),
        }
    }
}

pub(super) fn insecure(at: &Url, url: &Url) -> RegistryError {
    RegistryError::Insecure {
        host: host_of(at),
        address: shown(&format!(
            "{}://{}{}",
            url.scheme(),
            host_of(url),
            url.path()
        )),
    }
}
