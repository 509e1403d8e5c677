//! A store of objects on another machine, through OpenDAL. What it returns is untrusted.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use opendal::layers::{RetryLayer, TimeoutLayer};
use opendal::services::{Ghac, Redis, S3, Webdav};
use opendal::{Buffer, ErrorKind, HttpTransporter, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;

use crate::address::{Address, Place};
use crate::parts::{AT_ONCE, Head, PART_LEN};

/// How long a failed write waits before it is sent again, once. A read is not sent again: the build
/// does the work itself, and a server could break off each answer after a few more bytes.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// How much of a server's message is told, in characters.
const MAX_REASON_LEN: usize = 500;

/// Why a store did not do what was asked. The text has no password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be used as it is named.
    #[error("it cannot be used: {reason}")]
    Unusable {
        /// What is wrong.
        reason: String,
    },
    /// A request failed.
    #[error("a request failed: {reason}")]
    Request {
        /// What the client or the server said.
        reason: String,
    },
    /// An object is longer than any that edgec writes.
    #[error("an object in it is longer than {most} bytes")]
    TooLong {
        /// The maximum length in bytes.
        most: u64,
    },
    /// The store cannot list what it holds.
    #[error("this kind of store cannot list what it holds")]
    NoList,
}

/// What became of an object that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Written,
    /// The store keeps the object that has this name: that of GitHub Actions replaces none.
    Kept,
}

/// An object in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) path: String,
    pub(crate) bytes: u64,
}

/// A store.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    operator: Operator,
    writing: Operator,
    /// A TCP server that must be there. The client of Redis asks a server that is not there for
    /// seconds.
    server: Option<(String, u16)>,
    /// Whether long objects are in parts.
    in_parts: bool,
}

