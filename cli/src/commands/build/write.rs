//! Writes the artifacts of a build: all files of a group or none.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use edgec_builder::BuiltArtifact;

use super::report::ArtifactReport;
use crate::failure::Failure;
use crate::file_kind::Wanted;
use crate::files::{self, NewFolders, Staged};
use crate::naming::{self, Job};
use crate::render::Format;
use crate::signals;

/// A file that is complete in memory.
pub(super) struct NewFile {
    path: PathBuf,
    bytes: Vec<u8>,
    kind: Wanted,
}

impl NewFile {
    /// The file of a release, beside the artifacts.
    pub(super) fn release(job: &Job, bytes: Option<Vec<u8>>) -> Result<Option<Self>, Failure> {
        let (Some(bytes), Some((target, first))) = (bytes, job.outputs.first()) else {
            return Ok(None);
        };
        let path = naming::release_file(first, target.id)?;
        files::spare(&[], &path, Wanted::Attestation)?;
        Ok(Some(Self {
            path,
            bytes,
            kind: Wanted::Attestation,
        }))
    }

    /// A bill of materials, beside the artifacts.
    pub(super) fn sbom(path: &Path, bytes: Vec<u8>) -> Self {
        Self {
            path: path.to_owned(),
            bytes,
            kind: Wanted::Sbom,
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// A report on each artifact, and the files to write.
pub(super) fn reported(
    job: &Job,
    built: Vec<BuiltArtifact>,
    format: Format,
) -> Result<(Vec<ArtifactReport>, Vec<NewFile>), Failure> {
    let (mut reports, mut files) = (Vec::new(), Vec::new());
    for ((_, path), artifact) in job.outputs.iter().zip(built) {
        let debug_path = match artifact.debug_file {
            Some(_) => Some(naming::debug_file(path)?),
            None => None,
        };
        let provenance_path = match artifact.provenance {
            Some(_) => Some(naming::provenance_file(path)?),
            None => None,
        };
        reports.push(ArtifactReport::new(
            &artifact,
            path,
            debug_path.as_deref(),
            provenance_path.as_deref(),
            format,
        ));
        files.push(NewFile {
            path: path.clone(),
            bytes: artifact.bytes,
            kind: Wanted::Artifact,
        });
        let debug_file = debug_path.zip(artifact.debug_file);
        files.extend(debug_file.map(|(path, bytes)| NewFile {
            path,
            bytes,
            kind: Wanted::DebugFile,
        }));
        let provenance = provenance_path.zip(artifact.provenance);
        files.extend(provenance.map(|(path, bytes)| NewFile {
            path,
            bytes,
            kind: Wanted::Attestation,
        }));
    }
    Ok((reports, files))
}

/// Stages every file before the first one is put in place. If one cannot be put in place, all old
/// files are put back, and the new folders are removed.
pub(super) fn write(files: &[&NewFile]) -> Result<(), Failure> {
    signals::uninterrupted(|| {
        let mut folders = NewFolders::default();
        for file in files {
            if let Some(folder) = file.path.parent() {
                files::make_folder(&mut folders, folder)?;
            }
        }
        files::commit_all(staged(files)?)?;
        folders.keep();
        Ok(())
    })
}

/// Stages the files at the same time, because each waits for the disk most of the time. The failure
/// is that of the first file that failed.
fn staged(files: &[&NewFile]) -> Result<Vec<Staged>, Failure> {
    let stage = |file: &NewFile| files::stage(&file.path, &file.bytes, file.kind);
    thread::scope(|scope| {
        let started = files.iter().copied().map(|file| {
            let started = thread::Builder::new().spawn_scoped(scope, move || stage(file));
            (file, started)
        });
        // All threads are started before the first one is waited for.
        let started: Vec<_> = started.collect();
        let staged = started.into_iter().map(|(file, started)| match started {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // If the system starts no more threads, this one does the rest.
            Err(_) => stage(file),
        });
        staged.collect()
    })
}
