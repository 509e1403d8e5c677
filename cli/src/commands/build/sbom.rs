//! Which bills of materials a build writes, and where.

use std::path::PathBuf;

use edgec_sbom::Format;

use super::arguments::Arguments;
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
