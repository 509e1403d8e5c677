//! TLS of outbound connections: rustls with ring, and the roots of Mozilla's list.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::denial::Denial;
use crate::destination::Host;

/// Roots that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// The text has no certificate in PEM.
    #[error("there is no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)")]
    Empty,
    /// A certificate's PEM is malformed.
    #[error("certificate {number} is not in PEM form: {reason}")]
    Pem {
        /// Which one, counted from 1.
        number: usize,
        /// What the parser says.
        reason: String,
    },
    /// A certificate is not one.
    #[error("certificate {number} cannot be a root")]
    Root {
        /// Which one, counted from 1.
        number: usize,
        /// What rustls says.
        source: rustls::Error,
    },
}

/// The certificates that an application's connections are checked with.
#[derive(Clone, Debug)]
pub struct Roots(RootCertStore);

impl Roots {
    /// Mozilla's list, as of the release of `webpki-roots`.
    #[must_use]
    pub fn public() -> Self {
        let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        Self(RootCertStore { roots })
    }

    /// The public list and these certificates in PEM form.
    ///
    /// # Errors
    ///
    /// [`RootsError`] if the text has none, or one that is none.
    pub fn with_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let Self(mut store) = Self::public();
        let mut number = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            number += 1;
            let certificate = certificate.map_err(|error| RootsError::Pem {
                number,
                reason: error.to_string(),
            })?;
            let added = store.add(certificate);
            added.map_err(|source| RootsError::Root { number, source })?;
        }
        match number {
            0 => Err(RootsError::Empty),
            _ => Ok(Self(store)),
        }
    }
}

/// The TLS client of one application. Its sessions are not shared with other applications.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// # Errors
    ///
    /// ring has no cipher suite for TLS 1.2 or 1.3, which cannot happen.
    pub(crate) fn new(roots: &Roots) -> Result<Self, rustls::Error> {
        // Named, so that nothing depends on the process's default.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.0.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands, and checks that the certificate is valid for `host`.
    pub(crate) async fn connect(
        &self,
        host: &Host,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Denial> {
        let name = match host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| Denial::InvalidHost)?
            }
        };
        let shaken = self.0.connect(name, stream).await;
        shaken.map_err(|error| {
            let (host, reason) = (host.clone(), error.to_string());
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            match cause {
                Some(rustls::Error::InvalidCertificate(_)) => Denial::Certificate { host, reason },
                _ => Denial::Tls { host, reason },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_roots_make_a_client() {
        let roots = Roots::public();
        assert!(roots.0.len() > 50, "{}", roots.0.len());
        Tls::new(&roots).unwrap();
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        assert!(matches!(
            Roots::with_pem(b"nothing"),
            Err(RootsError::Empty)
        ));
        let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        let error = Roots::with_pem(broken).unwrap_err();
        assert!(
            matches!(error, RootsError::Pem { number: 1, .. }),
            "{error}"
        );
        let other = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = Roots::with_pem(other).unwrap_err();
        assert!(
            matches!(error, RootsError::Root { number: 1, .. }),
            "{error}"
        );
    }
}
