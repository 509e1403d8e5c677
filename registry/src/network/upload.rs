//! Sends blobs: looks for them first, and sends long ones in chunks, so that an upload that breaks
//! off goes on where it ended. Or the registry takes them over from another of its repositories.
//!
//! Source: OCI Distribution Specification 1.1, "Pushing blobs".

use std::fs::File;

use edgec_artifact::Sha256Digest;
use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::NetworkRepository;
use super::body::Content;
use super::download::PROGRESS;
use super::failure::Failure;
use super::request::{Access, Answer, Ask, pause};
use crate::checked::require;
use crate::reference::is_repository;
use crate::retry::Backoff;
use crate::{BlobSource, RegistryError, Sent};

/// Blobs up to this length are sent in one request, longer ones in chunks of this length, in bytes.
/// Amazon's registry takes no chunks below 5 MiB.
const CHUNK: u64 = 8 << 20;
const BINARY: &str = "application/octet-stream";

/// An upload that was started.
struct Upload {
    /// Where the next request goes.
    at: Url,
    /// How many bytes the registry has. `None` after a failure: the registry is asked.
    has: Option<u64>,
}

/// A blob that is sent.
struct Outgoing<'a> {
    digest: Sha256Digest,
    size: u64,
    source: &'a BlobSource<'a>,
    upload: Option<Upload>,
    /// Whether the registry takes no chunks.
    whole: bool,
}

impl Outgoing<'_> {
    /// A part of it.
    fn content(&self, start: u64, length: u64) -> Content {
        match self.source {
            BlobSource::Bytes(bytes) => {
                let at = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
                let part = bytes.get(at(start)..at(start.saturating_add(length)));
                Content::bytes(part.unwrap_or_default())
            }
            BlobSource::File(path) => Content::File {
                path: path.clone(),
                start,
                length,
            },
        }
    }

    /// Refuses a source that is not what its descriptor says, before any of it is sent.
    fn check(&self) -> Result<(), RegistryError> {
        let what = format!("blob sha256:{}", self.digest);
        let (found, size) = match self.source {
            BlobSource::Bytes(bytes) => (Sha256Digest::of(bytes), bytes.len() as u64),
            BlobSource::File(path) => {
                let read = File::open(path).and_then(Sha256Digest::of_stream);
                read.map_err(|source| RegistryError::Io {
                    path: path.clone(),
                    source,
                })?
            }
        };
        if size != self.size {
            return Err(RegistryError::Size {
                what,
                expected: self.size,
                found: size,
            });
        }
        require(&what, self.digest, found)
    }
}

impl NetworkRepository {
    pub(super) async fn send_blob(
        &self,
        digest: Sha256Digest,
        size: u64,
        source: &BlobSource<'_>,
    ) -> Result<Sent, RegistryError> {
        // One token for all of it. Besides, token services may give none for reading alone if the
        // repository does not exist yet.
        if self.head_blob(digest, size, Access::Push).await? {
            return Ok(Sent::Existed);
        }
        let mut outgoing = Outgoing {
            digest,
            size,
            source,
            upload: None,
            whole: size <= CHUNK,
        };
        outgoing.check()?;
        let mut backoff = Backoff::new(self.client.options.retries);
        let mut furthest = 0;
        loop {
            let Err(failure) = self.send_once(&mut outgoing).await else {
                return Ok(Sent::Uploaded(size));
            };
            let has = outgoing.upload.as_ref().and_then(|it| it.has);
            if has.unwrap_or(0) >= furthest + PROGRESS {
                furthest = has.unwrap_or(0);
                backoff.reset();
            }
            if let Some(upload) = &mut outgoing.upload {
                upload.has = None;
            }
            pause(&mut backoff, failure).await?;
            // The answer to the last request may be all that was lost.
            if self.head_blob(digest, size, Access::Push).await? {
                return Ok(Sent::Uploaded(size));
            }
        }
    }