impl Store {
    /// A client of the store. Nothing is sent yet. `timeout` is for each request.
    pub(crate) fn open(address: &Address, timeout: Duration) -> Result<Self, StoreError> {
        // Without a provider, TLS would panic. Only the first call does something.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let operator = operator(address).map_err(|error| StoreError::Unusable {
            reason: reason(&error),
        })?;
        let retry = RetryLayer::new().with_max_times(1);
        let retry = retry
            .with_min_delay(RETRY_DELAY)
            .with_max_delay(RETRY_DELAY);
        let limit = TimeoutLayer::new().with_timeout(timeout);
        let operator = operator.layer(limit.with_io_timeout(timeout));
        let writing = operator.clone().layer(retry);
        let server = match &address.place {
            Place::Redis { host, port, .. } => Some((host.clone(), *port)),
            _ => None,
        };
        Ok(Self {
            operator,
            writing,
            in_parts: server.is_some(),
            server,
        })
    }

    /// A store behind an operator.
    #[cfg(test)]
    pub(crate) fn of(operator: Operator) -> Self {
        Self {
            writing: operator.clone(),
            operator,
            server: None,
            in_parts: false,
        }
    }

    /// The same store with long objects in parts.
    #[cfg(test)]
    pub(crate) fn in_parts(self) -> Self {
        Self {
            in_parts: true,
            ..self
        }
    }

    /// An object of at most `most` bytes. `None` if there is none.
    pub(crate) async fn get(&self, path: &str, most: u64) -> Result<Option<Bytes>, StoreError> {
        tokio::select! {
            error = self.missing_server() => Err(error),
            found = self.whole(path, most) => found,
        }
    }

    async fn whole(&self, path: &str, most: u64) -> Result<Option<Bytes>, StoreError> {
        let found = self.read(path, most).await?;
        let head = found.as_deref().filter(|_| self.in_parts);
        let Some(head) = head.and_then(Head::read) else {
            return Ok(found);
        };
        if head.length > most {
            return Err(StoreError::TooLong { most });
        }
        let parts = (0..head.count()).map(|number| {
            let name = head.part(path, number);
            async move { self.read(&name, PART_LEN).await }
        });
        let mut parts = futures_util::stream::iter(parts).buffered(AT_ONCE);
        let mut whole = Vec::new();
        while let Some(part) = parts.next().await {
            // The server has dropped a part: then there is no object.
            let Some(part) = part? else { return Ok(None) };
            whole.extend_from_slice(&part);
        }
        Ok(Some(whole.into()))
    }

    async fn read(&self, path: &str, most: u64) -> Result<Option<Bytes>, StoreError> {
        let found = async {
            let reader = self.operator.reader(path).await?;
            let mut stream = reader.into_stream(..).await?;
            let mut parts = Vec::new();
            let mut length: u64 = 0;
            while let Some(part) = stream.try_next().await? {
                length = length.saturating_add(part.len() as u64);
                if length > most {
                    return Ok(None);
                }
                parts.push(part);
            }
            let whole: Buffer = parts.into_iter().flatten().collect();
            // Nothing is copied if there is one part.
            Ok(Some(whole.to_bytes()))
        };
        match found.await {
            Ok(Some(whole)) => Ok(Some(whole)),
            Ok(None) => Err(StoreError::TooLong { most }),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Writes an object, whose parts follow each other.
    pub(crate) async fn put(&self, path: &str, parts: Vec<Bytes>) -> Result<Put, StoreError> {
        let written = tokio::select! {
            error = self.missing_server() => return Err(error),
            written = self.write(path, Buffer::from(parts)) => written,
        };
        match written {
            Ok(_) => Ok(Put::Written),
            Err(error) if is_conflict(&error) => Ok(Put::Kept),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn write(&self, path: &str, object: Buffer) -> opendal::Result<()> {
        let whole = object.to_bytes();
        let head = Head::of(&whole).filter(|_| self.in_parts);
        let Some(head) = head else {
            self.writing.write(path, object).await?;
            return Ok(());
        };
        let length = usize::try_from(PART_LEN).unwrap_or(usize::MAX);
        for (number, part) in (0..).zip(whole.chunks(length)) {
            let part = whole.slice_ref(part);
            self.writing.write(&head.part(path, number), part).await?;
        }
        // Last, so that a head always has its parts.
        self.writing.write(path, head.write()).await?;
        Ok(())
    }

    /// The objects in a folder, whose name ends with a slash.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<Listed>, StoreError> {
        if !self.operator.info().capability().list {
            return Err(StoreError::NoList);
        }
        let entries = match self.operator.list(folder).await {
            Ok(entries) => entries,
            Err(error) if is_absence(&error) => Vec::new(),
            Err(error) => return Err(failed(&error)),
        };
        let files = entries
            .into_iter()
            .filter(|entry| entry.metadata().is_file());
        let listed = files.map(|entry| Listed {
            path: entry.path().to_owned(),
            bytes: entry.metadata().content_length(),
        });
        Ok(listed.collect())
    }

    /// Ends only if the server cannot be reached.
    async fn missing_server(&self) -> StoreError {
        if let Some((host, port)) = &self.server
            && let Err(error) = tokio::net::TcpStream::connect((host.as_str(), *port)).await
        {
            let reason = error.to_string();
            return StoreError::Request { reason };
        }
        std::future::pending().await
    }
}

fn operator(address: &Address) -> opendal::Result<Operator> {
    let root = format!("/{}", address.prefix);
    let login = &address.login;
    let user = login.user.as_deref().unwrap_or_default();
    let password = login.password.as_ref().map_or("", |it| it.as_str());
    match &address.place {
        Place::Redis {
            tls,
            host,
            port,
            database,
        } => {
            let scheme = if *tls { "rediss" } else { "redis" };
            let redis = Redis::default().endpoint(&format!("{scheme}://{host}:{port}"));
            let redis = redis.username(user).password(password);
            Operator::new(redis.db(i64::from(*database)).root(&root))
        }
        Place::S3 {
            bucket,
            endpoint,
            region,
            in_host,
        } => {
            let mut s3 = S3::default().bucket(bucket).root(&root);
            if let Some(endpoint) = endpoint {
                s3 = s3.endpoint(endpoint);
            }
            if let Some(region) = region {
                s3 = s3.region(region);
            }
            if *in_host {
                s3 = s3.enable_virtual_host_style();
            }
            let is_plain = endpoint
                .as_ref()
                .is_some_and(|it| it.starts_with("http://"));
            over_http(Operator::new(s3)?, is_plain)
        }
        Place::WebDav { endpoint } => {
            let webdav = Webdav::default().endpoint(endpoint).root(&root);
            let webdav = webdav.username(user).password(password);
            over_http(Operator::new(webdav)?, endpoint.starts_with("http://"))
        }
        Place::Actions => {
            let actions = Ghac::default().root(&root).version("edgec");
            over_http(Operator::new(actions)?, false)
        }
    }
}

/// The same operator with a client of HTTP. A client that needs no TLS does not read the system's
/// certificates, which takes milliseconds.
fn over_http(operator: Operator, is_plain: bool) -> opendal::Result<Operator> {
    let mut client = reqwest::Client::builder();
    if is_plain {
        client = client.tls_certs_only([]);
    }
    let client = client.build().map_err(|error| {
        opendal::Error::new(ErrorKind::Unexpected, "no client of HTTP").set_source(error)
    })?;
    let transport = HttpTransporter::new(ReqwestTransport::new(client));
    let context = operator.base_context().with_http_transport(transport);
    Ok(operator.with_context(context))
}

fn is_absence(error: &opendal::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound)
}

fn is_conflict(error: &opendal::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists | ErrorKind::ConditionNotMatch | ErrorKind::Conflict
    )
}

fn failed(error: &opendal::Error) -> StoreError {
    StoreError::Request {
        reason: reason(error),
    }
}

/// What happened, and its first cause. An error's own text also lists its context, which is long.
/// The server may have written the message, so it is cut.
fn reason(error: &opendal::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(std::error::Error::source) {
        cause = Some(inner);
    }
    let message = error.message();
    let message = message.lines().next().unwrap_or_default();
    let reason = match cause.map(ToString::to_string) {
        Some(cause) if !cause.contains(message) => format!("{message}: {cause}"),
        Some(cause) => cause,
        None => message.to_owned(),
    };
    reason.chars().take(MAX_REASON_LEN).collect()
}
