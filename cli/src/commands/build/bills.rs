//! Bills of materials beside the artifacts of a build. The provenance of each artifact lists their
//! digests, and so binds them to it.

use edgec_artifact::{Material, Sha256Digest};
use edgec_builder::Origin;

use super::plan::Planned;
use super::write::NewFile;
use crate::bill::{self, About};
use crate::failure::Failure;

/// The bills of an input.
pub(super) fn documents(planned: &Planned, input: &[u8]) -> Result<Vec<NewFile>, Failure> {
    if planned.sboms.is_empty() {
        return Ok(Vec::new());
    }
    let tools = &planned.build.recipe.tools;
    let release = &planned.build.release;
    let about = About {
        name: planned.job.name.clone(),
        version: match (&release.display_version, release.version) {
            (Some(text), _) => Some(text.clone()),
            (None, 0) => None,
            (None, version) => Some(version.to_string()),
        },
    };
    let program = bill::binary(input, &tools.front_end, tools.timeout)?;
    let formats = planned.sboms.iter().map(|(format, _)| *format);
    let documents = bill::documents(&program, &about, formats)?;
    let files = planned.sboms.iter().zip(documents);
    Ok(files
        .map(|((_, path), text)| NewFile::sbom(path, text.into_bytes()))
        .collect())
}

/// What is known about a build, with its bills.
pub(super) fn stated(planned: &Planned, origin: &Origin, sboms: &[NewFile]) -> Origin {
    let mut origin = origin.clone();
    for ((format, path), file) in planned.sboms.iter().zip(sboms) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let material = Material::of_bytes(name, Sha256Digest::of(file.bytes()));
        origin
            .byproducts
            .push(material.of_type(format.media_type()));
    }
    origin
}
