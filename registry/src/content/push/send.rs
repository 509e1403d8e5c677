//! Sending: blobs, then manifests, then the tag.

use std::sync::Arc;

use edgec_artifact::Sha256Digest;

use super::super::attached::AttachedKind;
use super::super::index::{Index, SPLIT_ENDING};
use super::super::log::Counted;
use super::super::manifest::Manifest;
use super::super::progress::Progress;
use super::super::push_error::PushError;
use super::super::session::Session;
use super::super::{descriptor, media, platform};
use super::artifact::Native;
use super::compress::compress;
use super::differences::{Bases, Made};
use super::prepare::Prepared;
use super::release::ReleaseManifest;
use super::{Layout, Push, Pushed, PushedNative, known, signed};
use crate::checked::shown;
use crate::{BlobSource, Descriptor, RegistryError, Sent, in_parallel};

pub(super) fn send(
    session: &Session,
    push: &Push,
    prepared: &Prepared<'_>,
    progress: &dyn Progress,
) -> Result<Pushed, PushError> {
    let place = session.place(&push.reference)?;
    let before = place.traffic();
    let sender = Sender {
        place: Arc::clone(&place),
        push,
        progress,
        bases: Bases::new(session, push, progress)?,
    };
    sender.bytes(
        &Descriptor::of_bytes(media::EMPTY, descriptor::EMPTY_CONFIG),
        descriptor::EMPTY_CONFIG,
    )?;
    let natives = in_parallel(push.concurrency, &prepared.natives, |it| sender.native(it))?;
    let mut entries = Vec::new();
    if let Some((portable, program)) = &prepared.portable {
        progress.step("sending the portable program");
        sender.bytes(&portable.layer, program)?;
        sender.bytes(&portable.config.0, &portable.config.1)?;
        place.put_manifest(None, media::MANIFEST, &portable.manifest)?;
        entries.extend(portable.entries());
    }
    entries.extend(natives.iter().map(|native| native.entry.clone()));
    if let Some(release) = &prepared.release {
        for (layer, bytes) in &release.layers {
            sender.bytes(layer, bytes)?;
        }
        place.put_manifest(None, media::MANIFEST, &release.manifest)?;
        entries.push(release.entry());
    }
    let (index, tag) = sender.index(entries, prepared)?;
    let stated = prepared.natives.first().map(|it| &it.manifest);
    let stated = stated.ok_or(PushError::NoArtifact)?;
    Ok(Pushed {
        application: stated.name.clone(),
        channel: stated.channel.clone(),
        version: stated.version,
        digest: index,
        tag,
        portable: prepared.portable.as_ref().map(|(it, _)| it.digest()),
        natives: natives.into_iter().map(|native| native.pushed).collect(),
        serial: prepared.release.as_ref().map(ReleaseManifest::serial),
        traffic: place.traffic().since(before),
    })
}

struct Sender<'a> {
    place: Arc<Counted>,
    push: &'a Push,
    progress: &'a dyn Progress,
    bases: Bases<'a>,
}

/// A native image that is there, with its entry of the index.
struct SentNative {
    entry: Descriptor,
    pushed: PushedNative,
}

