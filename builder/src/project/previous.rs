//! The previous artifact of a component, with which a build is compared. It is not verified: it
//! decides nothing but whether a build has grown.

use std::collections::{BTreeMap, BTreeSet};

use edgec_artifact::elf::{ElfError, ElfImage};
use edgec_artifact::{Artifact, LayoutError, Statement, StatementError};
use edgec_compiler::{EngineProfile, Finding, Image, ImageError};

use super::wire::{compressed, plain};
use crate::unverified;
use crate::worker::WorkerProgram;

/// What a previous artifact states about itself, and what its image shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Previous {
    /// The application's name.
    pub name: String,
    /// The target's name.
    pub target: String,
    /// The lengths of its image.
    pub image: Lengths,
    /// The same, compressed. `None` if it cannot be compressed.
    pub wire: Option<Lengths>,
    /// The program's imports.
    pub imports: BTreeSet<String>,
    /// How many functions it has. `None` if the image does not show it, as for another engine and
    /// for the edge profile.
    pub functions: Option<u64>,
    /// How many notes of the cold-start lint it has. `None` for another engine.
    pub lost_fast_paths: Option<u64>,
}

/// The lengths of an image, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lengths {
    /// The length of the whole image.
    pub whole: u64,
    /// The length of each section.
    pub sections: BTreeMap<String, u64>,
}

/// Why a file cannot be compared with a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreviousError {
    /// It is not an artifact.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Its payload is not a manifest.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Its image is not an image.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// Its image is not an image of the engine.
    #[error(transparent)]
    Image(#[from] ImageError),
}

impl Previous {
    /// Reads an artifact. Processes of `program` ask the engine about its image.
    ///
    /// # Errors
    ///
    /// [`PreviousError`].
    pub fn read(file: &[u8], program: &WorkerProgram) -> Result<Self, PreviousError> {
        let artifact = Artifact::decode(file)?;
        let Statement { manifest } = Statement::decode(artifact.envelope().payload())?;
        // This is strict: no two sections share bytes.
        ElfImage::parse(artifact.image())?;
        let image = Image::parse(artifact.image())?;
        let is_complete = manifest.engine.profile == EngineProfile::Default.name();
        let functions = match is_complete {
            true => unverified::functions(program, &manifest, &image).ok(),
            // Its table has only what hosts can reach.
            false => None,
        };
        let is_known = manifest.engine.major() == edgec_verifier::ENGINE_VERSION.major.to_string();
        let info = image.section(".wasmtime.info").filter(|_| is_known);
        let found = info.and_then(|info| unverified::lint(program, info, manifest.kind).ok());
        // Every length has a value, so nothing is missing.
        let plainly = Lengths::of(&image, artifact.image(), plain);
        let plainly = plainly.ok_or(ImageError::Malformed { what: "sections" })?;
        Ok(Self {
            target: manifest.target.id,
            image: plainly,
            wire: Lengths::of(&image, artifact.image(), compressed),
            imports: manifest.capabilities.imports.into_iter().collect(),
            functions: functions.map(|functions| functions.len() as u64),
            lost_fast_paths: found.map(|findings| notable(&findings).count() as u64),
            name: manifest.name,
        })
    }
}

impl Lengths {
    /// The lengths of an image, as `measure` gives them. `None` if it gives none.
    pub(super) fn of(
        image: &Image<'_>,
        bytes: &[u8],
        measure: fn(&[u8]) -> Option<u64>,
    ) -> Option<Self> {
        let sections = image.sections();
        let sections = sections.map(|(name, bytes)| Some((name.to_owned(), measure(bytes)?)));
        Some(Self {
            whole: measure(bytes)?,
            sections: sections.collect::<Option<_>>()?,
        })
    }
}

/// The findings of the lint that a build tells users about.
pub(super) fn notable(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| !finding.is_minor())
}
