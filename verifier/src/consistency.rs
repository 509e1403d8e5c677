//! Checks that an image is as its manifest describes it.
//!
//! The signature binds manifest and image together. It does not prevent a careless or compromised
//! builder from signing an image with a false description. So these statements of the image are
//! compared with the manifest: CPU family, kind, engine, triple, required CPU features.

use std::collections::BTreeSet;

use edgec_artifact::elf::{ElfError, ElfImage};
use edgec_artifact::{Manifest, TargetCpu};
use edgec_targets::Arch;

/// How image and manifest contradict each other.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// The image is not one that the engine wrote.
    #[error(transparent)]
    Image(#[from] ElfError),
    /// A target that this version does not know, or knows with another level or triple, or other
    /// CPU features.
    #[error(
        "the manifest's target `{id}` is not the target that this edgec knows by that name: \
         the compiler that made it has other targets"
    )]
    Target {
        /// The target's name in the manifest.
        id: String,
    },
    /// A statement of the manifest differs from the image.
    #[error("the manifest's {field} is `{manifest}`, the image says `{image}`")]
    Field {
        /// The manifest's field.
        field: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What the image says.
        image: String,
    },
}

pub(crate) fn check(image: &[u8], manifest: &Manifest) -> Result<(), Contradiction> {
    let elf = ElfImage::parse(image)?;
    check_target(&manifest.target)?;
    let machine = Arch::named(manifest.target.family()).map_or(0, Arch::elf_machine);
    let stated = manifest.target.cpu_features.iter().cloned().collect();
    let required = elf.engine.isa_flags.iter().map(|flag| feature(flag));

    let claims = [
        (
            "target.triple",
            manifest.target.triple.clone(),
            elf.engine.triple.clone(),
        ),
        (
            "target architecture",
            machine.to_string(),
            elf.arch.elf_machine().to_string(),
        ),
        (
            "kind",
            manifest.kind.name().to_owned(),
            elf.kind.name().to_owned(),
        ),
        (
            "engine.name",
            manifest.engine.name.clone(),
            "wasmtime".into(),
        ),
        (
            "engine.version (major)",
            manifest.engine.major().to_owned(),
            elf.engine.major.clone(),
        ),
        (
            "target.cpuFeatures",
            join(&stated),
            join(&required.collect()),
        ),
    ];
    for (field, manifest, image) in claims {
        if manifest != image {
            return Err(Contradiction::Field {
                field,
                manifest,
                image,
            });
        }
    }
    Ok(())
}

/// A target's name must have its meaning in the registry, because hosts choose by the name.
fn check_target(stated: &TargetCpu) -> Result<(), Contradiction> {
    let known = edgec_targets::all().find(|target| target.id == stated.id);
    let same = known.is_some_and(|target| {
        let mut features: Vec<&str> = target.features.iter().map(|f| f.name).collect();
        features.sort_unstable();
        target.triple() == stated.triple
            && target.level == stated.level
            && features == stated.cpu_features
    });
    if same {
        return Ok(());
    }
    Err(Contradiction::Target {
        id: stated.id.clone(),
    })
}

fn join(features: &BTreeSet<String>) -> String {
    let features: Vec<&str> = features.iter().map(String::as_str).collect();
    features.join(", ")
}

/// The CPU feature of a Cranelift flag. For an unknown flag, the result is no feature's name, so it
/// never matches a manifest.
fn feature(flag: &str) -> String {
    edgec_targets::all()
        .flat_map(|target| target.features)
        .find(|feature| feature.cranelift_flag == flag)
        .map_or_else(|| format!("?{flag}"), |feature| feature.name.to_owned())
}