    /// Asks the registry to take a blob over from another repository. If the registry does not do
    /// that, it begins an upload that is not continued, and forgets it after a while.
    pub(super) async fn take_over(
        &self,
        digest: Sha256Digest,
        from: &str,
    ) -> Result<bool, RegistryError> {
        if !is_repository(from) || from == self.repository {
            return Ok(false);
        }
        let mut url = self.url("blobs/uploads/");
        url.set_query(Some(&format!("mount=sha256:{digest}&from={from}")));
        let what = format!("blob sha256:{digest} from {from}");
        let ask = Ask::new(Method::POST, url, Access::Mount(from), &what);
        let ask = ask.sending(Content::bytes(b""));
        let expected = [StatusCode::CREATED, StatusCode::ACCEPTED];
        match self.ask(&ask, &expected).await {
            Ok(answer) => Ok(answer.status() == StatusCode::CREATED),
            // The other repository may be closed to this host.
            Err(RegistryError::Denied { .. } | RegistryError::Refused { status: 404, .. }) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn start(&self, digest: Sha256Digest) -> Result<Upload, RegistryError> {
        let what = format!("blob sha256:{digest}");
        let ask = Ask::new(
            Method::POST,
            self.url("blobs/uploads/"),
            Access::Push,
            &what,
        );
        let ask = ask.sending(Content::bytes(b""));
        let answer = self.ask(&ask, &[StatusCode::ACCEPTED]).await?;
        self.upload(&answer)
    }

    fn upload(&self, answer: &Answer) -> Result<Upload, RegistryError> {
        let at = self.location(answer.headers(), answer.response.url())?;
        Ok(Upload { at, has: Some(0) })
    }

    /// Sends what the registry does not have yet.
    async fn send_once(&self, outgoing: &mut Outgoing<'_>) -> Result<(), Failure> {
        let mut upload = match outgoing.upload.take() {
            Some(upload) if upload.has.is_some() => upload,
            // An upload in one request cannot go on.
            Some(upload) if !outgoing.whole => match self.ask_upload(upload, outgoing).await? {
                Some(upload) => upload,
                None => self.start(outgoing.digest).await?,
            },
            _ => self.start(outgoing.digest).await?,
        };
        if !outgoing.whole {
            let sent = self.send_chunks(&mut upload, outgoing).await;
            match sent {
                // A registry without chunks says so for the first of them.
                Err(Failure::Final(RegistryError::Refused { status, .. }))
                    if upload.has == Some(0) && status != 416 =>
                {
                    outgoing.whole = true;
                    upload = self.start(outgoing.digest).await?;
                }
                Err(failure) => {
                    outgoing.upload = Some(upload);
                    return Err(failure);
                }
                Ok(()) => {}
            }
        }
        let content = match outgoing.whole {
            true => outgoing.content(0, outgoing.size),
            false => Content::bytes(b""),
        };
        let digest = format!("digest=sha256:{}", outgoing.digest);
        let query = match upload.at.query() {
            Some(query) => format!("{query}&{digest}"),
            None => digest,
        };
        let mut url = upload.at.clone();
        url.set_query(Some(&query));
        let ask = self.part(Method::PUT, url, outgoing).sending(content);
        let done = [StatusCode::CREATED, StatusCode::OK, StatusCode::NO_CONTENT];
        let sent = self.once(&ask, &done).await;
        outgoing.upload = Some(upload);
        sent.map(|_| ()).map_err(forgotten)
    }

    fn part(&self, method: Method, url: Url, outgoing: &Outgoing<'_>) -> Ask<'static> {
        let what = format!("blob sha256:{}", outgoing.digest);
        let ask = Ask::new(method, url, Access::Push, &what);
        ask.with(header::CONTENT_TYPE, BINARY)
    }

    async fn send_chunks(
        &self,
        upload: &mut Upload,
        outgoing: &Outgoing<'_>,
    ) -> Result<(), Failure> {
        let mut start = upload.has.unwrap_or(0);
        while start < outgoing.size {
            let length = CHUNK.min(outgoing.size - start);
            let range = format!("{start}-{}", start + length - 1);
            let ask = self.part(Method::PATCH, upload.at.clone(), outgoing);
            let ask = ask.with(header::CONTENT_RANGE, &range);
            let ask = ask.sending(outgoing.content(start, length));
            let taken = [
                StatusCode::ACCEPTED,
                StatusCode::CREATED,
                StatusCode::NO_CONTENT,
            ];
            let answer = self.once(&ask, &taken).await.map_err(forgotten)?;
            let end = stored(answer.headers()).unwrap_or(start + length);
            if end <= start || end > start + length {
                return Err(self.senseless(outgoing, end).into());
            }
            upload.at = self.location(answer.headers(), answer.response.url())?;
            start = end;
            upload.has = Some(start);
        }
        Ok(())
    }

    /// Asks how much of an upload the registry has. `None` if it does not know the upload.
    async fn ask_upload(
        &self,
        upload: Upload,
        outgoing: &Outgoing<'_>,
    ) -> Result<Option<Upload>, Failure> {
        let ask = self.part(Method::GET, upload.at.clone(), outgoing);
        let known = [StatusCode::NO_CONTENT, StatusCode::OK, StatusCode::ACCEPTED];
        match self.once(&ask, &known).await {
            Ok(answer) => {
                let has = stored(answer.headers()).unwrap_or(0);
                if has > outgoing.size {
                    return Err(self.senseless(outgoing, has).into());
                }
                let at = self.location(answer.headers(), answer.response.url());
                let at = at.unwrap_or(upload.at);
                Ok(Some(Upload { at, has: Some(has) }))
            }
            Err(Failure::Final(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn senseless(&self, outgoing: &Outgoing<'_>, has: u64) -> RegistryError {
        RegistryError::Answer {
            place: self.place(),
            what: format!(
                "it says that it has {has} bytes of blob sha256:{}",
                outgoing.digest
            ),
        }
    }
}

/// An upload that the registry has forgotten, or of which it has another part than expected, starts
/// again.
fn forgotten(failure: Failure) -> Failure {
    match failure {
        Failure::Final(
            error @ RegistryError::Refused {
                status: 404 | 416, ..
            },
        ) => Failure::again(error),
        failure => failure,
    }
}

/// How many bytes a registry has of an upload: `Range: 0-99` are 100. Some write `bytes=0-99`. A
/// registry cannot say that it has none, and says `0-0`, which may also be one byte; then sending
/// starts anew.
fn stored(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(header::RANGE)?.to_str().ok()?;
    let (first, last) = text.trim().trim_start_matches("bytes=").split_once('-')?;
    let last: u64 = last.parse().ok()?;
    match (first, last) {
        ("0", 0) => Some(0),
        ("0", last) => last.checked_add(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_upload_is_read() {
        let stored = |text: &str| {
            let range = (header::RANGE, text.parse().unwrap());
            stored(&HeaderMap::from_iter([range]))
        };
        assert_eq!(stored("0-99"), Some(100));
        assert_eq!(stored("bytes=0-99"), Some(100));
        assert_eq!(stored("0-0"), Some(0));
        for text in ["", "5-9", "0-", "0-x", "0-18446744073709551615"] {
            assert_eq!(stored(text), None, "{text}");
        }
    }
}
