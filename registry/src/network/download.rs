//! Fetches blobs. A transfer that breaks off goes on where it ended, if the registry can do that.
//!
//! Source: OCI Distribution Specification 1.1, "Pulling blobs"; RFC 9110, section 14.

use edgec_artifact::Sha256Digest;
use http::{HeaderMap, Method, StatusCode, header};

use super::NetworkRepository;
use super::answer::{self, Body};
use super::failure::{Failure, host_of};
use super::request::{Access, Ask, pause};
use crate::RegistryError;
use crate::checked::Incoming;
use crate::error::silence;
use crate::retry::Backoff;

/// So many bytes make an attempt count as progress: failures before it are forgotten. A registry
/// that breaks off each time could otherwise hold a host forever with a byte at a time.
pub(super) const PROGRESS: u64 = 256 << 10;

impl NetworkRepository {
    pub(super) async fn head_blob(
        &self,
        digest: Sha256Digest,
        size: u64,
        access: Access<'_>,
    ) -> Result<bool, RegistryError> {
        let what = format!("blob sha256:{digest}");
        let url = self.url(&format!("blobs/sha256:{digest}"));
        let ask = Ask::new(Method::HEAD, url, access, &what);
        let answer = match self.ask(&ask, &[StatusCode::OK]).await {
            Ok(answer) => answer,
            Err(error) if error.is_absence() => return Ok(false),
            Err(error) => return Err(error),
        };
        match answer::length(answer.headers()) {
            Some(found) if found != size => Err(RegistryError::Size {
                what: format!("{what} of {}", self.place()),
                expected: size,
                found,
            }),
            _ => Ok(true),
        }
    }

    pub(super) async fn fetch_blob(
        &self,
        incoming: &mut Incoming<'_>,
    ) -> Result<(), RegistryError> {
        let mut backoff = Backoff::new(self.client.options.retries);
        let mut mark = 0;
        // An empty blob needs no request.
        while incoming.left() > 0 {
            let failure = match self.fetch_part(incoming).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            if incoming.received() >= mark + PROGRESS {
                mark = incoming.received();
                backoff.reset();
            }
            pause(&mut backoff, cut_short(failure, incoming)).await?;
        }
        Ok(())
    }

    /// Fetches what is missing, in one request.
    async fn fetch_part(&self, incoming: &mut Incoming<'_>) -> Result<(), Failure> {
        let start = incoming.received();
        let url = self.url(&format!("blobs/sha256:{}", incoming.digest()));
        let what = format!("blob sha256:{}", incoming.digest());
        let mut ask = Ask::new(Method::GET, url, Access::Pull, &what);
        if start > 0 {
            ask = ask.with(header::RANGE, &format!("bytes={start}-"));
        }
        let expected = [StatusCode::OK, StatusCode::PARTIAL_CONTENT];
        let mut answer = self.once(&ask, &expected).await?;
        let mut skip = 0;
        if answer.status() == StatusCode::PARTIAL_CONTENT {
            self.check_range(answer.headers(), start, incoming)?;
        } else {
            // The registry sends all of it again.
            skip = start;
            if let Some(length) = answer::length(answer.headers())
                && length != incoming.size()
            {
                return Err(incoming.wrong_size(length).into());
            }
        }
        let idle = self.client.options.timeouts.idle;
        let mut body = Body::new(&mut answer.response, idle);
        while let Some(bytes) = body.next().await? {
            let bytes = bytes.as_ref();
            let known = usize::try_from(skip).map_or(bytes.len(), |it| it.min(bytes.len()));
            skip -= known as u64;
            incoming.take(bytes.get(known..).unwrap_or_default())?;
        }
        match incoming.left() {
            0 => Ok(()),
            left => Err(Failure::again(RegistryError::Unreachable {
                host: host_of(answer.response.url()),
                attempts: 1,
                reason: format!("the answer ended {left} bytes early"),
            })),
        }
    }

    /// Whether a part starts where it must, and is of a blob of this size.
    fn check_range(
        &self,
        headers: &HeaderMap,
        start: u64,
        incoming: &Incoming<'_>,
    ) -> Result<(), RegistryError> {
        let text = headers
            .get(header::CONTENT_RANGE)
            .and_then(|it| it.to_str().ok());
        let range = text.and_then(parse_range);
        match range {
            Some((first, _)) if start == 0 || first != start => {}
            Some((_, Some(size))) if size != incoming.size() => {
                return Err(incoming.wrong_size(size));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        Err(RegistryError::Answer {
            place: self.place(),
            what: format!(
                "it does not have the part of {} that was asked for",
                incoming.what()
            ),
        })
    }
}

/// The first byte of `bytes 5-9/10`, and the whole length if it is known.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, size.trim().parse().ok()))
}

/// After the first bytes, a failing connection is a transfer that broke off.
fn cut_short(failure: Failure, incoming: &Incoming<'_>) -> Failure {
    let (error, wait) = match failure {
        Failure::Again { error, wait } if incoming.received() > 0 => (error, wait),
        failure => return failure,
    };
    let reason = match error {
        RegistryError::Unreachable { reason, .. } => reason,
        RegistryError::Silent { idle, .. } => silence(idle),
        error => return Failure::Again { error, wait },
    };
    Failure::Again {
        error: RegistryError::CutShort {
            what: incoming.what().to_owned(),
            received: incoming.received(),
            expected: incoming.size(),
            attempts: 1,
            reason,
        },
        wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(parse_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(parse_range("bytes 0-9/*"), Some((0, None)));
        for text in [
            "",
            "bytes",
            "bytes */10",
            "bytes x-9/10",
            "lines 5-9/10",
            "bytes 5/10",
        ] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }
}
