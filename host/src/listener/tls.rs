//! The certificate of a host. It is read again when its files change, and connections that begin
//! afterwards use the new one.
//!
//! The crypto provider is ring, and it is named: a process with two providers has no default one.

use std::fmt;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use edgec_loader::error_chain;
use edgec_loader::verifier::{ArtifactFileError, GuardError, open_artifact, read_guarded};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::HostError;
use crate::config::TlsConfig;

/// The longest file of a certificate or a key, in bytes (1 MiB).
const MAX_LEN: u64 = 1 << 20;

/// The certificate in use.
pub(crate) struct Certificates {
    config: TlsConfig,
    current: RwLock<Current>,
}

struct Current {
    server: Arc<ServerConfig>,
    /// The files from which it was made, as they were.
    files: [Vec<u8>; 2],
}

impl Certificates {
    /// Reads the certificate and its key.
    pub(crate) fn read(config: &TlsConfig) -> Result<Self, HostError> {
        let current = Current::read(config, files(config)?)?;
        Ok(Self {
            config: config.clone(),
            current: RwLock::new(current),
        })
    }

    /// Reads the files again. `true` if there is another certificate now. If the files cannot be
    /// used, the certificate in use stays.
    pub(crate) fn refresh(&self) -> Result<bool, HostError> {
        let files = files(&self.config)?;
        let is_same = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            current.files == files
        };
        if is_same {
            return Ok(false);
        }
        let new = Current::read(&self.config, files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(true)
    }

    /// Who else can read or replace the private key, as a line for the log.
    pub(crate) fn exposure(&self) -> Option<String> {
        exposure(&self.config.key)
    }

    /// Accepts a connection with the certificate in use.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.server))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificates")
            .field(&self.config.cert)
            .finish()
    }
}

fn files(config: &TlsConfig) -> Result<[Vec<u8>; 2], HostError> {
    Ok([file(CERTIFICATE, &config.cert)?, file(KEY, &config.key)?])
}

fn file(role: &'static str, path: &Path) -> Result<Vec<u8>, HostError> {
    let failed = |source| {
        let path = path.to_owned();
        HostError::TlsFile { role, path, source }
    };
    // A pipe without a writer would hold up the host, and all refreshes.
    let opened = open_artifact(path).map_err(|error| match error {
        ArtifactFileError::Io { source, .. } => source,
        error => io::Error::other(error),
    });
    let (file, len) = opened.map_err(failed)?;
    if len > MAX_LEN {
        return Err(failed(io::Error::other("the file is too long")));
    }
    let mut bytes = Vec::new();
    let read = file.take(len).read_to_end(&mut bytes);
    read.map_err(failed)?;
    Ok(bytes)
}

/// Who else can read or replace a private key. `None`: nobody. Many programs that renew
/// certificates belong to another user, so this is no error.
pub(super) fn exposure(path: &Path) -> Option<String> {
    // Where a link leads.
    let file = path.canonicalize().ok()?;
    let mode = file.metadata().ok()?.permissions().mode() & 0o7777;
    let why = match read_guarded(&file) {
        Ok(_) if mode & 0o007 == 0 => return None,
        Ok(_) => GuardError::Readable { mode },
        Err(error) => error,
    };
    let why = error_chain(&why);
    Some(format!("the {KEY} {} is not safe: {why}", path.display()))
}

/// What the files are called in messages.
const CERTIFICATE: &str = "certificate";
const KEY: &str = "private key";

fn unusable(role: &'static str, path: &Path, what: impl Into<String>) -> HostError {
    let (path, what) = (PathBuf::from(path), what.into());
    HostError::Tls { role, path, what }
}

/// What is wrong with a private key. The messages of parsers may quote it, so they are left out.
fn wrong_key(pem: &[u8]) -> &'static str {
    let begins = |marker: &str| pem.windows(marker.len()).any(|it| it == marker.as_bytes());
    if begins("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        "it is encrypted, and a host cannot ask for its passphrase"
    } else {
        "it has no private key in PEM, which begins with `-----BEGIN PRIVATE KEY-----`"
    }
}

impl Current {
    fn read(config: &TlsConfig, files: [Vec<u8>; 2]) -> Result<Self, HostError> {
        let [cert, key] = &files;
        let wrong = |what: String| unusable(CERTIFICATE, &config.cert, what);
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(cert).collect();
        let chain = chain.map_err(|error| wrong(error.to_string()))?;
        if chain.is_empty() {
            let begin = "it has no certificate in PEM, which begins with \
                         `-----BEGIN CERTIFICATE-----`";
            return Err(wrong(begin.to_owned()));
        }
        let found = PrivateKeyDer::from_pem_slice(key);
        let key = found.map_err(|_| unusable(KEY, &config.key, wrong_key(key)))?;
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key);
        // This also compares the certificate with the key.
        let mut server = server.map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                let cert = config.cert.display();
                let what = format!("it does not belong to the certificate {cert}");
                unusable(KEY, &config.key, what)
            }
            rustls::Error::InvalidCertificate(error) => {
                wrong(format!("its first certificate is damaged: {error:?}"))
            }
            error => unusable(KEY, &config.key, error.to_string()),
        })?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            server: Arc::new(server),
            files,
        })
    }
}