impl Sender<'_> {
    /// Sends bytes, unless they are there.
    fn bytes(&self, descriptor: &Descriptor, bytes: &[u8]) -> Result<Sent, RegistryError> {
        let source = BlobSource::Bytes(bytes);
        self.place.put_blob(descriptor, &source, self.progress)
    }

    /// Compresses bytes and sends them, unless they are there.
    fn compressed(
        &self,
        media_type: &str,
        bytes: &[u8],
        what: &str,
    ) -> Result<(Descriptor, Sent), PushError> {
        self.progress.step(&format!("compressing {what}"));
        let compressed = compress(media_type, bytes).map_err(PushError::Temporary)?;
        self.progress.step(&format!("sending {what}"));
        let source = BlobSource::File(compressed.path().to_owned());
        let descriptor = compressed.descriptor.clone();
        let sent = self.place.put_blob(&descriptor, &source, self.progress)?;
        Ok((descriptor, sent))
    }

    /// Sends an artifact: its layers, its manifest, and its referrers.
    fn native(&self, native: &Native) -> Result<SentNative, PushError> {
        let stated = &native.manifest;
        let artifact = self.push.artifacts.get(native.at);
        let artifact = artifact.ok_or(PushError::NoArtifact)?;
        // The image is the front of the file, as the check of the artifact has shown.
        let length = usize::try_from(stated.image.length).unwrap_or(usize::MAX);
        let image = artifact.bytes.get(..length).unwrap_or_default();
        let before = self.bases.before();
        let known = before.and_then(|it| known::layer(it, stated, image, self.progress));
        let (layer, sent) = match known {
            Some(known) => (known, Sent::Existed),
            None => self.compressed(media::IMAGE, image, &native.fits())?,
        };
        let whole = layer.clone();
        let mut layers = vec![descriptor::with(
            descriptor::with(layer, media::IMAGE_DIGEST, stated.image.fsverity),
            media::IMAGE_LENGTH,
            stated.image.length,
        )];
        let envelope = native.envelope.encode();
        let layer = Descriptor::of_bytes(media::ENVELOPE, &envelope);
        self.bytes(&layer, &envelope)?;
        layers.push(layer);
        for attached in &native.attached {
            layers.push(match attached.kind {
                AttachedKind::Debug => {
                    let what = format!("the debug file of {}", native.fits());
                    let layer = self.compressed(media::DEBUG, &attached.bytes, &what)?.0;
                    descriptor::with(layer, media::IMAGE_LENGTH, attached.bytes.len())
                }
                _ => {
                    let layer = attached.descriptor();
                    self.bytes(&layer, &attached.bytes)?;
                    layer
                }
            });
        }
        let (place, progress) = (&self.place, self.progress);
        let bases = &self.bases;
        let differences = bases.differences(place, native, image, &whole, progress)?;
        layers.extend(differences.iter().map(|it| it.layer.clone()));
        let manifest = Manifest::of_kind(media::NATIVE, layers).encode();
        self.place.put_manifest(None, media::MANIFEST, &manifest)?;
        let entry = entry(native, &manifest);
        self.referrers(native, &entry)?;
        Ok(SentNative {
            pushed: PushedNative {
                target: stated.target.id.clone(),
                profile: stated.engine.profile.clone(),
                digest: Sha256Digest::of(&manifest),
                length: stated.image.length,
                compressed: whole.size,
                was_there: sent == Sent::Existed,
                differences: differences.iter().map(Made::pushed).collect(),
            },
            entry,
        })
    }

    /// Sends the signatures for other tools.
    fn referrers(&self, native: &Native, entry: &Descriptor) -> Result<(), RegistryError> {
        for bundle in signed::bundles(&native.envelope, entry) {
            let (layer, bytes) = &bundle.layer;
            self.bytes(layer, bytes)?;
            let place = &self.place;
            place.put_manifest(None, media::MANIFEST, &bundle.manifest)?;
            if let Some(subject) = descriptor::digest(entry) {
                place.note_referrer(subject, &bundle.descriptor)?;
            }
        }
        Ok(())
    }

    /// Sends the index, and then moves the tag. Returns the index's digest and its tag.
    fn index(
        &self,
        entries: Vec<Descriptor>,
        prepared: &Prepared<'_>,
    ) -> Result<(Sha256Digest, String), PushError> {
        let mut index = Index::new(entries);
        if let Some(native) = prepared.natives.first() {
            let stated = &native.manifest;
            let mut annotate = |name: &str, value: String| {
                index.annotations.insert(name.to_owned(), value);
            };
            annotate(media::NAME, stated.name.clone());
            annotate(media::VERSION, stated.version.to_string());
            if let Some(channel) = &stated.channel {
                annotate(media::CHANNEL, channel.clone());
            }
        }
        let tag = prepared.tag;
        self.progress.step(&format!("moving the tag {tag}"));
        match (self.push.layout, &prepared.portable) {
            (Layout::Split, Some((portable, _))) => {
                index.subject = Some(portable.descriptor());
                let bytes = index.encode();
                let split = format!("{tag}{SPLIT_ENDING}");
                self.place
                    .put_manifest(Some(&split), media::INDEX, &bytes)?;
                let mut listed = Descriptor::of_bytes(media::INDEX, &bytes);
                listed.artifact_type = Some(media::INDEX.to_owned());
                self.place.note_referrer(portable.digest(), &listed)?;
                let manifest = &portable.manifest;
                self.place
                    .put_manifest(Some(tag), media::MANIFEST, manifest)?;
                Ok((Sha256Digest::of(&bytes), split))
            }
            _ => {
                let bytes = index.encode();
                self.place.put_manifest(Some(tag), media::INDEX, &bytes)?;
                Ok((Sha256Digest::of(&bytes), tag.to_owned()))
            }
        }
    }
}

/// The entry of the index for a native manifest.
fn entry(native: &Native, manifest: &[u8]) -> Descriptor {
    let stated = &native.manifest;
    let mut entry = Descriptor::of_bytes(media::MANIFEST, manifest);
    entry.artifact_type = Some(media::NATIVE.to_owned());
    entry.platform = Some(platform::of(&stated.target));
    let version = stated.version.to_string();
    let image = stated.image.fsverity.to_string();
    for (name, value) in [
        (media::NAME, &stated.name),
        (media::VERSION, &version),
        (media::TARGET, &stated.target.id),
        (media::PROFILE, &stated.engine.profile),
        (media::ENGINE, &stated.engine.version),
        (media::IMAGE_DIGEST, &image),
    ] {
        entry = descriptor::with(entry, name, shown(value));
    }
    entry
}
