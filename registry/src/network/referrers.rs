//! What refers to a manifest: from the registry's API, or from the fallback tag.
//!
//! Source: OCI Distribution Specification 1.1, "Listing Referrers", "Referrers Tag Schema".

use std::sync::atomic::Ordering;

use edgec_artifact::Sha256Digest;
use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::request::{Access, Ask, pause};
use super::{NetworkRepository, answer, manifests};
use crate::checked::{MAX_MANIFEST_LEN, digest_of, fallback_tag, refers_to};
use crate::content::media;
use crate::headers::link::next_page;
use crate::referrer_list::ReferrerList;
use crate::retry::Backoff;
use crate::{Descriptor, RegistryError, StoredManifest, Which};

/// How many pages of a list are read. Some registries give ten entries a page.
const MAX_PAGES: usize = 128;
/// How many entries are looked at. Each is a request. A longer list is an error: what it leaves out
/// could be a signature.
const MAX_ENTRIES: usize = 1024;
/// How often the fallback tag is written, if other hosts write it at the same time.
const MAX_WRITES: usize = 5;

impl NetworkRepository {
    pub(super) async fn get_referrers(
        &self,
        subject: Sha256Digest,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let candidates = match self.list(subject).await? {
            Some(candidates) => candidates,
            None => match self.fallback(subject).await? {
                Some(list) => {
                    let entries = ReferrerList::decode(&list.bytes).and_then(|it| it.entries());
                    entries.map_err(|what| self.senseless_list(subject, &what))?
                }
                None => Vec::new(),
            },
        };
        if candidates.len() > MAX_ENTRIES {
            return Err(self.too_many(subject));
        }
        let mut found: Vec<Descriptor> = Vec::new();
        for candidate in candidates {
            let known = found.iter().any(|it| it.digest == candidate.digest);
            if !known && self.is_referrer(&candidate, subject).await? {
                found.push(candidate);
            }
        }
        Ok(found)
    }

    fn senseless_list(&self, subject: Sha256Digest, what: &str) -> RegistryError {
        RegistryError::Answer {
            place: self.place(),
            what: format!("the list of referrers of sha256:{subject}: {what}"),
        }
    }

    fn too_many(&self, subject: Sha256Digest) -> RegistryError {
        RegistryError::TooManyReferrers {
            place: self.place(),
            subject: subject.to_string(),
            most: MAX_ENTRIES,
        }
    }

    /// Whether an entry refers to the subject. A registry may have resolved the fallback tag to
    /// something else, and a list may name what was removed. An entry that edgec cannot fetch is an
    /// error: it may be a referrer.
    async fn is_referrer(
        &self,
        entry: &Descriptor,
        subject: Sha256Digest,
    ) -> Result<bool, RegistryError> {
        let digest = digest_of(entry)?;
        if digest == subject {
            return Ok(false);
        }
        if entry.size > MAX_MANIFEST_LEN {
            return Err(RegistryError::TooLong {
                what: format!("the referrer sha256:{digest} of {}", self.place()),
                limit: MAX_MANIFEST_LEN,
            });
        }
        match self.get_manifest(&Which::Digest(digest), None).await {
            Ok(manifest) => Ok(manifest.is_some_and(|it| refers_to(&it, subject))),
            Err(error) if error.is_absence() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The list of the registry's API. `None` if it has no such API.
    async fn list(&self, subject: Sha256Digest) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let mut url = self.url(&format!("referrers/sha256:{subject}"));
        let mut entries = Vec::new();
        for page in 0..MAX_PAGES {
            let what = format!("referrers of sha256:{subject}");
            let ask = Ask::new(Method::GET, url.clone(), Access::Pull, &what)
                .with(header::ACCEPT, media::INDEX);
            let (headers, at, bytes) = match self.read_page(&ask).await {
                Ok(read) => read,
                // What registries without the API answer.
                Err(RegistryError::Absent { .. } | RegistryError::Refused { .. }) if page == 0 => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let senseless = |what: String| self.senseless_list(subject, &what);
            let media_type = manifests::media_type(&headers);
            if media_type != media::INDEX {
                // Other services than registries answer every request with some page.
                return match page {
                    0 => Ok(None),
                    _ => Err(senseless(format!(
                        "a page of it has the type `{media_type}`"
                    ))),
                };
            }
            let list = ReferrerList::decode(&bytes).map_err(senseless)?;
            self.has_referrers.store(true, Ordering::Relaxed);
            entries.extend(list.entries().map_err(senseless)?);
            if entries.len() > MAX_ENTRIES {
                break;
            }
            match next_page(&headers, &at).map_err(senseless)? {
                Some(next) => url = next,
                None => return Ok(Some(entries)),
            }
        }
        Err(self.too_many(subject))
    }

    async fn read_page(&self, ask: &Ask<'_>) -> Result<(HeaderMap, Url, Vec<u8>), RegistryError> {
        let idle = self.client.options.timeouts.idle;
        let what = format!("the list of {} of {}", ask.what, self.place());
        let mut backoff = Backoff::new(self.client.options.retries);
        loop {
            let read = match self.once(ask, &[StatusCode::OK]).await {
                Ok(mut answer) => {
                    let response = &mut answer.response;
                    let read = answer::read(response, &what, MAX_MANIFEST_LEN, idle).await;
                    read.map(|it| (response.headers().clone(), response.url().clone(), it))
                }
                Err(failure) => Err(failure),
            };
            match read {
                Ok(read) => return Ok(read),
                Err(failure) => pause(&mut backoff, failure).await?,
            }
        }
    }

    /// The list under the fallback tag, if there is one. Some registries give the subject itself
    /// for this tag.
    async fn fallback(
        &self,
        subject: Sha256Digest,
    ) -> Result<Option<StoredManifest>, RegistryError> {
        let which = Which::Tag(fallback_tag(subject));
        let is_list = |it: &StoredManifest| it.digest != subject && it.media_type == media::INDEX;
        match self.get_manifest(&which, None).await {
            Ok(found) => Ok(found.filter(is_list)),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn list_referrer(
        &self,
        subject: Sha256Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        if self.has_referrers.load(Ordering::Relaxed) {
            return Ok(());
        }
        let tag = fallback_tag(subject);
        // The protocol has no conditional write. So the list is read again.
        for _ in 0..MAX_WRITES {
            let list = self.fallback(subject).await?;
            // A list that no one can read is replaced.
            let list = list.and_then(|it| ReferrerList::decode(&it.bytes).ok());
            let mut list = list.unwrap_or_else(ReferrerList::empty);
            if list.has(&referrer.digest) {
                return Ok(());
            }
            let failed = |error: serde_json::Error| RegistryError::Answer {
                place: self.place(),
                what: error.to_string(),
            };
            list.push(referrer).map_err(failed)?;
            let bytes = serde_json::to_vec(&list).map_err(failed)?;
            self.send_manifest(Some(&tag), media::INDEX, &bytes).await?;
        }
        Err(RegistryError::Answer {
            place: self.place(),
            what: format!("tag {tag} does not keep what was written"),
        })
    }
}
