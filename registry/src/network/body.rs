//! What is sent with a request: bytes, or a part of a file. It is sent in small pieces, so that a
//! slow link can be told from a dead one.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use http::header;
use reqwest::{Body, RequestBuilder, Response};

use crate::RegistryError;

/// How much is handed to the connection at a time, in bytes.
const PIECE: usize = 16 << 10;
/// How many idle times a registry may take for its answer after it has got everything: it checks
/// the digest, and stores the blob.
const ANSWER: u32 = 6;

/// What is sent. It can be sent again.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Bytes(Arc<[u8]>),
    File {
        path: PathBuf,
        /// The first byte that is sent.
        start: u64,
        /// How many bytes are sent.
        length: u64,
    },
}

impl Content {
    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }

    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    fn reader(&self) -> Result<Box<dyn Read + Send>, RegistryError> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(io::Cursor::new(Arc::clone(bytes)))),
            Self::File {
                path,
                start,
                length,
            } => {
                let opened = open_at(path, *start);
                let file = opened.map_err(|source| RegistryError::Io {
                    path: path.clone(),
                    source,
                })?;
                Ok(Box::new(file.take(*length)))
            }
        }
    }

    /// Sends a request with this content. `None` if nothing moved for too long.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
        idle: Duration,
    ) -> Result<Option<Result<Response, reqwest::Error>>, RegistryError> {
        let length = self.length();
        let request = request.header(header::CONTENT_LENGTH, length);
        let handed = Arc::new(AtomicU64::new(0));
        let request = match length {
            0 => request.body(Vec::new()),
            _ => request.body(pieces(self.reader()?, Arc::clone(&handed))),
        };
        let mut sending = pin!(request.send());
        let (mut before, mut quiet) = (0, 0);
        loop {
            if let Ok(sent) = tokio::time::timeout(idle, &mut sending).await {
                return Ok(Some(sent));
            }
            let now = handed.load(Ordering::Relaxed);
            quiet = if now > before { 0 } else { quiet + 1 };
            before = now;
            if quiet >= ANSWER || quiet > 0 && now < length {
                return Ok(None);
            }
        }
    }
}

fn open_at(path: &Path, start: u64) -> io::Result<File> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    Ok(file)
}

fn pieces(reader: Box<dyn Read + Send>, handed: Arc<AtomicU64>) -> Body {
    let read = move |mut reader: Box<dyn Read + Send>| {
        let handed = Arc::clone(&handed);
        async move {
            let mut piece = Vec::with_capacity(PIECE);
            match (&mut reader).take(PIECE as u64).read_to_end(&mut piece) {
                Ok(0) => None,
                Ok(read) => {
                    handed.fetch_add(read as u64, Ordering::Relaxed);
                    Some((Ok(piece), reader))
                }
                Err(error) => Some((Err(error), reader)),
            }
        }
    };
    Body::wrap_stream(stream::unfold(reader, read))
}
