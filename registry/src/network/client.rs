//! What all repositories of a connector share: connections, tokens and options.

use std::fmt;
use std::sync::{Arc, LazyLock};

use http::Method;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;
use url::Url;

use super::loopback::{is_loopback, is_loopback_name};
use super::token::Tokens;
use crate::checked::shown;
use crate::{ConnectOptions, RegistryError};

/// All requests of the process. It stays, because a runtime must not end inside of another one.
static RUNTIME: LazyLock<Result<Runtime, String>> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("edgec-registry")
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
});

/// The HTTP client, and what it knows of registries.
pub(crate) struct Client {
    http: reqwest::Client,
    /// The same without the proxies that the environment names, for addresses of this host.
    local: reqwest::Client,
    pub(super) options: ConnectOptions,
    pub(super) tokens: Tokens,
    runtime: &'static Runtime,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn new(options: ConnectOptions) -> Result<Self, RegistryError> {
        let failed = |reason: String| RegistryError::Client { reason };
        let runtime = RUNTIME.as_ref().map_err(|reason| failed(reason.clone()))?;
        // Redirects are followed by hand, since credentials must not follow them. `read_timeout`
        // would also end an upload that takes long: `body` and `answer` have times of their own.
        let tls = tls(&options.ca)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("edgec/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .connect_timeout(options.timeouts.connect)
        };
        let built = |it: reqwest::ClientBuilder| it.build().map_err(|it| failed(it.to_string()));
        Ok(Self {
            http: built(builder())?,
            local: built(builder().no_proxy())?,
            options,
            tokens: Tokens::default(),
            runtime,
        })
    }

    /// A request to an address.
    pub(super) fn request(&self, method: Method, url: &Url) -> reqwest::RequestBuilder {
        let client = match is_loopback(url.host_str().unwrap_or_default()) {
            true => &self.local,
            false => &self.http,
        };
        client.request(method, url.clone())
    }

    /// Whether to talk to a registry without TLS. See [`ConnectOptions`].
    pub(super) fn is_plain(&self, registry: &str) -> bool {
        self.options.plain_http || self.options.ca.is_empty() && is_loopback_name(registry)
    }

    /// Blocks until the work is done. Other threads may block at the same time.
    pub(super) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// TLS with ring, Mozilla's authorities, and those of the caller.
fn tls(ca: &[Vec<u8>]) -> Result<ClientConfig, RegistryError> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for bytes in ca {
        for certificate in certificates(bytes)? {
            let added = roots.add(certificate);
            added.map_err(|error| invalid(&error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RegistryError::Client {
            reason: error.to_string(),
        })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn certificates(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
    // DER starts with the tag of a sequence.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(invalid("it has no `BEGIN CERTIFICATE`")),
        Ok(found) => Ok(found),
        Err(_) => Err(invalid("its PEM is damaged; paste it unindented")),
    }
}

fn invalid(reason: &str) -> RegistryError {
    RegistryError::Ca {
        reason: shown(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_host_are_plain() {
        let client = Client::new(ConnectOptions::default()).unwrap();
        for name in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "127.1.2.3",
            "[::1]:5000",
        ] {
            assert!(client.is_plain(name), "{name}");
        }
        for name in [
            "localhost.example",
            "registry.example:80",
            "128.0.0.1",
            "[::2]:1",
        ] {
            assert!(!client.is_plain(name), "{name}");
        }
        let plain = Client::new(ConnectOptions::default().plain_http(true)).unwrap();
        assert!(plain.is_plain("registry.example"));
    }

    #[test]
    fn a_wrong_authority_is_named() {
        for (bytes, part) in [
            (&b"hello"[..], "BEGIN CERTIFICATE"),
            (
                b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
                "PEM is damaged",
            ),
            (b"\x30\x03abc", "invalid"),
        ] {
            let error = Client::new(ConnectOptions::default().ca(bytes.to_vec())).unwrap_err();
            assert_eq!(error.code(), "registry-ca");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
