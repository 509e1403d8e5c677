//! Manifests and indexes of a repository.
//!
//! Source: OCI Distribution Specification 1.1, "Pulling manifests", "Pushing Manifests".

use std::sync::atomic::Ordering;

use edgec_artifact::Sha256Digest;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};

use super::body::Content;
use super::request::{Access, Answer, Ask, pause};
use super::{NetworkRepository, answer};
use crate::checked::{MAX_MANIFEST_LEN, Outline, parse_digest, require, require_storable, shown};
use crate::retry::Backoff;
use crate::{RegistryError, StoredManifest, Which};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// What comes back of a request for a manifest.
enum Found {
    Same,
    Manifest(StoredManifest),
}

impl NetworkRepository {
    pub(super) async fn get_manifest(
        &self,
        which: &Which,
        known: Option<Sha256Digest>,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        let (name, what) = match which {
            Which::Tag(tag) => (tag.clone(), format!("tag {}", shown(tag))),
            Which::Digest(digest) if known == Some(*digest) => return Ok(None),
            Which::Digest(digest) => (
                format!("sha256:{digest}"),
                format!("manifest sha256:{digest}"),
            ),
        };
        let url = self.url(&format!("manifests/{name}"));
        let mut ask = Ask::new(Method::GET, url, Access::Pull, &what);
        for media_type in [
            OCI_IMAGE_INDEX_MEDIA_TYPE,
            OCI_IMAGE_MEDIA_TYPE,
            IMAGE_MANIFEST_LIST_MEDIA_TYPE,
            IMAGE_MANIFEST_MEDIA_TYPE,
        ] {
            ask = ask.with(header::ACCEPT, media_type);
        }
        if let Some(known) = known {
            ask = ask.with(header::IF_NONE_MATCH, &format!("\"sha256:{known}\""));
        }
        let mut backoff = Backoff::new(self.client.options.retries);
        let found = loop {
            let answer = self
                .once(&ask, &[StatusCode::OK, StatusCode::NOT_MODIFIED])
                .await;
            let read = match answer {
                Ok(answer) => self.read_manifest(answer, which, known, &what).await,
                Err(failure) => Err(failure),
            };
            match read {
                Ok(found) => break found,
                Err(failure) => pause(&mut backoff, failure).await?,
            }
        };
        Ok(match found {
            Found::Same => None,
            Found::Manifest(manifest) if known == Some(manifest.digest) => None,
            Found::Manifest(manifest) => Some(manifest),
        })
    }

    async fn read_manifest(
        &self,
        mut answer: Answer,
        which: &Which,
        known: Option<Sha256Digest>,
        what: &str,
    ) -> Result<Found, super::failure::Failure> {
        let what = format!("{what} of {}", self.place());
        if answer.status() == StatusCode::NOT_MODIFIED {
            return match known {
                Some(_) => Ok(Found::Same),
                None => Err(RegistryError::Answer {
                    place: self.place(),
                    what: "it says that nothing changed, which was not asked".to_owned(),
                }
                .into()),
            };
        }
        let idle = self.client.options.timeouts.idle;
        let bytes = answer::read(&mut answer.response, &what, MAX_MANIFEST_LEN, idle).await?;
        let digest = Sha256Digest::of(&bytes);
        let expected = match which {
            Which::Digest(digest) => Some(*digest),
            Which::Tag(_) => digest_in(answer.headers()),
        };
        if let Some(expected) = expected {
            require(&what, expected, digest)?;
        }
        let own = Outline::of(&bytes).and_then(|it| it.media_type);
        let media_type = own.unwrap_or_else(|| media_type(answer.headers()));
        Ok(Found::Manifest(StoredManifest {
            bytes,
            digest,
            media_type,
        }))
    }

    pub(super) async fn send_manifest(
        &self,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let digest = Sha256Digest::of(bytes);
        let by_digest = format!("sha256:{digest}");
        let what = match tag {
            Some(tag) => format!("the manifest of tag {}", shown(tag)),
            None => format!("the manifest {by_digest}"),
        };
        require_storable(&what, bytes)?;
        let url = self.url(&format!("manifests/{}", tag.unwrap_or(&by_digest)));
        let ask = Ask::new(Method::PUT, url, Access::Push, &what)
            .with(header::CONTENT_TYPE, media_type)
            .sending(Content::bytes(bytes));
        // Some registries answer with 200 or 202, although the specification says 201.
        let done = [StatusCode::CREATED, StatusCode::OK, StatusCode::ACCEPTED];
        let answer = self.ask(&ask, &done).await?;
        if answer.headers().contains_key(SUBJECT) {
            self.has_referrers.store(true, Ordering::Relaxed);
        }
        match digest_in(answer.headers()) {
            Some(stored) => require(&format!("{what} at {}", self.place()), digest, stored),
            None => Ok(()),
        }
    }
}

/// The digest that a registry states.
fn digest_in(headers: &HeaderMap) -> Option<Sha256Digest> {
    let value = headers.get(CONTENT_DIGEST)?.to_str().ok()?;
    parse_digest(value.trim())
}

/// The media type without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    let value = value.unwrap_or_default().split(';').next();
    shown(value.unwrap_or_default())
}
