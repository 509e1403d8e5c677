//! What a reference offers: opened, but nothing of it is verified yet.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use edgec_artifact::{MAX_COMPANION_LEN, Sha256Digest};

use super::decode::MalformedManifest;
use super::index::{Index, SPLIT_ENDING, is_index};
use super::log::{Counted, Traffic};
use super::manifest::Manifest;
use super::native::NativeEntry;
use super::portable::{OtherProgram, is_source};
use super::progress::{Progress, Unseen};
use super::pull_error::PullError;
use super::session::Session;
use super::{descriptor, media};
use crate::checked::shown;
use crate::{Descriptor, Reference, StoredManifest, Which};

/// The longest portable program that is fetched, in bytes (1 GiB).
const MAX_PROGRAM_LEN: u64 = 1 << 30;

/// What a reference offers. Nothing of it is trusted.
pub struct Offer {
    pub(crate) place: Arc<Counted>,
    /// What was asked of the place before this offer was opened.
    before: Traffic,
    reference: Reference,
    index: StoredManifest,
    natives: Vec<NativeEntry>,
    portable: Option<PortableEntry>,
    release: Option<Descriptor>,
    statements: OnceLock<Option<Statements>>,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Offer");
        shown.field("reference", &self.reference.to_string());
        shown
            .field("natives", &self.natives)
            .finish_non_exhaustive()
    }
}

/// The portable program of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortableEntry {
    /// The digest of its manifest.
    pub digest: Sha256Digest,
    /// The length that the index states for its manifest, in bytes.
    size: u64,
}

/// A release and its timestamp. Nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statements {
    /// The release.
    pub release: Vec<u8>,
    /// Its timestamp.
    pub timestamp: Option<Vec<u8>>,
}

impl Session {
    /// Opens a reference: reads its index.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn open(&self, reference: &Reference) -> Result<Offer, PullError> {
        let opened = self.open_if_changed(reference, None)?;
        // Without a known digest, an answer has a manifest.
        opened.ok_or_else(|| PullError::NoNatives {
            what: reference.to_string(),
        })
    }

    /// Like [`Self::open`]. `None` if the reference still names the index with the digest `known`,
    /// which [`Offer::digest`] gave. Then almost nothing was fetched.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn open_if_changed(
        &self,
        reference: &Reference,
        known: Option<Sha256Digest>,
    ) -> Result<Option<Offer>, PullError> {
        let place = self.place(reference)?;
        let before = place.traffic();
        let Some(found) = place.manifest(&reference.which(), known)? else {
            return Ok(None);
        };
        let index = match is_index(&found.media_type) {
            true => found,
            false => match split(&place, reference, &found, known)? {
                Some(index) => index,
                None => return Ok(None),
            },
        };
        Offer::new(place, before, reference.clone(), index).map(Some)
    }
}

/// The index that belongs to a portable program. `None` if it has the digest `known`.
fn split(
    place: &Counted,
    reference: &Reference,
    found: &StoredManifest,
    known: Option<Sha256Digest>,
) -> Result<Option<StoredManifest>, PullError> {
    let what = reference.to_string();
    let manifest = Manifest::decode(&found.bytes).map_err(|source| PullError::Malformed {
        what: what.clone(),
        source,
    })?;
    let is_portable = manifest.config.media_type == media::WASM_CONFIG
        || manifest.layers_of(media::WASM).next().is_some();
    if !is_portable {
        let kind = manifest.artifact_type;
        let media_type = kind.unwrap_or(manifest.config.media_type);
        let media_type = shown(&media_type);
        return Err(PullError::NotEdgec { what, media_type });
    }
    let which = match (reference.tag_to_write(), reference.digest()) {
        (Some(tag), None) => {
            let tag = format!("{tag}{SPLIT_ENDING}");
            (tag.clone(), Which::Tag(tag))
        }
        _ => {
            let referrers = place.referrers(found.digest)?;
            let mut indexes = referrers.iter().filter(|it| is_index(&it.media_type));
            let digest = indexes.find_map(descriptor::digest);
            let digest = digest.ok_or(PullError::NoNatives { what: what.clone() })?;
            (format!("sha256:{digest}"), Which::Digest(digest))
        }
    };
    let (split, which) = which;
    let index = match place.manifest(&which, known) {
        Err(error) if error.is_absence() => return Err(PullError::NoNatives { what }),
        index => index?,
    };
    let Some(index) = index else { return Ok(None) };
    let malformed = |source| PullError::Malformed {
        what: split.clone(),
        source,
    };
    let subject = Index::decode(&index.bytes).map_err(malformed)?.subject;
    let stated = subject.map_or_else(|| "none".to_owned(), |it| it.digest);
    match stated == format!("sha256:{}", found.digest) {
        true => Ok(Some(index)),
        false => Err(PullError::OtherSubject {
            split,
            stated: shown(&stated),
            found: found.digest,
        }),
    }
}

