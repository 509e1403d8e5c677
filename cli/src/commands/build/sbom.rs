//! Bills of materials beside the artifacts of a build. The provenance of each artifact lists their
//! digests, and so binds them to it.

use std::path::PathBuf;

use edgec_artifact::{Material, Sha256Digest};
use edgec_builder::Origin;
use edgec_sbom::Format;

use super::arguments::Arguments;
use super::plan::Planned;
use super::write::NewFile;
use crate::bill::{self, About};
use crate::failure::Failure;
use crate::naming::{self, Job};

/// Refuses bills without provenances: nothing would bind them to the artifacts.
pub(super) fn refuse_alone(arguments: &Arguments, is_attested: bool) -> Result<(), Failure> {
    if arguments.origin.sbom.is_empty() || is_attested {
        return Ok(());
    }
    let message = "the provenance lists the bill of materials, and none is written";
    Err(Failure::usage("sbom", message)
        .about("--sbom")
        .hint("add --provenance; `edgec sbom` writes a bill of materials without an artifact"))
}

/// The format and the file of each bill of an input.
pub(super) fn files(arguments: &Arguments, job: &Job) -> Result<Vec<(Format, PathBuf)>, Failure> {
    let mut formats = arguments.origin.sbom.clone();
    formats.sort_unstable();
    formats.dedup();
    let Some((target, first)) = job.outputs.first() else {
        return Ok(Vec::new());
    };
    let files = formats.into_iter().map(|format| {
        let path = naming::sbom_file(first, target.id, format.ending())?;
        Ok((format, path))
    });
    files.collect()
}

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
