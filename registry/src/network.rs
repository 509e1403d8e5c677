//! A repository in a registry, over HTTP.
//!
//! Of `oci-client`, this uses the error envelope of registries and the token of their token
//! services. The requests are made here with the same HTTP client (`reqwest`), because `oci-client`
//! sends credentials to whatever address a challenge names, follows redirects and
//! `layer.urls`, sets no limit to what it reads, and does not repeat or resume requests.
//!
//! Source: OCI Distribution Specification 1.1.

mod answer;
mod body;
mod client;
mod download;
mod failure;
mod loopback;
mod manifests;
mod referrers;
mod request;
mod token;
mod upload;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use edgec_artifact::Sha256Digest;
use url::Url;

pub(crate) use self::client::Client;
use self::request::Access;
use crate::checked::{Incoming, digest_of, shown};
use crate::{BlobSource, Descriptor, RegistryError, Repository, Sent, StoredManifest, Which};

/// A repository in a registry.
pub(crate) struct NetworkRepository {
    client: Arc<Client>,
    /// The registry as it was written: what credentials are looked up with.
    registry: String,
    repository: String,
    /// Where the registry answers: scheme, host and port.
    base: Url,
    /// Whether the registry said that it lists referrers itself.
    has_referrers: AtomicBool,
}

impl NetworkRepository {
    pub(crate) fn new(
        client: Arc<Client>,
        registry: &str,
        repository: &str,
    ) -> Result<Self, RegistryError> {
        let scheme = match client.is_plain(registry) {
            true => "http",
            false => "https",
        };
        // Docker Hub has another host for its registry than for its name.
        let host = match registry {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            registry => registry,
        };
        let base = Url::parse(&format!("{scheme}://{host}/v2/"));
        let base = base.map_err(|error| RegistryError::Unreachable {
            host: shown(registry),
            attempts: 0,
            reason: error.to_string(),
        })?;
        Ok(Self {
            client,
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            base,
            has_referrers: AtomicBool::new(false),
        })
    }

    /// The address of something of this repository. `rest` has no characters that need escaping:
    /// tags, digests and numbers.
    fn url(&self, rest: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{rest}", self.repository));
        url
    }
}

impl Repository for NetworkRepository {
    fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    fn manifest(
        &self,
        which: &Which,
        known: Option<Sha256Digest>,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        self.client.wait_for(self.get_manifest(which, known))
    }

    fn put_manifest(
        &self,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        self.client
            .wait_for(self.send_manifest(tag, media_type, bytes))
    }

    fn has_blob(&self, descriptor: &Descriptor) -> Result<bool, RegistryError> {
        let digest = digest_of(descriptor)?;
        self.client
            .wait_for(self.head_blob(digest, descriptor.size, Access::Pull))
    }

    fn blob(&self, descriptor: &Descriptor, into: &mut dyn Write) -> Result<(), RegistryError> {
        let mut incoming = Incoming::new(descriptor, &self.name(), into)?;
        self.client.wait_for(self.fetch_blob(&mut incoming))?;
        incoming.finish()
    }

    fn put_blob(
        &self,
        descriptor: &Descriptor,
        source: &BlobSource<'_>,
    ) -> Result<Sent, RegistryError> {
        let digest = digest_of(descriptor)?;
        self.client
            .wait_for(self.send_blob(digest, descriptor.size, source))
    }

    fn mount_blob(&self, descriptor: &Descriptor, from: &str) -> Result<bool, RegistryError> {
        let digest = digest_of(descriptor)?;
        self.client.wait_for(self.take_over(digest, from))
    }

    fn referrers(&self, subject: Sha256Digest) -> Result<Vec<Descriptor>, RegistryError> {
        self.client.wait_for(self.get_referrers(subject))
    }

    fn note_referrer(
        &self,
        subject: Sha256Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        digest_of(referrer)?;
        self.client.wait_for(self.list_referrer(subject, referrer))
    }
}