impl Offer {
    fn new(
        place: Arc<Counted>,
        before: Traffic,
        reference: Reference,
        index: StoredManifest,
    ) -> Result<Self, PullError> {
        let malformed = |source| PullError::Malformed {
            what: format!("the index of {reference} (sha256:{})", index.digest),
            source,
        };
        let read = Index::decode(&index.bytes).map_err(malformed)?;
        let mut natives: Vec<NativeEntry> = Vec::new();
        let (mut portable, mut release) = (None, None);
        for entry in &read.manifests {
            if let Some(native) = NativeEntry::of(entry).map_err(malformed)? {
                let mut known = natives.iter();
                match known.find(|it| it.place() == native.place()) {
                    None => natives.push(native),
                    Some(same) if same.digest == native.digest => {}
                    Some(_) => {
                        let what = format!("two entries are for {}", native.fits());
                        return Err(malformed(MalformedManifest::Part { what }));
                    }
                }
            } else if is_release(entry) {
                release = Some(entry.clone());
            } else if is_portable(entry) && portable.is_none() {
                portable = descriptor::digest(entry).map(|digest| PortableEntry {
                    digest,
                    size: entry.size,
                });
            }
        }
        if natives.is_empty() {
            return Err(PullError::NotEdgec {
                what: reference.to_string(),
                media_type: index.media_type,
            });
        }
        Ok(Self {
            place,
            before,
            reference,
            index,
            natives,
            portable,
            release,
            statements: OnceLock::new(),
        })
    }

    /// The reference that was opened.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The digest of the index. It identifies the offer, until a tool that copies it writes another
    /// one: what binds a release together is signed.
    pub fn digest(&self) -> Sha256Digest {
        self.index.digest
    }

    /// The portable program, if the index lists one.
    pub fn component(&self) -> Option<&PortableEntry> {
        self.portable.as_ref()
    }

    /// The native images.
    pub fn natives(&self) -> &[NativeEntry] {
        &self.natives
    }

    /// The native image for a target and an engine profile.
    pub(crate) fn native(&self, place: (&str, &str)) -> Option<&NativeEntry> {
        let mut natives = self.natives.iter();
        natives.find(|it| it.place() == place)
    }

    /// What was asked of the place since this offer was opened, by all who use the same session.
    pub fn traffic(&self) -> Traffic {
        self.place.traffic().since(self.before)
    }

    /// The release, if the index lists one. It is fetched once.
    ///
    /// # Errors
    ///
    /// [`PullError`].
    pub fn release(&self) -> Result<Option<Statements>, PullError> {
        if let Some(known) = self.statements.get() {
            return Ok(known.clone());
        }
        let fetched = match &self.release {
            Some(entry) => Some(self.statements_of(entry)?),
            None => None,
        };
        Ok(self.statements.get_or_init(|| fetched).clone())
    }

    fn statements_of(&self, entry: &Descriptor) -> Result<Statements, PullError> {
        let manifest = self.manifest_of(entry)?;
        let release = manifest.layer_of(media::RELEASE);
        let release = release.map_err(|source| PullError::Malformed {
            what: format!("the release of {}", self.reference),
            source,
        })?;
        let most = MAX_COMPANION_LEN;
        let release = self.small(release, most, "the release", &Unseen)?;
        let timestamp = manifest.layers_of(media::TIMESTAMP).next();
        let timestamp = timestamp.map(|it| self.small(it, most, "the timestamp", &Unseen));
        Ok(Statements {
            release,
            timestamp: timestamp.transpose()?,
        })
    }

