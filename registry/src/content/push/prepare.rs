//! Before anything is sent: the artifacts are sound and belong together.

use std::collections::BTreeMap;

use edgec_artifact::{Artifact, Manifest, Sha256Digest};
use edgec_verifier::describe_unsigned;

use super::super::attached::Attached;
use super::super::beside;
use super::super::portable::{OtherProgram, Portable, is_source};
use super::super::push_error::PushError;
use super::artifact::Native;
use super::release::ReleaseManifest;
use super::{Layout, Push, PushArtifact};

/// Everything that is sent, except for what has to be compressed first.
pub(crate) struct Prepared<'p> {
    /// The tag of the index, and of the portable program in the split layout.
    pub(crate) tag: &'p str,
    pub(crate) portable: Option<(Portable, &'p [u8])>,
    /// By profile and target.
    pub(crate) natives: Vec<Native>,
    pub(crate) release: Option<ReleaseManifest>,
}

impl<'p> Prepared<'p> {
    pub(crate) fn new(push: &'p Push) -> Result<Self, PushError> {
        let tag = push.reference.tag_to_write();
        let tag = match push.reference.digest() {
            None => tag.ok_or(PushError::DigestGiven)?,
            Some(_) => return Err(PushError::DigestGiven),
        };
        if push.timestamp.is_some() && push.release.is_none() {
            return Err(PushError::TimestampAlone);
        }
        let artifacts = push.artifacts.iter().enumerate();
        let natives = artifacts.map(|(at, artifact)| native(at, artifact));
        let mut natives = natives.collect::<Result<Vec<_>, _>>()?;
        belong_together(&natives)?;
        natives.sort_by(|a, b| a.place().cmp(&b.place()));
        attach(&mut natives, push)?;
        let portable = portable(push, &natives)?;
        if portable.is_none() && push.layout == Layout::Split {
            return Err(PushError::NoComponent);
        }
        let release = push.release.as_ref().map(|release| {
            let timestamp = push.timestamp.as_deref();
            ReleaseManifest::new(release, timestamp, &natives)
        });
        Ok(Self {
            tag,
            portable,
            natives,
            release: release.transpose()?,
        })
    }
}

fn native(at: usize, artifact: &PushArtifact) -> Result<Native, PushError> {
    let name = artifact.name.clone();
    let unsound = |source| PushError::Artifact {
        name: name.clone(),
        source,
    };
    let described = describe_unsigned(&artifact.bytes).map_err(unsound)?;
    let decoded = Artifact::decode(&artifact.bytes);
    let decoded = decoded.map_err(|error| unsound(error.into()))?;
    let (envelope, _) = decoded.into_envelope();
    if envelope.signatures().is_empty() {
        return Err(PushError::Unsigned { name });
    }
    let debug = artifact.debug.clone().map(Attached::debug);
    Ok(Native {
        at,
        payload: Sha256Digest::of(&described.payload),
        manifest: described.manifest,
        envelope,
        attached: debug.into_iter().collect(),
        name,
    })
}

/// All artifacts are of one program, under one name, channel and version, and for one target and
/// profile each.
fn belong_together(natives: &[Native]) -> Result<(), PushError> {
    let first = natives.first().ok_or(PushError::NoArtifact)?;
    let channel = |it: &Manifest| it.channel.clone().unwrap_or_default();
    let mut seen: BTreeMap<(&str, &str), &Native> = BTreeMap::new();
    for native in natives {
        let (one, other) = (&first.manifest, &native.manifest);
        let program = |it: &Manifest| it.source.input.sha256.to_string();
        for (what, first, found) in [
            ("name", one.name.clone(), other.name.clone()),
            ("channel", channel(one), channel(other)),
            (
                "version",
                one.version.to_string(),
                other.version.to_string(),
            ),
            ("program", program(one), program(other)),
        ] {
            if first != found {
                return Err(PushError::OtherApplication {
                    name: native.name.clone(),
                    what,
                    found,
                    first,
                });
            }
        }
        if let Some(other) = seen.insert(native.place(), native) {
            return Err(PushError::SameTarget {
                name: native.name.clone(),
                fits: native.fits(),
                other: other.name.clone(),
            });
        }
    }
    Ok(())
}

/// Gives each file to the artifacts that it is about.
fn attach(natives: &mut [Native], push: &Push) -> Result<(), PushError> {
    for (name, file) in &push.attached {
        let mut is_about_one = false;
        for native in natives.iter_mut() {
            if file.is_about(&native.manifest, native.payload) {
                is_about_one = true;
                native.attached.push(file.clone());
            }
        }
        if !is_about_one {
            let name = name.clone();
            return Err(PushError::AboutNothing { name });
        }
    }
    // The order on the command line does not matter.
    for native in natives {
        let key = |it: &Attached| (it.kind, Sha256Digest::of(&it.bytes));
        native.attached.sort_by_cached_key(key);
        native.attached.dedup();
        let files = native.attached.iter();
        let files = files.map(|it| (it.kind, it.bytes.len() as u64));
        beside::within_limits(files).map_err(|source| PushError::TooMuch {
            fits: native.fits(),
            source,
        })?;
    }
    Ok(())
}

/// The portable program, if it is the one from which the artifacts were made.
fn portable<'p>(
    push: &'p Push,
    natives: &[Native],
) -> Result<Option<(Portable, &'p [u8])>, PushError> {
    let (Some(program), Some(first)) = (&push.component, natives.first()) else {
        return Ok(None);
    };
    let portable = Portable::new(program, push.created)?;
    let found = Sha256Digest::of(program);
    let stated = [first.manifest.source.input.sha256];
    is_source(found, stated).map_err(|error| {
        let OtherProgram { found, wanted } = error;
        PushError::OtherProgram { found, wanted }
    })?;
    Ok(Some((portable, program)))
}