    /// Writes the portable program: the bytes from which the artifacts were made. `signed` has the
    /// SHA-256 of the program in each statement that was verified
    /// ([`Taken::signed_program`](super::Taken::signed_program),
    /// [`Vouched::program`](super::Vouched::program)). Without any, the bytes are checked against
    /// their digest in the registry only. Returns whether there is a program. If there is an error,
    /// what `into` got is of no use.
    ///
    /// # Errors
    ///
    /// [`PullError`]; [`PullError::OtherProgram`] before anything of the program is fetched.
    pub fn fetch_component(
        &self,
        signed: &[Sha256Digest],
        into: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<bool, PullError> {
        let Some(portable) = &self.portable else {
            return Ok(false);
        };
        let what = "the portable program";
        let manifest = self.manifest(portable.digest, portable.size, what)?;
        let malformed = |source| PullError::Malformed {
            what: format!("{what} of {}", self.reference),
            source,
        };
        let layer = manifest.layer_of(media::WASM).map_err(malformed)?;
        // The layer is the program as it is. The bytes that come are compared with this digest.
        let found = descriptor::digest(layer).ok_or_else(|| {
            let found = shown(&layer.digest);
            malformed(MalformedManifest::Digest { found })
        })?;
        is_source(found, signed.iter().copied()).map_err(|error| {
            let OtherProgram { found, wanted } = error;
            PullError::OtherProgram {
                found,
                signed: wanted,
            }
        })?;
        self.layer(layer, MAX_PROGRAM_LEN, what, into, progress)?;
        Ok(true)
    }

    /// The manifest that an entry of the index lists.
    pub(crate) fn manifest_of(&self, entry: &Descriptor) -> Result<Manifest, PullError> {
        let digest = descriptor::digest(entry).ok_or_else(|| PullError::Malformed {
            what: format!("the index of {}", self.reference),
            source: MalformedManifest::Digest {
                found: shown(&entry.digest),
            },
        })?;
        self.manifest(digest, entry.size, "the manifest")
    }

    /// A manifest, whose entry in the index states its length in bytes.
    fn manifest(&self, digest: Sha256Digest, size: u64, what: &str) -> Result<Manifest, PullError> {
        let what = format!("{what} sha256:{digest} of {}", self.reference.place());
        let malformed = |source| PullError::Malformed {
            what: what.clone(),
            source,
        };
        let found = self.place.manifest(&Which::Digest(digest), None)?;
        let found = found.ok_or_else(|| {
            let what = "it is not there".to_owned();
            malformed(MalformedManifest::Part { what })
        })?;
        let length = found.bytes.len() as u64;
        if length != size {
            let what = format!("it has {length} bytes, and the index lists {size} for it");
            return Err(malformed(MalformedManifest::Part { what }));
        }
        Manifest::decode(&found.bytes).map_err(malformed)
    }

    /// The content of a layer, in memory.
    pub(crate) fn small(
        &self,
        layer: &Descriptor,
        most: u64,
        what: &str,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, PullError> {
        let mut bytes = Vec::new();
        self.layer(layer, most, what, &mut bytes, progress)?;
        Ok(bytes)
    }

    /// Writes the content of a layer of `most` bytes or fewer.
    pub(crate) fn layer(
        &self,
        layer: &Descriptor,
        most: u64,
        what: &str,
        into: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<(), PullError> {
        if layer.size > most {
            return Err(PullError::TooLong {
                what: what.to_owned(),
                found: layer.size,
                most,
            });
        }
        Ok(self.place.blob(layer, into, progress)?)
    }
}

/// Some tools drop the kind of an entry when they copy it, so the serial decides too.
fn is_release(entry: &Descriptor) -> bool {
    entry.artifact_type.as_deref() == Some(media::RELEASE)
        || entry.annotations.contains_key(media::SERIAL)
}

/// The portable program has an entry for its own platform.
fn is_portable(entry: &Descriptor) -> bool {
    let platform = entry.platform.as_ref();
    platform.is_some_and(|it| it.architecture == "wasm" && it.os.starts_with("wasi"))
}
